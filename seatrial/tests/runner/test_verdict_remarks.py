"""What the host adds to the verdict of a test run."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.model.blame import Blame, Cause, Fault
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import TreeProof
from seatrial.model.verdict import Verdict
from seatrial.runner.coverage import CollectedCoverage
from seatrial.runner.progress import Progress
from seatrial.runner.verdict_remarks import not_shown, unmapped_files, with_blame, with_kept

PASSED = Verdict(exit=ExitCode.PASSED, message="all tests passed", proven=True)
FAILED = Verdict(exit=ExitCode.TESTS_FAILED, message="1 test failed", reason="see above", proven=True)


@pytest.mark.parametrize(
    ("verdict", "kept", "message"),
    [
        (PASSED, ("a",), "all tests passed with 1 file that only the pod has"),
        (PASSED, ("a", "b"), "all tests passed with 2 files that only the pod has"),
        (PASSED, (), "all tests passed"),
        (FAILED, ("a",), "1 test failed"),
    ],
)
def test_success_names_files_that_only_the_pod_has(verdict: Verdict, kept: tuple[str, ...], message: str) -> None:
    assert with_kept(verdict, TreeProof(host="1", pod="1", files=3, kept=kept)).message == message
    assert with_kept(verdict, None) is verdict


def blame(fault: Fault, *, proven: bool = True) -> Blame:
    finding = Finding(cause="NodeLost", subject=ObjectRef(kind="Node", name="n"), message="m")
    word = "caused by" if proven else "coincided with"
    return Blame(nodeid="a", fault=fault, causes=(Cause(word=word, fault=fault, finding=finding),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "blames", "collect_errors", "expected"),
    [
        (FAILED, [blame(Fault.PLATFORM)], 0, ExitCode.ENVIRONMENT),
        (FAILED, [blame(Fault.PLATFORM), blame(Fault.SERVICE)], 0, ExitCode.TESTS_FAILED),
        (FAILED, [blame(Fault.PLATFORM, proven=False)], 0, ExitCode.TESTS_FAILED),
        (FAILED, [], 0, ExitCode.TESTS_FAILED),
        (FAILED, [blame(Fault.PLATFORM)], 1, ExitCode.TESTS_FAILED),
        (PASSED, [blame(Fault.PLATFORM)], 0, ExitCode.PASSED),
    ],
)
def test_exit_code_is_that_of_the_environment_if_the_platform_caused_all_failures(
    verdict: Verdict, blames: list[Blame], collect_errors: int, expected: ExitCode
) -> None:
    assert with_blame(verdict, blames, Progress(collect_errors=collect_errors)).exit is expected


def test_success_that_was_not_shown_is_not_a_success() -> None:
    verdict = not_shown(PASSED, "killed by signal 9")

    assert verdict.exit is ExitCode.ENVIRONMENT
    assert verdict.reason == "killed by signal 9; see renderer-errors.log in the directory of the run"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("see above", "see above; the results were not shown: x"), ("", "the results were not shown: x")],
)
def test_failure_that_was_not_shown_keeps_exit_code_and_reason(reason: str, expected: str) -> None:
    verdict = not_shown(Verdict(exit=ExitCode.TESTS_FAILED, message="1 test failed", reason=reason), "x")

    assert (verdict.exit, verdict.message, verdict.reason) == (ExitCode.TESTS_FAILED, "1 test failed", expected)


@pytest.mark.parametrize(
    ("mapped", "unmapped", "warning"),
    [
        (0, ("/x.py",), "none of the measured files is a file of the project: /x.py"),
        (1, ("/x.py",), "some of the measured files are not files of the project: /x.py"),
        (1, ("1", "2", "3"), "some of the measured files are not files of the project: 1, 2, 3"),
        (1, ("1", "2", "3", "4"), "some of the measured files are not files of the project: 1, 2, 3 and 1 more"),
    ],
)
def test_measured_files_outside_of_the_project_give_one_warning(
    mapped: int, unmapped: tuple[str, ...], warning: str
) -> None:
    collected = CollectedCoverage(data=Path("x"), xml=None, mapped=mapped, unmapped=unmapped)

    assert unmapped_files(collected) == (f"coverage: {warning}",)


def test_mapped_coverage_gives_no_warning() -> None:
    assert unmapped_files(None) == ()
    assert unmapped_files(CollectedCoverage(data=Path("x"), xml=None, mapped=1, unmapped=())) == ()
