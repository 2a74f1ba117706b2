"""Values that are written nowhere."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seatrial.model.redaction import HIDDEN, Redactor, hide_in_traceback, hide_settings

SECRET = 'Pl@nted "secret"/value+x=1'


def knowing(*values: str) -> Redactor:
    redactor = Redactor()
    redactor.learn(values)
    return redactor


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}\n".encode()).decode(),
        base64.b64encode(f"ab{SECRET}cd".encode()).decode(),
        quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET),
        json.dumps(SECRET), json.dumps({"a": SECRET}),
        f"postgresql://user:{quote(SECRET, safe='')}@host/db",
    ],
)  # fmt: skip
def test_secret_is_found_in_every_encoding(text: str) -> None:
    hidden = knowing(SECRET).text(f"before {text} after")

    assert HIDDEN in hidden
    for part in ("nted", "secret", "VGVk", "c2VjcmV0"):
        assert part not in hidden
    assert knowing(SECRET).data(f"before {text} after".encode()) == hidden.encode()


@settings(deadline=None)
@given(
    st.binary(max_size=7),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8),
    st.binary(max_size=7),
)
def test_secret_is_found_inside_of_other_base64(before: bytes, secret: str, after: bytes) -> None:
    redactor = knowing(secret)
    if redactor.text(secret) != HIDDEN:
        return  # an ordinary value: a number, a path

    text = base64.b64encode(before + secret.encode() + after).decode()

    assert HIDDEN in redactor.text(text)


@pytest.mark.parametrize(
    "value",
    ["", "abc", "true", "12345678", "8.17.0", "v1.2.3-rc1", "/usr/lib/python3", "db.shop.svc",
     "db.shop.svc.cluster.local", "http://web:8080/health"],
)  # fmt: skip
def test_numbers_versions_and_paths_stay_readable(value: str) -> None:
    assert knowing(value).text(f"x {value} y") == f"x {value} y"


@pytest.mark.parametrize("value", ["https://user:hunter2@host/", "http://h/?token=abcdefgh", "hunter2", "a b c d"])
def test_value_that_may_be_a_secret_is_hidden(value: str) -> None:
    assert knowing(value).text(f"x {value} y") == f"x {HIDDEN} y"


def test_names_of_the_project_stay_readable() -> None:
    redactor = Redactor()
    redactor.learn(["my-database"], ordinary=["my-database"])

    assert redactor.text("pod my-database-0") == "pod my-database-0"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("pod/postgresql-0 is ready", "pod/postgresql-0 is ready"),
        ("user=postgres host=postgresql", "user=*** host=postgresql"),
        ("postgresql://postgres:x@postgresql/db", "postgresql://***:x@postgresql/db"),
        ("mypostgres", "my***"),
        ("postgresqlpostgres", "postgresql***"),
    ],
)
def test_name_that_contains_a_secret_stays_readable(text: str, hidden: str) -> None:
    redactor = Redactor()
    redactor.learn(["postgres"], ordinary=["postgresql", "postgresql-ha"])

    assert redactor.text(text) == hidden
    assert redactor.data(text.encode()) == hidden.encode()


def test_path_that_contains_a_secret_is_hidden() -> None:
    redactor = Redactor()
    redactor.learn(["hunter22"], ordinary=["/home/hunter22/chart"])
    assert redactor.text("/home/hunter22/chart") == "/home/***/chart"


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----\n"

    assert "MIIE" not in knowing(key).text("#7 0.1 MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n#7 0.2 x")


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ("--set runner.env.A=hunter2 run", "--set runner.env.A=*** run"),
        ("--set=runner.env.A=x=y run", "--set=runner.env.A=*** run"),
        ("-s runner.env.A=1 run -k a=b", "-s runner.env.A=*** run -k a=b"),
        ("-srunner.env.A=1 run", "-srunner.env.A=*** run"),
    ],
)
def test_values_of_set_are_hidden_in_a_command_line(argv: str, shown: str) -> None:
    assert hide_settings(shlex.split(argv)) == shlex.split(shown)


def test_traceback_that_quotes_a_value_of_set_hides_it() -> None:
    text = hide_in_traceback("ValueError: 'hunter2==' is odd", ["--set", "runner.env.A=hunter2==", "run"])

    assert text == "ValueError: '***' is odd"


def test_known_grows_with_new_secrets_only() -> None:
    redactor = Redactor()
    redactor.learn(["true", "short"])
    assert redactor.known == 0
    redactor.learn(["correct-horse"])
    first = redactor.known
    redactor.learn(["correct-horse"])
    assert redactor.known == first > 0
    redactor.learn(["battery-staple"])
    assert redactor.known > first
