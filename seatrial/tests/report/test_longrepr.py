from __future__ import annotations

from typing import Any

import pytest
from seatrial.report.longrepr import phase_of, skip_reason

from .run_directories import Case, longrepr


def phase(longrepr: Any, when: str = "call") -> Any:
    return phase_of(when, longrepr, root="/app", test_file="tests/a.py")


def entry(path: str, line: int, *lines: str, **more: Any) -> dict[str, Any]:
    place = {"path": path, "lineno": line, "message": "ValueError"}
    return {"type": "ReprEntry", "data": {"lines": list(lines), "reprfileloc": place, "style": "long", **more}}


def exception(*entries: dict[str, Any], message: str = "ValueError: bad") -> dict[str, Any]:
    place = entries[-1]["data"]["reprfileloc"] if entries else {"path": "", "lineno": 0}
    crash = {**place, "message": message}
    return {"reprcrash": crash, "reprtraceback": {"reprentries": list(entries), "extraline": None, "style": "long"}}


def test_assertion_has_message_diff_and_place() -> None:
    found = phase(longrepr(Case("tests/a.py::t"), "tests/a.py"))

    assert found.message == "AssertionError: assert {'id': 1, 'total': 20} == {'id': 1, 'total': 30}"
    assert (found.file, found.line) == ("tests/a.py", 17)
    kinds = {line.text: line.kind for line in found.explanation}
    assert kinds["AssertionError: assert {'id': 1, 'total': 20} == {'id': 1, 'total': 30}"] == "error"
    assert kinds["  -     'total': 30,"] == "removed"
    assert kinds["  ?              ^"] == "hint"
    assert kinds["  +     'total': 20,"] == "added"
    assert [line.kind for line in found.trace if line.text.startswith(">")] == ["source"]
    assert found.trace[-1].kind == "location"
    assert found.trace[-1].text == "tests/a.py:17: AssertionError"


def test_value_of_a_part_of_an_assertion_is_no_added_line() -> None:
    lines = [
        "E   assert 500 == 201",
        "E    +  where 500 = <Response>.status_code",
        "E    +    and 201 = f()",
        "E     + new",
    ]
    found = phase(exception(entry("/app/tests/a.py", 7, *lines)))

    assert [line.kind for line in found.explanation] == ["error", "error", "error", "added"]


def test_place_is_the_last_line_of_the_test_file() -> None:
    found = phase(
        exception(entry("/app/tests/a.py", 7, ">   helper()"), entry("/app/lib/b.py", 90, "E   ValueError: bad"))
    )

    assert (found.file, found.line) == ("tests/a.py", 7)


def test_place_outside_of_the_root_stays_absolute() -> None:
    found = phase(exception(entry("/usr/lib/python3/x.py", 3, "E   ValueError: bad")))

    assert (found.file, found.line) == ("/usr/lib/python3/x.py", 3)


def test_chained_exceptions_are_in_the_traceback_but_not_in_the_explanation() -> None:
    first = {"reprentries": [entry("/app/tests/a.py", 1, "E   KeyError: 'x'")], "extraline": None}
    last = {"reprentries": [entry("/app/tests/a.py", 2, "E   ValueError: bad")], "extraline": None}
    crash = {"path": "/app/tests/a.py", "lineno": 2, "message": "ValueError: bad"}
    cause = "The above exception was the direct cause of the following exception:"
    found = phase({"reprcrash": crash, "reprtraceback": last, "chain": [[first, crash, cause], [last, crash, None]]})

    assert [line.text for line in found.explanation] == ["ValueError: bad"]
    assert cause in [line.text for line in found.trace]
    assert "E   KeyError: 'x'" in [line.text for line in found.trace]


def test_colors_and_locals_and_arguments() -> None:
    found = phase(
        exception(
            entry(
                "/app/tests/a.py",
                1,
                "\x1b[31mE   ValueError: bad\x1b[0m",
                reprfuncargs={"args": [["api", "<Client>"]]},
                reprlocals={"lines": ["x = 1"]},
            )
        )
    )

    assert [line.text for line in found.trace] == [
        "api = <Client>", "E   ValueError: bad", "x = 1", "", "tests/a.py:1: ValueError",
    ]  # fmt: skip


def test_text_is_kept_as_it_is() -> None:
    found = phase("[XPASS(strict)] not fixed yet")

    assert found.message == "[XPASS(strict)] not fixed yet"
    assert [line.text for line in found.trace] == ["[XPASS(strict)] not fixed yet"]


def test_collection_error_in_text_has_its_error_lines() -> None:
    found = phase("tests/a.py:1: in <module>\n    import x\nE   ModuleNotFoundError: No module named 'x'", "collect")

    assert found.message == "ModuleNotFoundError: No module named 'x'"
    assert [line.text for line in found.explanation] == ["ModuleNotFoundError: No module named 'x'"]


@pytest.mark.parametrize(
    "wrong",
    [{"reprtraceback": 3}, {"chain": "x"}, {"reprcrash": {"lineno": []}}, {"reprtraceback": {"reprentries": [1]}}],
)
def test_failure_of_another_form_is_reported_as_unreadable(wrong: dict[str, Any]) -> None:
    assert phase(wrong).message == "seatrial cannot read the failure that pytest reported"


@pytest.mark.parametrize("empty", [None, {}, "", [], exception()])
def test_empty_failure_has_no_lines(empty: Any) -> None:
    assert phase(empty).trace == ()


def test_long_traceback_is_shortened_in_the_middle() -> None:
    found = phase("\n".join(f"line {number}" for number in range(10_000)))

    assert len(found.trace) == 4001
    assert found.trace[2000].text == "… 6000 lines left out …"
    assert found.trace[-1].text == "line 9999"


@pytest.mark.parametrize(
    ("longrepr", "reason"),
    [(["a.py", 3, "Skipped: no network"], "no network"), ("because", "because"), (None, ""), ({"a": 1}, ""), ([1], "")],
)
def test_skip_reason(longrepr: Any, reason: str) -> None:
    assert skip_reason(longrepr) == reason
