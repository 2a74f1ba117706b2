from __future__ import annotations

import pytest
from seatrial.diagnose.failed_test import error_of


def entry(*lines):
    return {"type": "ReprEntry", "data": {"lines": list(lines)}}


def test_error_has_the_messages_of_a_chain_without_source_code():
    first = [{"reprentries": [entry("    open('db')", "E   OSError: first")]}, {"message": "OSError: first"}, "cause"]
    last = [{"reprentries": [entry(">   raise", "E   ValueError: last", "E   more")]}, None, None]

    assert error_of({"chain": [first, last]}) == "OSError: first\nValueError: last\nmore"


def test_error_of_a_report_without_a_chain():
    crash = {"message": "assert 1 == 2"}

    assert error_of({"reprtraceback": {"reprentries": [entry("E   assert 1 == 2")]}, "reprcrash": crash}) == (
        "assert 1 == 2"
    )


@pytest.mark.parametrize(
    ("longrepr", "error"),
    [
        ("text", "text"),
        (["a.py", 3, "Skipped: x"], "Skipped: x"),
        (None, ""),
        ([], ""),
        ({"chain": [3]}, ""),
        ({"chain": [[{"reprentries": [3, {"data": 3}, {"data": {"lines": [3]}}]}, 3]]}, ""),
    ],
)
def test_error_of_other_representations(longrepr, error):
    assert error_of(longrepr) == error
