"""Read seatrial's last result, and check that it is valid for a sample."""

from __future__ import annotations

from pathlib import Path

import msgspec
from seatrial.model.result import RunResult, Stage

from benchmarks.commands import Done, Failed
from benchmarks.marks import Lifetime, lifetime_in

__all__ = ["last_result", "lifetime_of_pytest", "proven", "stages_of"]

_LATEST = Path(".seatrial", "runs", "latest")


def last_result(project: Path) -> RunResult:
    """Return the result of a project's last run."""
    return msgspec.json.decode((project / _LATEST / "result.json").read_bytes(), type=RunResult)


def lifetime_of_pytest(project: Path) -> Lifetime:
    """Return the lifetime of pytest in the pod, as reported by the suite."""
    return lifetime_in((project / _LATEST / "runner-output.log").read_text(errors="replace"))


def stages_of(result: RunResult) -> dict[str, float]:
    """Return the duration of each stage; parallel stages overlap."""
    return {str(stage.stage): stage.seconds for stage in result.stages}


def proven(done: Done, result: RunResult, *, failed: int = 0, sent: int = 0) -> None:
    """Check that a run of the tests is valid for a sample.

    Args:
        done: the command.
        result: its result: some tests passed, and the proof covers the files of the working tree.
        failed: the expected number of failed tests.
        sent: the expected number of synced files.

    Raises:
        Failed: the result differs.
    """
    counts, tree = result.counts, result.tree
    went = [int(stage.facts.get("sent", 0)) for stage in result.stages if stage.stage is Stage.TEST]
    good = counts.passed and counts.failed == failed and not counts.errors and went == [sent]
    if not good or tree is None or not tree.files or tree.host != tree.pod:
        raise Failed(done, f"{failed} failed, {sent} files synced, working tree proven; got {counts}, {went}, {tree}")
