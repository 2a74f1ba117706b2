from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.report.log_lines import TimedLog, shortened
from seatrial.report.page import LogLine

START = datetime(2026, 1, 31, 15, 45, 0, tzinfo=UTC)


def log(*lines: str) -> TimedLog:
    return TimedLog.read("\n".join(lines).encode(), START)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("2026-01-31T15:45:02Z x", 2),
        ("2026-01-31T15:45:02.500Z INFO x", 2.5),
        ("2026-01-31T15:45:02.123456789Z x", 2.123456789),
        ("2026-01-31T15:45:02.100000000Z x", 2.1),
        ("2026-01-31 15:45:02,250 x", 2.25),
        ("2026/01/31 15:45:02 [notice] x", 2),
        ("[2026-01-31T16:45:02+01:00] x", 2),
        ("2026-01-31 10:15:02.000 -0530 x", 2),
        ("2026-01-31 15:45:02.000 UTC [1] LOG:  x", 2),
    ],
)
def test_times_of_common_formats(line: str, seconds: float) -> None:
    assert log(line).times == pytest.approx([seconds])


@pytest.mark.parametrize("line", ["INFO x", "2026-13-31T15:45:02Z x", "2026-01-31", "", "12026-01-31T15:45:02Z"])
def test_line_without_a_time_has_none(line: str) -> None:
    assert log(line).times == ()


def test_interval_includes_continued_lines_and_excludes_its_end() -> None:
    found = log(
        "starting",
        "2026-01-31T15:45:01Z before",
        "2026-01-31T15:45:02Z first",
        "  at frame 1",
        "2026-01-31T15:45:03Z last",
        "2026-01-31T15:45:04Z after",
    ).between(2, 4)

    assert [line.text for line in found] == ["first", "  at frame 1", "last"]
    assert [line.at for line in found] == [2, 2, 3]


def test_time_of_the_engine_is_removed_and_the_one_of_the_program_kept() -> None:
    found = log("2026-01-31T15:45:02.100Z 2026-01-31 15:45:02,099 ERROR x", "2026-01-31 15:45:03,099 y").between(0, 9)

    assert [line.text for line in found] == ["2026-01-31 15:45:02,099 ERROR x", "2026-01-31 15:45:03,099 y"]


def test_lines_out_of_order_stay_in_the_order_of_the_log() -> None:
    found = log("2026-01-31T15:45:05Z a", "2026-01-31T15:45:03Z b").between(4, 6)

    assert [line.text for line in found] == ["a", "b"]


def test_lines_before_the_first_time_have_none() -> None:
    found = log("banner", "2026-01-31T15:45:01Z a").between(float("-inf"), 9)

    assert [(line.text, line.at) for line in found] == [("banner", None), ("a", 1)]


def test_log_without_times_has_no_interval() -> None:
    assert log("a", "b").between(0, 9) == []


def test_unsafe_characters_are_escaped_and_colors_removed() -> None:
    found = log("2026-01-31T15:45:01Z \x1b[31mred\x1b[0m \x1b]52;c;x\x07 \u202eabc").between(0, 9)

    assert found[0].text == "red \\x1b]52;c;x\\x07 \\u202eabc"


def test_long_line_is_cut() -> None:
    [line] = log(f"2026-01-31T15:45:01Z {'x' * 5000}").between(0, 9)

    assert len(line.text) == 2001
    assert line.text.endswith("…")


@pytest.mark.parametrize(
    ("text", "severe"),
    [
        ("connection refused", True),
        ("ERROR x", True),
        ("level=error", True),
        ("request timed out", True),
        ("OOM killed", True),
        ("GET /errors 200", False),
        ("0 seconds", False),
    ],
)
def test_severe_lines_are_found_by_their_words(text: str, severe: bool) -> None:
    [line] = log(f"2026-01-31T15:45:01Z {text}").between(0, 9)

    assert line.severe is severe


def test_shortened_keeps_severe_lines_and_both_ends_in_order() -> None:
    lines = [LogLine(at=number, text=str(number), severe=number == 50) for number in range(100)]
    kept, left_out = shortened(lines, 11)

    assert [line.text for line in kept] == ["0", "1", "2", "3", "4", "50", "95", "96", "97", "98", "99"]
    assert left_out == 89
    assert shortened(lines, 100) == (tuple(lines), 0)
