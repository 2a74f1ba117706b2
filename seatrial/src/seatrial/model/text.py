"""Make text from pods, images and clusters safe to print: no control characters, no commands to a CI system. Pure.

Terminals obey escape sequences: OSC 52 sets the clipboard, others hide or replace lines. CI systems obey lines that
look like commands: `::error::` and `##[error]` on GitHub, `##vso[…]` on Azure Pipelines, `##teamcity[…]` on TeamCity.
GitLab's commands need escape sequences.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Final

__all__ = ["TerminalFilter", "TextFilter", "safe_json", "safe_line", "safe_text", "without_color"]

# Control characters except tab and line feed, bidirectional and invisible format characters, line separators,
# surrogates. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
_UNSAFE: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_COLOR: Final = r"\x1b\[[0-9;:]{0,32}m"
"""SGR sequence: sets color and style of the text after it, nothing else."""

_SEQUENCE: Final = re.compile(_COLOR)
_ONE_UNSAFE: Final = re.compile(f"[\t\n{_UNSAFE}]")
_ONE_UNSAFE_BUT_LINES: Final = re.compile(f"[{_UNSAFE}]")
_UNSAFE_OR_COLOR: Final = re.compile(f"\r\n?|{_COLOR}|[{_UNSAFE}]")
_COMMAND: Final = re.compile(r"^([^\S\n]*)(?=::[A-Za-z])|#(?=#[A-Za-z]{0,16}\[)", re.MULTILINE)
_UNFINISHED: Final = re.compile(r"(?:\r|\x1b(?:\[[0-9;:]{0,32})?|##?[A-Za-z]{0,16}|^[^\S\n]*::?)\Z", re.MULTILINE)
_SHORT_ESCAPES: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def safe_line(text: str) -> str:
    r"""Return a text in one line; unsafe characters become Python escapes: `\x1b`, `\n`."""
    if not text.isprintable():
        text = _ONE_UNSAFE.sub(_escaped, text)
    if "##" in text or ("::" in text and text.lstrip().startswith("::")):
        text = _COMMAND.sub(_made_ineffective, text)
    return text


def safe_text(text: str, *, colors: bool = False, starts_line: bool = True) -> str:
    """Return a text of any number of lines; unsafe characters become Python escapes, CI commands ineffective.

    A lone carriage return, which would overwrite the line, becomes a line feed.

    Args:
        text: the text.
        colors: keep sequences that set colors and style.
        starts_line: whether the text is at the beginning of a line, where it can be a command.
    """
    if not text.isprintable():
        text = _UNSAFE_OR_COLOR.sub(_colored if colors else _plain, text)
    if "##" in text or "::" in text:
        text = _COMMAND.sub(_made_ineffective, text) if starts_line else _COMMAND.sub(_made_ineffective, f"x{text}")[1:]
    return text


def safe_json(text: str) -> str:
    """Return JSON of the same value whose characters are safe to print."""
    text = _ONE_UNSAFE_BUT_LINES.sub(lambda match: json.dumps(match[0])[1:-1], text)
    return text.replace("##", r"#\u0023")


def without_color(text: str) -> str:
    """Return a text without the sequences that set colors and style."""
    return _SEQUENCE.sub("", text) if "\x1b" in text else text


class TextFilter:
    """Make a stream of bytes safe to print, in pieces of any size. Colors are kept."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""
        self._starts_line = True

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text to print now. An incomplete sequence or command at the end is held back."""
        text = self._held + self._decoder.decode(data, final)
        self._held = ""
        if not final and (unfinished := _UNFINISHED.search(text if self._starts_line else f"x{text}")):
            start = unfinished.start() - (not self._starts_line)
            text, self._held = text[:start], text[start:]
        if not text:
            return ""
        safe = safe_text(text, colors=True, starts_line=self._starts_line)
        _, newline, last = safe.rpartition("\n")
        # White space may stand before a command.
        self._starts_line = (bool(newline) or self._starts_line) and not last.strip()
        return safe


class TerminalFilter:
    """Drop control strings for the terminal emulator from the output of an interactive program.

    OSC (clipboard, title, links), DCS, APC, PM and SOS are dropped up to their end. Cursor movement and colors stay: a
    debugger edits its line by them.
    """

    def __init__(self) -> None:
        self._held = b""
        self._in_string = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes to print now. The first byte of a sequence is held back until the second arrives."""
        data, self._held = self._held + data, b""
        kept = bytearray()
        start = 0
        while start < len(data):
            if self._in_string:
                end = _STRING_END.search(data, start)
                if end is None:
                    # The last byte may begin the end of the string.
                    self._held = data[-1:] if data.endswith((b"\x1b", b"\xc2")) else b""
                    break
                self._in_string, start = False, end.end()
                continue
            begin = _STRING_BEGIN.search(data, start)
            if begin is None:
                rest = data[start:]
                if rest.endswith((b"\x1b", b"\xc2")):
                    self._held, rest = rest[-1:], rest[:-1]
                kept += rest
                break
            kept += data[start : begin.start()]
            self._in_string, start = True, begin.end()
        return bytes(kept)


# C1 control characters are two bytes in UTF-8, the first of which is 0xc2.
_STRING_BEGIN: Final = re.compile(rb"\x1b[\]PX^_]|\xc2[\x90\x98\x9d\x9e\x9f]")
_STRING_END: Final = re.compile(rb"\x07|\x1b\\|\xc2\x9c|\x18|\x1a")


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT_ESCAPES.get(character) or ascii(character)[1:-1]


def _colored(match: re.Match[str]) -> str:
    return match[0] if len(match[0]) > 1 and match[0][0] == "\x1b" else _plain(match)


def _plain(match: re.Match[str]) -> str:
    if match[0][0] == "\r":
        return "\n"
    return "".join(ascii(character)[1:-1] if character != "[" else "[" for character in match[0])


def _made_ineffective(match: re.Match[str]) -> str:
    return "#\\" if match[0] == "#" else f"{match[0]}\\"
