"""Render a page as Markdown for a pull request or the page of a CI job: at most 60 lines. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from seatrial.report.page import Page, Test
from seatrial.sinks import words

__all__ = ["render_markdown"]

_LINES: Final = 60
_TESTS: Final = 10
"""Failed tests in the table."""

_FINDINGS: Final = 4
_NOTES: Final = 4
_EXPLAINED: Final = 12
"""Lines of a failure's explanation."""

_LONGEST: Final = 300
_SIGNS: Final = {"passed": "✅", "failed": "❌", "environment": "⛔", "interrupted": "⚠️", "unknown": "⚠️"}


def render_markdown(page: Page) -> str:
    """Return the Markdown of a page."""
    lines = [*_head(page), *_findings(page), *_table(page)]
    end = [*_stages(page), *(_cell(note) + "  " for note in page.notes[:_NOTES])]
    for test in page.failures:
        details = list(_details(test))
        if len(lines) + len(details) + len(end) > _LINES:
            break
        lines += details
    return "\n".join([*lines, *end]).rstrip() + "\n"


def _head(page: Page) -> Iterator[str]:
    counts = ", ".join(f"{count.number} {count.outcome}" for count in page.counts)
    verdict = f"{page.verdict.text}: {counts}" if counts else page.verdict.text
    yield f"### {_SIGNS[page.verdict.tone]} {_cell(verdict)}, in {words.duration(page.seconds)}"
    yield ""
    for label, text in (
        ("", page.verdict.fault),
        ("Reason: ", page.verdict.reason if page.verdict.reason not in page.verdict.text else ""),
        ("Hint: ", page.verdict.hint),
    ):
        if text:
            yield f"{label}{_cell(text)}"
            yield ""


def _findings(page: Page) -> Iterator[str]:
    for cause in page.findings[:_FINDINGS]:
        yield f"- **{_cell(cause.title)}**" + (f" ({_cell(cause.hint)})" if cause.hint else "")
    if page.findings:
        yield ""


def _table(page: Page) -> Iterator[str]:
    failures = page.failures
    if not failures:
        return
    yield "| failed test | at | cause |"
    yield "| --- | --- | --- |"
    for test in failures[:_TESTS]:
        place = f"{test.file}:{test.line}" if test.line else test.file
        yield f"| {_code(_short(test.nodeid))} | {_code(_short(place))} | {_cell(_short(_cause(test)))} |"
    if len(failures) > _TESTS:
        yield f"| and {len(failures) - _TESTS} more | | |"
    yield ""


def _cause(test: Test) -> str:
    assert test.failure is not None  # noqa: S101 - it failed
    message = test.failure.phases[0].message
    cause = test.failure.causes[0] if test.failure.causes else None
    return f"{cause.relation} {cause.fault}: {cause.text}. {message}" if cause else message


def _details(test: Test) -> Iterator[str]:
    assert test.failure is not None  # noqa: S101 - it failed
    phase = test.failure.phases[0]
    if len(phase.explanation) <= 1:
        return
    yield f"<details><summary>{_text(_short(test.nodeid))}</summary>"
    yield ""
    shown = [_fenced(line.text) for line in phase.explanation[:_EXPLAINED]]
    fence = "`" * max(3, 1 + max((len(run) for line in shown for run in re.findall("`+", line)), default=0))
    yield f"{fence}diff"
    yield from shown
    if len(phase.explanation) > _EXPLAINED:
        yield f"… {len(phase.explanation) - _EXPLAINED} more lines"
    yield fence
    yield ""
    if test.failure.reproduce:
        yield _code(test.failure.reproduce)
        yield ""
    yield "</details>"
    yield ""


def _stages(page: Page) -> Iterator[str]:
    yield "<details><summary>Stages</summary>"
    yield ""
    yield "| stage | outcome | time | |"
    yield "| --- | --- | ---: | --- |"
    for stage in page.stages:
        facts = ", ".join(f"{name} {value}".strip() for name, value in stage.facts)
        outcome = stage.outcome or "did not end"
        yield f"| {stage.name} | {outcome} | {words.duration(stage.seconds)} | {_cell(_short(facts))} |"
    yield ""
    yield "</details>"
    yield ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _fenced(text: str) -> str:
    """Return a line of an explanation; signs of a diff are in the first column."""
    return _short(re.sub(r"^ +([-+?])(?= |$)", r"\1", text).replace("\n", " "))


def _text(text: str) -> str:
    return html.escape(text.replace("\n", " "))


def _cell(text: str) -> str:
    """Escape the markup of Markdown, tables and HTML."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(text, quote=False).replace("\n", " "))


def _code(text: str) -> str:
    """Return a text as inline code, in which nothing but a pipe is markup of a table."""
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall(r"`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("\n", " ").replace("|", "\\|")
