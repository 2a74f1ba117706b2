"""Render a page as one HTML file that loads nothing from a network; what does not fit goes into files beside it.

All texts of a run are hostile. The templates escape every value, and the page has a content security policy that allows
its own script and style by their digests and nothing else, so that a mistake in a template would not run a script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from seatrial.report.page import Bar, Lane, Page, Test, Timeline
from seatrial.report.run_files import PARTS
from seatrial.sinks import words

__all__ = ["Rendered", "clock", "prepare", "render_html"]

_INLINE: Final = 1_500_000
"""Characters of failures' details that the page contains."""

_TEMPLATES: Final = Path(__file__).with_name("templates")
_AXIS: Final = 24
_ROW: Final = 22
"""Height of the axis and of a row of the timeline in pixels, as in page.css."""

_TICKS: Final = 12
_STEPS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600)
_MINUTE: Final = 60
_OUTCOMES: Final = ("failed", "error", "unfinished", "passed", "skipped", "xfailed", "xpassed")
_KILO: Final = 1000


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered page.

    Attributes:
        page: the content of `report.html`.
        parts: path relative to the page -> content, of the files beside it.
    """

    page: str
    parts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar as the chart shows it: positions are percentages, `target` is an anchor of the page."""

    x: str
    width: str
    kind: str
    label: str
    target: str
    test: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the chart."""

    id: str
    lane: Lane
    y: int
    first: bool
    bars: tuple[_Bar, ...]


@dataclass(frozen=True, slots=True)
class _Templates:
    """The templates, and what all pages share."""

    page: Template
    part: Template
    failure: Template
    shared: dict[str, Any]


def prepare() -> None:
    """Load the templates, so that the next page takes less time."""
    _templates()


def render_html(page: Page) -> Rendered:
    """Return the HTML of a page."""
    loaded = _templates()
    bodies: dict[str, Markup] = {}
    parts: dict[str, str] = {}
    files: dict[str, str] = {}
    size = 0
    for test in page.failures:
        text = loaded.failure.render(test=test, in_page=True)
        if size + len(text) <= _INLINE:
            size += len(text)
            bodies[test.id] = Markup(text)  # noqa: S704 - the template escaped it
        else:
            parts[test.id] = f"{PARTS}/{test.id}.html"
            inner = Markup(loaded.failure.render(test=test, in_page=False))  # noqa: S704 - the same
            files[parts[test.id]] = loaded.part.render(loaded.shared, test=test, body=inner)
    rows = tuple(_rows(page))
    timeline = page.timeline
    rendered = loaded.page.render(
        loaded.shared,
        page=page,
        bodies=bodies,
        parts=parts,
        rows=rows,
        containers=[row for row in rows if row.lane.group == "containers"],
        height=_AXIS + _ROW * len(rows) + 4,
        ticks=[(_percent(at, timeline), clock(at)) for at in _ticks(timeline)],
        marks={row.id: [(_percent(mark.at, timeline), mark) for mark in row.lane.marks] for row in rows},
        span_of_tests=_span_of_tests(page.tests),
        outcomes=[outcome for outcome in _OUTCOMES if any(test.outcome == outcome for test in page.tests)],
    )
    return Rendered(rendered, files)


def clock(seconds: float) -> str:
    """Format a time after the start of the run: `12.345 s`, `2:05.300`."""
    if seconds < _MINUTE:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{int(minutes)}:{rest:06.3f}"


def _size(number: int) -> str:
    """Format a number of bytes: `12.3 kB`."""
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < _KILO:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} GB"


def _href(path: str) -> str:
    """Return the address of a file of the run; `./` keeps a colon in its name from being read as a scheme."""
    return "./" + quote(path.encode(errors="surrogateescape"))


@cache
def _templates() -> _Templates:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(duration=words.duration, clock=clock, size=_size, href=_href, fixed=_fixed)
    style, script = (_TEMPLATES / "page.css").read_text("utf-8"), (_TEMPLATES / "page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; frame-src 'self' file:;"
        " base-uri 'none'; form-action 'none'"
    )
    shared = {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704 - files of this package
    get = environment.get_template
    return _Templates(get("page.html"), get("part.html"), get("failure.html"), shared)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _fixed(seconds: float) -> str:
    return f"{seconds:.3f}"


def _percent(seconds: float, timeline: Timeline) -> str:
    """Return a position in the chart, whose width is the duration of the run."""
    return f"{100 * min(1.0, max(0.0, seconds / (timeline.seconds or 1.0))):.3f}%"


def _rows(page: Page) -> Iterator[_Row]:
    failed = {test.id for test in page.failures}
    group = ""
    for number, lane in enumerate(page.timeline.lanes):
        row = f"c{number}"
        bars = tuple(_bar(bar, _target(bar, lane, row, failed), page.timeline) for bar in lane.bars)
        yield _Row(row, lane, _AXIS + _ROW * number + 3, lane.group != group, bars)
        group = lane.group


def _target(bar: Bar, lane: Lane, row: str, failed: set[str]) -> str:
    if lane.group == "stages":
        return f"stage-{lane.name}"
    if lane.group == "tests":
        return f"{bar.target}-f" if bar.target in failed else bar.target
    return row


def _bar(bar: Bar, target: str, timeline: Timeline) -> _Bar:
    label = f"{bar.text}, {clock(bar.start)} to {clock(bar.end)}"
    width = _percent(bar.end - bar.start, timeline)
    return _Bar(_percent(bar.start, timeline), width, bar.kind, label, target, bar.target)


def _ticks(timeline: Timeline) -> Iterator[float]:
    """Yield the times on the axis, until the script of the page draws those that fit."""
    step = next((each for each in _STEPS if timeline.seconds / each <= _TICKS), _STEPS[-1])
    for number in range(int(timeline.seconds / step) + 1):
        yield number * step


def _span_of_tests(tests: tuple[Test, ...]) -> tuple[float, float] | None:
    spans = [(test.start, test.start + test.seconds) for test in tests if test.start is not None]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None
