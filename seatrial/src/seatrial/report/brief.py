"""Render a page as a brief for a coding agent: at most about 2,000 tokens of plain text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seatrial.report.page import Failure, LogLine, Page, Test
from seatrial.sinks import words

__all__ = ["render_brief"]

_BYTES: Final = 6000
"""About 2,000 tokens: a token of code and logs has three bytes or more."""

_EXPLAINED: Final = 12
"""Lines of the first failure's explanation; those of later failures get fewer."""

_LOG_LINES: Final = 10
_EVIDENCE: Final = 3
_LONGEST: Final = 240
_LONGEST_COMMAND: Final = 1000
"""Characters of the command to reproduce; a command that is cut reproduces nothing."""


def render_brief(page: Page) -> str:
    """Return the brief of a page."""
    head = [*_head(page)]
    logs = _logs(page)
    end = [*(["log lines that matter:", *logs] if logs else []), *_end(page)]
    room = _BYTES - _size(head) - _size(end)
    lines: list[str] = []
    for number, test in enumerate(page.failures):
        explained = max(2, _EXPLAINED // (number + 1))
        told = list(_failure(test, explained))
        rest = len(page.failures) - number
        if _size(lines) + _size(told) > room:
            lines.append(f"and {rest} more failed tests")
            break
        lines += told
    return "\n".join((*head, *lines, *end)) + "\n"


def _head(page: Page) -> Iterator[str]:
    counts = ", ".join(f"{count.number} {count.outcome}" for count in page.counts)
    code = f" (exit code {page.verdict.exit})" if page.verdict.exit is not None else ""
    yield _short(f"verdict: {page.verdict.text}{code}" + (f": {counts}" if counts else ""))
    for label, text in (
        ("fault", page.verdict.fault),
        ("reason", page.verdict.reason),
        ("hint", page.verdict.hint),
        ("log", page.verdict.log),
    ):
        if text:
            yield _short(f"{label}: {text}")
    failed = [stage for stage in page.stages if stage.outcome in ("failed", "interrupted", "")]
    for stage in failed:
        yield f"stage {stage.name}: {stage.outcome or 'did not end'} after {words.duration(stage.seconds)}"
    for cause in page.findings[:_EVIDENCE]:
        yield _short(f"finding: {cause.title}")
        yield from (_short(f"  | {line}") for line in cause.evidence[-_EVIDENCE:])
        if cause.hint:
            yield _short(f"  hint: {cause.hint}")


def _failure(test: Test, explained: int) -> Iterator[str]:
    failure = test.failure or Failure()
    yield _short(f"{test.outcome.upper()} {test.nodeid}")
    for cause in failure.causes[:2]:
        yield _short(f"  {cause.relation} {cause.fault}: {cause.text}; evidence: {'; '.join(cause.links)}")
    for phase in failure.phases:
        place = f"{phase.file}:{phase.line}" if phase.file and phase.line else f"{test.file}:{test.line}"
        yield _short(f"  at {place} in {phase.when}: {phase.message}")
        rest = phase.explanation[1:] if len(phase.explanation) > 1 else ()
        yield from (_short(f"    {line.text}") for line in rest[:explained])
    for incident in [each for each in failure.incidents if each.warning][-_EVIDENCE:]:
        yield _short(f"  cluster at {incident.at:.1f} s: {incident.subject} {incident.text}")


def _logs(page: Page) -> list[str]:
    """Return the lines of services' logs that matter most: errors of services that failed tests asked for, first."""
    ranked: list[tuple[bool, bool, str, LogLine]] = []
    for test in page.failures:
        for excerpt in (test.failure or Failure()).logs:
            asked = excerpt.service in test.concerned
            ranked += [(not line.severe, not asked, excerpt.source, line) for line in excerpt.lines]
    ranked.sort(key=lambda each: each[:2])
    chosen: list[tuple[str, LogLine]] = []
    for _, _, source, line in ranked:
        if (source, line) not in chosen:
            chosen.append((source, line))
        if len(chosen) == _LOG_LINES:
            break
    chosen.sort(key=lambda each: each[1].at or 0.0)
    return [_short(f"  {line.at or 0.0:.3f} s {source}: {line.text}") for source, line in chosen]


def _end(page: Page) -> Iterator[str]:
    for test in page.failures[:1]:
        if test.failure and test.failure.reproduce:
            yield _short(f"reproduce: {test.failure.reproduce}", _LONGEST_COMMAND)
    yield f"run: {page.run}, {words.duration(page.seconds)}; its directory has report.html, junit.xml and logs/"


def _short(text: str, longest: int = _LONGEST) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= longest else f"{line[:longest]}…"


def _size(lines: list[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
