"""The reviewed file of accepted differences: entries, expiry and one-line errors."""

from __future__ import annotations

from datetime import date

import pytest
from seatrial.comparison.accepted import accept, parse
from seatrial.config.problem import ConfigurationError
from seatrial.model.comparison import Difference, Kind

GOOD = """\
[[accepted]]
difference = "variable web LOG_*"
owner = "platform"
reason = "Compose prints more"
expires = 2026-03-01
"""
VARIABLE = Difference(kind=Kind.VARIABLE, subject="web LOG_LEVEL", left="a", right="b")


def accepted(text, *differences, today=date(2026, 2, 1)):
    return accept(differences or (VARIABLE,), parse(text, "ok.toml"), today=today, name="ok.toml")


def test_entry_accepts_matching_differences():
    found, notes = accepted(GOOD)

    assert found[0].accepted.owner == "platform"
    assert notes == ()


def test_entry_accepts_on_its_last_day_and_not_after():
    assert accepted(GOOD, today=date(2026, 3, 1))[0][0].accepted
    found, notes = accepted(GOOD, today=date(2026, 3, 2))

    assert found[0].accepted is None
    assert notes == ("ok.toml:1: expired on 2026-03-01, so 'variable web LOG_*' counts again; owner platform",)


def test_entry_without_a_difference_is_noted():
    other = Difference(kind=Kind.VARIABLE, subject="web MODE", left="a", right="b")

    assert accepted(GOOD, other)[1] == ("ok.toml:1: 'variable web LOG_*' matches no difference; delete the entry",)


def test_brackets_of_node_ids_are_literal():
    text = GOOD.replace("variable web LOG_*", "test-outcome t.py::test_a[1-x]")
    difference = Difference(kind=Kind.OUTCOME, subject="t.py::test_a[1-x]", left="a", right="b")

    assert accepted(text, difference)[0][0].accepted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[accepted]]\n", "ok.toml:1: difference: is missing"),
        (GOOD.replace("owner", "ower"), "ok.toml:3: ower: is not a key of an entry; did you mean 'owner'?"),
        (GOOD.replace('"platform"', '""'), "ok.toml:3: owner: is '', not a text"),
        (GOOD.replace("2026-03-01", '"soon"'), "ok.toml:5: expires: is 'soon', not a date"),
        (GOOD.replace("variable", "varable"), "ok.toml:2: difference: begins with 'varable', which is no kind"),
        (GOOD.replace("variable web LOG_*", "*"), "ok.toml:2: difference: matches every difference"),
        ("accept = 1\n", "ok.toml:1: accept: is not a key of this file; did you mean 'accepted'?"),
        ("accepted = 1\n", "ok.toml:1: accepted: is not an array of tables"),
        ("[[accepted]\n", "ok.toml: is not valid TOML"),
    ],
)
def test_bad_entry_is_one_line_with_its_place(text, message):
    with pytest.raises(ConfigurationError) as raised:
        parse(text, "ok.toml")

    assert any(str(each).startswith(message) for each in raised.value.problems)


def test_difference_that_does_not_count_needs_no_entry():
    natural = Difference(kind=Kind.VARIABLE, subject="web LOG_LEVEL", left="a", right="b", counts=False)

    assert accepted(GOOD, natural)[0][0].accepted is None
