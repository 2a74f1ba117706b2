"""Text that is safe to print."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seatrial.model.text import TerminalFilter, TextFilter, safe_line, safe_text

HOSTILE = {
    "OSC 52 sets the clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "a title": "\x1b]0;you are root\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "conceal by cursor": "failed\x1b[6Dpassed",
    "carriage return": "FAILED\rpassed",
    "backspace": "FAILED\b\b\b\b\b\bpassed",
    "C1 control": "\x9b2J\x9d52;c;eA==\x9c",
    "bidirectional override": "\u202edessap\u202c",
    "isolates": "\u2066x\u2069",
    "line separator": "a\u2028b",
    "invisible": "pas\u200bsed\ufeff",
    "tag characters": "\U000e0041",
    "surrogate": "\udce4",
    "device control": "\x1bP1$r\x1b\\",
    "GitHub": "::error file=a.py::gone",
    "GitHub, indented": "   ::add-mask::x",
    "GitHub, older": "see ##[error]x",
    "Azure": "x ##vso[task.setvariable variable=PATH]/tmp",
    "TeamCity": "##teamcity[testFailed name='x']",
    "GitLab": "\x1b[0Ksection_start:1:x\r\x1b[0K",
}


def is_harmless(text: str, *, colors: bool = False) -> bool:
    if colors:
        text = re.sub(r"\x1b\[[0-9;:]*m", "", text)
    controls = [each for each in text if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") and each not in "\n\t"]
    hidden = [
        each for each in text if each in "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2069\ufeff\U000e0041"
    ]
    commands = [line for line in text.split("\n") if line.lstrip().startswith("::") and line.lstrip()[2:3].isalpha()]
    return not controls and not hidden and not commands and "##[" not in text and "##vso[" not in text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_safe_text_and_line_leave_nothing_that_a_terminal_or_ci_obeys(text: str) -> None:
    for safe in (safe_text(text), safe_text(text, colors=True), safe_line(text)):
        assert is_harmless(safe, colors=True), repr(safe)
        assert "teamcity" not in safe or "##teamcity[" not in safe
    assert "\n" not in safe_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "a.py::test_b[::x]",
        "::1 is an address",
        "## heading",
        "tab\tline\n",
        "naïve 日本語 👩‍💻 ✓",
        "100 %",
        "C:\\x",
    ],
)
def test_safe_text_leaves_ordinary_text_unchanged(text: str) -> None:
    assert safe_text(text) == text


def test_safe_text_keeps_colors_only_on_request() -> None:
    assert safe_text("\x1b[1;31mred\x1b[0m", colors=True) == "\x1b[1;31mred\x1b[0m"
    assert safe_text("\x1b[31mred") == "\\x1b[31mred"
    assert safe_line("\x1b[31mred") == "\\x1b[31mred"


def test_safe_text_turns_a_lone_carriage_return_into_a_line_feed() -> None:
    assert safe_text("10 %\r20 %\r\ndone") == "10 %\n20 %\ndone"


@settings(deadline=None)
@given(st.text())
def test_safe_text_makes_any_text_harmless(text: str) -> None:
    assert is_harmless(safe_text(text))
    assert is_harmless(safe_line(text))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([*HOSTILE.values(), "x\n", "a.py", "::t ", ":", "#", "\x1b", "[31m", "\n"])).map("".join),
    st.data(),
)
def test_text_filter_gives_the_same_for_pieces_of_any_size(text: str, data: st.DataObject) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    whole = TextFilter()
    expected = whole.feed(raw) + whole.feed(b"", final=True)
    pieces, cut = "", TextFilter()
    while raw:
        size = data.draw(st.integers(min_value=1, max_value=len(raw)))
        pieces += cut.feed(raw[:size])
        raw = raw[size:]
    pieces += cut.feed(b"", final=True)

    assert pieces == expected
    assert is_harmless(pieces, colors=True), repr(pieces)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x1b]52;c;eA==\x07", b"\x1b]0;title\x1b\\", b"\x1bP1$r\x1b\\", b"\x1b_apc\x1b\\", b"\x1b^pm\x1b\\",
        b"\x1bXsos\x1b\\",
        b"\xc2\x9d52;c;eA==\xc2\x9c",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_terminal_filter_keeps_cursor_and_colors_and_drops_control_strings(hostile: bytes, size: int) -> None:
    stream = b"(Pdb) \x1b[31mp\x1b[0m\x1b[K" + hostile + "é\r\n".encode() + hostile + b"end"
    screen = TerminalFilter()
    shown = b"".join(screen.feed(stream[start : start + size]) for start in range(0, len(stream), size))

    assert shown == b"(Pdb) \x1b[31mp\x1b[0m\x1b[K" + "é\r\n".encode() + b"end"
