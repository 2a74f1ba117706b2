"""What the tool wrote down of its last run, and whether it is what a sample needs."""

from __future__ import annotations

from pathlib import Path

import msgspec
from seatrial.model.result import RunResult, Stage

from benchmarks.commands import Done, Failed
from benchmarks.marks import Life, life_in

__all__ = ["last_result", "life_of_pytest", "proven", "stages_of"]

_LATEST = Path(".seatrial", "runs", "latest")


def last_result(project: Path) -> RunResult:
    """Return the result of the last run of a project."""
    return msgspec.json.decode((project / _LATEST / "result.json").read_bytes(), type=RunResult)


def life_of_pytest(project: Path) -> Life:
    """Return when pytest began and ended in the pod, by its own words."""
    return life_in((project / _LATEST / "runner-output.log").read_text(errors="replace"))


def stages_of(result: RunResult) -> dict[str, float]:
    """Return the stages and how long each of them took; those that are beside each other overlap."""
    return {str(stage.stage): stage.seconds for stage in result.stages}


def proven(done: Done, result: RunResult, *, failed: int = 0, sent: int = 0) -> None:
    """Hold a run of the tests against what a sample needs.

    Args:
        done: the command.
        result: what it wrote down: some tests passed, and what ran was the tree, which has files.
        failed: so many tests failed.
        sent: so many changed files went to the pod.

    Raises:
        Failed: it is something else.
    """
    counts, tree = result.counts, result.tree
    went = [int(stage.facts.get("sent", 0)) for stage in result.stages if stage.stage is Stage.TEST]
    good = counts.passed and counts.failed == failed and not counts.errors and went == [sent]
    if not good or tree is None or not tree.files or tree.host != tree.pod:
        raise Failed(done, f"{failed} failed, {sent} files sent, the tree proven; there is {counts}, {went}, {tree}")
