"""Format an exception as pytest serializes it, and find its message, diff and place. Pure.

The data come from the pod: each field has a type, and data of another form give an empty failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seatrial.model.text import without_color
from seatrial.report.page import Phase, TraceLine, TraceLineKind

__all__ = ["phase_of", "skip_reason"]

_LINES: Final = 4000
"""Lines of a traceback that are kept: the first and the last half."""

_MESSAGE: Final = 1000
_DIFF: Final = re.compile(r"E {3,}([-+?])(?: |$)(?! +(?:where|and) )")
"""A line of a diff; pytest also writes `+  where` before the value of a part of the assertion."""

_DIFF_KINDS: Final[dict[str, TraceLineKind]] = {"-": "removed", "+": "added", "?": "hint"}
_MARKER: Final = re.compile(r"E {0,3}")
_SKIP_PARTS: Final = 3


class _Place(msgspec.Struct):
    """A line of a file, and the message there."""

    path: str = ""
    lineno: int = 0
    message: str = ""


class _Arguments(msgspec.Struct):
    args: list[tuple[str, str]] = []


class _Locals(msgspec.Struct):
    lines: list[str] = []


class _EntryData(msgspec.Struct):
    lines: list[str] = []
    reprfuncargs: _Arguments | None = None
    reprlocals: _Locals | None = None
    reprfileloc: _Place | None = None
    style: str = "long"


class _Entry(msgspec.Struct):
    data: _EntryData


class _Traceback(msgspec.Struct):
    reprentries: list[_Entry] = []
    extraline: str | None = None


class _Exception(msgspec.Struct):
    reprcrash: _Place | None = None
    reprtraceback: _Traceback | None = None
    chain: list[tuple[_Traceback, _Place | None, str | None]] | None = None

    @property
    def parts(self) -> list[tuple[_Traceback, _Place | None, str | None]]:
        """The chain of exceptions, the one that reached pytest last."""
        if self.chain:
            return self.chain
        return [(self.reprtraceback, self.reprcrash, None)] if self.reprtraceback else []


def phase_of(when: str, longrepr: Any, *, root: str, test_file: str) -> Phase:
    """Return the failed phase that pytest's `longrepr` describes.

    Args:
        when: the phase.
        longrepr: the attribute of the report: a text, or the fields of an exception.
        root: pytest's root directory in the pod.
        test_file: file of the test, relative to `root`.
    """
    if isinstance(longrepr, dict):
        try:
            exception = msgspec.convert(longrepr, _Exception, strict=False)
        except msgspec.ValidationError:
            return Phase(when=when, message="seatrial cannot read the failure that pytest reported")
        return _from_exception(when, exception, root, test_file)
    lines = [_line(text) for text in without_color(longrepr or "").splitlines()] if isinstance(longrepr, str) else []
    errors = _explanation(lines)
    message = errors[0].text.strip() if errors else lines[-1].text.strip() if lines else ""
    return Phase(when=when, message=message[:_MESSAGE], explanation=_shortened(errors), trace=_shortened(lines))


def skip_reason(longrepr: Any) -> str:
    """Return why a test was skipped."""
    if isinstance(longrepr, list) and len(longrepr) == _SKIP_PARTS:
        return str(longrepr[2]).removeprefix("Skipped: ")
    return longrepr if isinstance(longrepr, str) else ""


def _from_exception(when: str, exception: _Exception, root: str, test_file: str) -> Phase:
    lines = list(_trace(exception, root))
    # The explanation of the exception that reached pytest, not of those that it chains.
    last = list(_entries(exception.parts[-1][0], root)) if exception.parts else []
    errors = _explanation(last)
    crash = exception.reprcrash or (exception.parts[-1][1] if exception.parts else None) or _Place()
    message = without_color(crash.message).split("\n", 1)[0] or (errors[0].text if errors else "")
    place = _place_in_test(exception, root, test_file) or crash
    return Phase(
        when=when,
        message=message[:_MESSAGE],
        explanation=_shortened(errors),
        trace=_shortened(lines),
        file=_relative(place.path, root),
        line=max(0, place.lineno),
    )


def _explanation(lines: list[TraceLine]) -> tuple[TraceLine, ...]:
    """Return the lines that pytest marks as the error, without the marker and their common indentation."""
    marked = [line for line in lines if line.kind in ("error", "added", "removed", "hint")]
    texts = [_MARKER.sub("", line.text, count=1) for line in marked]
    indent = min((len(text) - len(text.lstrip()) for text in texts if text.strip()), default=0)
    return tuple(TraceLine(kind=line.kind, text=text[indent:]) for line, text in zip(marked, texts, strict=True))


def _place_in_test(exception: _Exception, root: str, test_file: str) -> _Place | None:
    """Return the last line of the test's own file in the traceback: where a reader looks first."""
    for entry in reversed(exception.parts[-1][0].reprentries if exception.parts else []):
        place = entry.data.reprfileloc
        if place and test_file and _relative(place.path, root) == test_file:
            return place
    return None


def _trace(exception: _Exception, root: str) -> Iterator[TraceLine]:
    for traceback, _, description in exception.parts:
        yield from _entries(traceback, root)
        if description:
            yield TraceLine(kind="text", text="")
            yield TraceLine(kind="text", text=without_color(description))
            yield TraceLine(kind="text", text="")


def _entries(traceback: _Traceback, root: str) -> Iterator[TraceLine]:
    for number, entry in enumerate(traceback.reprentries):
        data = entry.data
        if number and data.style == "long":
            yield TraceLine(kind="text", text="")
        for name, value in data.reprfuncargs.args if data.reprfuncargs else ():
            yield from _texts("text", f"{name} = {value}")
        for text in data.lines:
            yield from (_line(each) for each in without_color(text).splitlines() or [""])
        for text in data.reprlocals.lines if data.reprlocals else ():
            yield from _texts("text", text)
        if place := data.reprfileloc:
            yield TraceLine(kind="text", text="")
            message = without_color(place.message).split("\n", 1)[0]
            yield TraceLine(kind="location", text=f"{_relative(place.path, root)}:{place.lineno}: {message}".rstrip())
    if traceback.extraline:
        yield from _texts("text", traceback.extraline)


def _texts(kind: TraceLineKind, text: str) -> Iterator[TraceLine]:
    for line in without_color(text).splitlines():
        yield TraceLine(kind=kind, text=line)


def _line(text: str) -> TraceLine:
    """Return a line of a traceback with its kind, by the marker that pytest writes in its first column."""
    if text.startswith(("E ", "E\t")) or text == "E":
        marker = _DIFF.match(text)
        return TraceLine(kind=_DIFF_KINDS[marker[1]] if marker else "error", text=text)
    return TraceLine(kind="source" if text.startswith(">") else "text", text=text)


def _shortened(lines: list[TraceLine] | tuple[TraceLine, ...]) -> tuple[TraceLine, ...]:
    if len(lines) <= _LINES:
        return tuple(lines)
    half = _LINES // 2
    mark = TraceLine(kind="text", text=f"… {len(lines) - 2 * half} lines left out …")
    return (*lines[:half], mark, *lines[-half:])


def _relative(path: str, root: str) -> str:
    return path.removeprefix(f"{root.rstrip('/')}/")
