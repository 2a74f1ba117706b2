"""Add to the verdict of a test run what only the host knows: kept files, blame, results that were not shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from seatrial.model.blame import Blame, is_platform_only
from seatrial.model.errors import ExitCode
from seatrial.model.result import TreeProof
from seatrial.model.verdict import Verdict
from seatrial.runner.coverage import CollectedCoverage
from seatrial.runner.progress import Progress

__all__ = ["not_shown", "unmapped_files", "with_blame", "with_kept"]

_NAMED: Final = 3
"""Number of files that a warning names."""


def with_kept(verdict: Verdict, proof: TreeProof | None) -> Verdict:
    """Return a green verdict that says that the pod had files which the working tree does not have."""
    if verdict.exit is not ExitCode.PASSED or proof is None or not proof.kept:
        return verdict
    files = "1 file" if len(proof.kept) == 1 else f"{len(proof.kept)} files"
    return msgspec.structs.replace(verdict, message=f"{verdict.message} with {files} that only the pod has")


def with_blame(verdict: Verdict, blames: Sequence[Blame], progress: Progress) -> Verdict:
    """Return the verdict of failed tests that are all caused by the platform: the environment failed, not the tests."""
    if verdict.exit is not ExitCode.TESTS_FAILED or progress.collect_errors or not is_platform_only(blames):
        return verdict
    return msgspec.structs.replace(verdict, exit=ExitCode.ENVIRONMENT, message="tests failed because of the platform")


def not_shown(verdict: Verdict, reason: str) -> Verdict:
    """Return the verdict on a run whose results were not shown completely; its exit code is never 0."""
    if verdict.exit is not ExitCode.PASSED:
        reason = f"{verdict.reason}; the results were not shown: {reason}".removeprefix("; ")
        return msgspec.structs.replace(verdict, reason=reason)
    return msgspec.structs.replace(
        verdict,
        exit=ExitCode.ENVIRONMENT,
        message="all tests passed, but the host-side renderer failed and their results were not shown",
        reason=f"{reason}; see renderer-errors.log in the directory of the run",
    )


def unmapped_files(coverage: CollectedCoverage | None) -> tuple[str, ...]:
    """Return a warning if measured files are not files of the project."""
    if not coverage or not coverage.unmapped:
        return ()
    named = ", ".join(coverage.unmapped[:_NAMED])
    more = f" and {len(coverage.unmapped) - _NAMED} more" if len(coverage.unmapped) > _NAMED else ""
    what = "some" if coverage.mapped else "none"
    verb = "are not files" if coverage.mapped else "is a file"
    return (f"coverage: {what} of the measured files {verb} of the project: {named}{more}",)
