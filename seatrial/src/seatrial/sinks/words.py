"""Format durations, counts, findings and verdicts, the same in every renderer. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from seatrial.model.blame import blame_summary
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding
from seatrial.model.result import Counts, Outcome, RunResult, Stage

__all__ = [
    "counts",
    "duration",
    "evidence",
    "facts",
    "finding",
    "last_line",
    "outcome",
    "pod_files",
    "problem",
    "relative",
    "remarks",
    "waiting",
]

_EVIDENCE_SHOWN = 12
_MINUTE = 60
_LONG = 100
_NAMED = 5
"""Files that a line names."""
_GB = 10**9


def duration(seconds: float) -> str:
    """Format a duration: `0.42 s`, `21.4 s`, `3 min 05 s`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < _LONG:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02d} s"


def counts(of: Counts) -> str:
    """Format the numbers of tests by outcome, failures first: `1 failed, 59 passed, 2 not run: stand-in`.

    pytest counts a test that is not run among the skipped ones. Here each test counts once.
    """
    parts = [
        (of.failed, "failed"),
        (of.errors, "error" if of.errors == 1 else "errors"),
        (of.passed, "passed"),
        (of.skipped - sum(of.not_run.values()), "skipped"),
        (of.xfailed, "xfailed"),
        (of.xpassed, "xpassed"),
        (of.deselected, "deselected"),
        *((number, f"not run: {reason}") for reason, number in of.not_run.items()),
    ]
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "no tests"


def facts(of: dict[str, str]) -> str:
    """Format the facts of a stage in one line: `nodes 2, version v1.34.4`."""
    return ", ".join(f"{name} {value}".strip() for name, value in of.items())


def outcome(of: Outcome) -> str:
    """Format how a stage ended."""
    return "FAILED" if of is Outcome.FAILED else str(of)


def finding(of: Finding) -> str:
    """Format the first line of a finding: its object, cause and message."""
    message = of.message if of.message.startswith(of.cause) else f"{of.cause}: {of.message}"
    return f"{of.subject}: {message}"


def evidence(of: Finding) -> list[str]:
    """Format the last lines of the evidence of a finding, what it leads to, and its hint."""
    lines = [line for text in of.evidence for line in text.splitlines()]
    shown = [f"| {line}" for line in lines[-_EVIDENCE_SHOWN:]]
    return shown + [f"leads to {text}" for text in of.leads_to] + ([f"hint: {of.hint}"] if of.hint else [])


def waiting(name: str, waits_for: str) -> str:
    """Format what a service waits for: `web waits for 1 of 2 pods`, `web waits to be created`."""
    return f"{name} waits {waits_for}" if waits_for.startswith("to ") else f"{name} waits for {waits_for}"


def problem(result: RunResult, findings: Collection[Finding]) -> list[str]:
    """Format reason, hint and log of the problem that stopped a run, without what its findings showed already."""
    if result.problem is None:
        return []
    shown = {text for each in findings for text in (each.message, each.hint)}
    lines = {"reason": result.problem.reason, "hint": result.problem.hint, "log": relative(result.problem.log)}
    return [f"{label}: {text}" for label, text in lines.items() if text and text not in shown]


def relative(path: str) -> str:
    """Return a path relative to the working directory if it is below that."""
    return path.removeprefix(f"{Path.cwd()}{os.sep}")


def remarks(result: RunResult) -> list[str]:
    """Format the remarks before the verdict: reports, stand-in images, memory and disk, a kept environment."""
    lines = [f"report: {relative(path)}" for path in result.reports]
    lines += filter(None, [blame_summary(result.blame)])
    lines += pod_files(result)
    lines += [f"{used.reference} stands in for {used.stands_in_for}" for used in result.images if used.stands_in_for]
    if result.images_size:
        needed = f"memory {result.peak_memory / _GB:.1f} GB at most, " if result.peak_memory else ""
        lines.append(f"{needed}images {result.images_size / _GB:.1f} GB")
        # Not in an environment that was reused, and not where a teardown failed.
        if result.kept and all(each.stage is not Stage.TEARDOWN for each in result.stages):
            lines.append("environment kept. Run tests in it: seatrial test. Remove it: seatrial down")
    return lines


def pod_files(result: RunResult) -> list[str]:
    """Return what became of files that only the pod had, and of those that the run changed there."""
    lines = []
    if result.tree is not None and result.tree.kept:
        lines.append(f"the tests ran with {_files(result.tree.kept, 'that only the pod has')}")
    changes = result.pod_changes
    if changes is None:
        return lines
    if changes.collected:
        lines.append(_files(changes.collected, "copied from the pod into the working tree"))
    # Where the environment was removed, or its pod died, nothing is left for a next run.
    goes_on = result.kept and changes.stays and all(each.stage is not Stage.TEARDOWN for each in result.stages)
    for paths, what, next_run in (
        (changes.created, "changed in the pod", " {stay} there"),
        (changes.changed, "of the working tree changed in the pod", "; the next run resets {them}"),
        (changes.discarded, "created in the pod that Python or pytest may load", "; the next run deletes {them}"),
    ):
        one = len(paths) == 1
        following = next_run.format(stay="stays" if one else "stay", them="it" if one else "them")
        if paths:
            lines.append(_files(paths, what + (following if goes_on else "")))
    if changes.copies and (changes.created or changes.changed or changes.discarded):
        hint = "[runner] collect-into-tree can copy them to the working tree"
        lines.append(f"copies: {relative(changes.copies)}; {hint}")
    return lines


def _files(paths: Sequence[str], what: str) -> str:
    """Return a number of files and the names of the first ones: `3 files changed in the pod: a, b, c`."""
    named = ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")
    return f"{len(paths)} {'file' if len(paths) == 1 else 'files'} {what}: {named}"


def last_line(result: RunResult, directory: str) -> str:
    """Format the last line of a run: verdict, counts, duration, directory of its files."""
    tested = result.counts != Counts() or result.exit is ExitCode.NO_TESTS
    verdict = f"{result.verdict}: {counts(result.counts)}" if tested else result.verdict
    return f"{verdict}, in {duration(result.seconds)}" + (f"; files in {relative(directory)}" if directory else "")
