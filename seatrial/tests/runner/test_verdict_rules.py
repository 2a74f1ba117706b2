"""Verdicts on runs whose pytest session ended, or ran no tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from seatrial.model.errors import ExitCode
from seatrial.ports import ContainerState
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import FrameReader
from seatrial.runner.verdict_rules import Evidence, decide

from runner.frames import EXITED, SESSION, exited, green, log, one_test, tally, verdict_on, whole


def test_complete_evidence_is_a_success() -> None:
    """A complete log, a matching end record and exit code 0."""
    result = verdict_on(green())

    assert (result.exit, result.proven, result.message) == (ExitCode.PASSED, True, "all tests passed")


def test_records_and_exit_are_sufficient_evidence() -> None:
    progress = Progress()
    for frame in FrameReader().feed(b"".join(green())):
        progress.take(frame)

    assert decide(Evidence(progress=progress, exited=EXITED)).exit is ExitCode.PASSED


def test_failed_test_is_a_failure() -> None:
    """One test failed and pytest exited with 1."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x"), *one_test("y", "failed")]
    lines = whole(frames, exit_code=1, collected=2, counted=tally(passed=1, failed=1))

    assert verdict_on(lines, exited(code=1)).exit is ExitCode.TESTS_FAILED


def test_failure_hidden_by_the_command_is_a_failure() -> None:
    """`pytest || true` fails."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("y", "failed")]
    lines = whole(frames, exit_code=1, collected=1, counted=tally(failed=1))

    assert verdict_on(lines, exited(code=0)).exit is ExitCode.TESTS_FAILED


def test_failure_hidden_by_pytest_is_a_failure() -> None:
    """A plugin may set pytest's exit code to 0."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("y", "failed")]
    lines = whole(frames, exit_code=0, collected=1, counted=tally(failed=1))

    assert verdict_on(lines).exit is ExitCode.TESTS_FAILED


def test_fixture_error_hidden_by_pytest_is_a_failure() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *setup_only(a="failed")[2:]]
    counted = {"setup/failed/": 1, "teardown/passed/": 1}

    result = verdict_on(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.reason) == (ExitCode.TESTS_FAILED, "a plugin made pytest exit with 0")
    assert result.proven


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (2, 1), (5, 1), (10, 1), (12, 1), (14, 14), (77, 77), (130, 1)])
def test_command_that_fails_after_pytest_decides_the_code(code: int, expected: int) -> None:
    """`pytest && coverage report --fail-under=90` fails when its second half does."""
    result = verdict_on(green(), exited(code=code))

    assert (result.exit, result.message) == (expected, f"pytest passed, but its command exited with {code}")
    assert result.proven


def test_success_without_an_exit_code_is_inconclusive() -> None:
    """The container died after the end record, so the exit status is unknown."""
    state = ContainerState(state="terminated", code=137, reason="OOMKilled")
    result = verdict_on(green(), None, container=state)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.reason == "its container was killed by the kernel: out of memory"


def test_missing_tests_are_inconclusive() -> None:
    """pytest ended with 0, but a collected test did not end."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x")]
    lines = whole(frames, exit_code=0, collected=2, counted=tally(passed=1))

    result = verdict_on(lines)
    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.message == "1 collected tests did not end"


def test_tests_without_a_result_are_inconclusive() -> None:
    """A hook may suppress the reports of a test."""
    frames: list[list[Any]] = [[SESSION], [["collected", 1, 1, [], []]], [["s", "x\0\0", 1], ["f", "x"]]]
    lines = whole(frames, exit_code=0, collected=1, counted={})

    assert verdict_on(lines).message == "1 tests ended without a result"


def test_report_that_a_plugin_adds_is_no_test_without_a_result() -> None:
    report = {"nodeid": "x::check", "when": "call", "outcome": "passed", "duration": 0}
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x"), [["report", report]]]
    counted = {**tally(passed=1), "call/passed/": 2}

    assert verdict_on(whole(frames, exit_code=0, collected=1, counted=counted)).message == "all tests passed"


def test_end_record_with_other_counts_is_inconclusive() -> None:
    """The end record must have the counts of the received records."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x")]

    assert verdict_on(whole(frames, exit_code=0, collected=1, counted=tally(passed=2))).exit is ExitCode.INCONCLUSIVE


def test_records_after_the_end_record_are_inconclusive() -> None:
    """Records after the end record contradict it."""
    frames = [json.loads(each.split(b" ", 3)[3]) for each in green()]
    lines = log(*frames, [["s", "z\0\0", 1]])

    assert verdict_on(lines).reason == "pytest sent records after its end record"


def test_messages_name_their_reasons() -> None:
    """A second line only if there is a reason."""
    started = verdict_on([], exited(code=None, error="No such file or directory: uv"))
    twice, lost = verdict_on(green(), exited(sessions=2)), verdict_on(green(), None)
    stale, none = verdict_on(green(), stale="x"), verdict_on([], exited(code=0, sessions=0))
    doubt = verdict_on(whole([[SESSION]], exit_code=0, collected=0, counted={"x": 1}))

    assert (started.message, started.reason) == (
        "the test command could not be started", "No such file or directory: uv"
    )  # fmt: skip
    assert (twice.message, twice.reason) == ("the command started pytest 2 times", "a run may have one session")
    assert (lost.message, lost.reason) == ("the command's exit status was lost", "")
    assert (stale.message, stale.reason) == ("the code that ran is not the working tree", "x")
    assert (none.message, none.reason) == ("the command exited with 0, but pytest did not run", "")
    assert doubt.message == "pytest's end record does not match the received records"
    assert verdict_on(log([SESSION]), out_of_time=True).message == "the tests timed out"


def test_two_sessions_are_inconclusive() -> None:
    """A command that starts pytest twice shows one session only."""
    assert verdict_on(green(), exited(sessions=2)).exit is ExitCode.INCONCLUSIVE


EXIT = ["interrupt", {"type": "Exit", "message": "enough"}]


@pytest.mark.parametrize(
    ("code", "record", "expected", "message", "reason"),
    [
        (1, ["text", "x", 0, 0], 1, "tests failed", ""),
        (1, ["internal", "Traceback\nRuntimeError: bad"], 1, "tests failed", ""),
        (1, ["interrupt", {"type": "Interrupted", "message": "x"}], 1, "tests failed", ""),
        (2, ["interrupt", {"type": "KeyboardInterrupt", "message": "x"}], 2, "pytest was interrupted",
         "KeyboardInterrupt: x"),
        (2, ["interrupt", {"type": "Interrupted", "message": "a plugin's"}], 2, "pytest was interrupted",
         "Interrupted: a plugin's"),
        (3, ["internal", "Traceback\nRuntimeError: bad"], 3, "internal error of pytest", "RuntimeError: bad"),
        (4, ["text", "x", 0, 0], 4, "usage error of pytest", ""),
        (5, ["text", "x", 0, 0], 5, "no tests were collected", ""),
        (6, ["text", "x", 0, 0], 6, "too many warnings", ""),
        (9, ["text", "x", 0, 0], 9, "pytest exited with 9", ""),
        (10, ["text", "x", 0, 0], 1, "pytest exited with 10", ""),
        (13, ["text", "x", 0, 0], 1, "pytest exited with 13", ""),
        (14, ["text", "x", 0, 0], 14, "pytest exited with 14", ""),
        (42, ["text", "x", 0, 0], 42, "pytest exited with 42", ""),
        (125, ["text", "x", 0, 0], 125, "pytest exited with 125", ""),
        (126, ["text", "x", 0, 0], 1, "pytest exited with 126", ""),
        (256, ["text", "x", 0, 0], 1, "pytest exited with 256", ""),
        (-1, ["text", "x", 0, 0], 1, "pytest exited with -1", ""),
        (2, EXIT, 2, "pytest.exit() ended pytest with 2", "Exit: enough"),
        (1, EXIT, 1, "pytest.exit() ended pytest with 1", "Exit: enough"),
        (5, EXIT, 5, "pytest.exit() ended pytest with 5", "Exit: enough"),
        (7, EXIT, 7, "pytest.exit() ended pytest with 7", "Exit: enough"),
        (12, EXIT, 1, "pytest.exit() ended pytest with 12", "Exit: enough"),
        (0, EXIT, 2, "pytest.exit() ended pytest", "Exit: enough"),
    ],
)  # fmt: skip
def test_exit_code_of_pytest_decides_the_verdict(
    code: int, record: list[Any], expected: int, message: str, reason: str
) -> None:
    """pytest's codes keep their meaning. Those of plugins are passed on unless seatrial uses them."""
    lines = whole([[SESSION], [record]], exit_code=code, collected=0, counted={})

    result = verdict_on(lines, exited(code=code % 256))

    assert (result.exit, result.message, result.reason, result.proven) == (expected, message, reason, True)


@pytest.mark.parametrize(("outcome", "expected"), [("failed", 1), ("passed", 2)])
def test_pytest_stopped_by_failures_is_a_failure(outcome: str, expected: int) -> None:
    """--exitfirst with xdist and --stepwise end with 2 without Ctrl-C."""
    interrupt = {"type": "Interrupted", "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", outcome), [["interrupt", interrupt]]]
    lines = whole(frames, exit_code=2, collected=2, counted=tally(**{outcome: 1}))

    result = verdict_on(lines, exited(code=2))

    assert (result.exit, result.reason) == (expected, "Interrupted: stopping after 1 failures")
    assert result.message == ("tests failed" if expected == 1 else "pytest was interrupted")


def test_collection_errors_are_failures() -> None:
    """pytest ends with 2, as after Ctrl-C."""
    report = {"nodeid": "a.py", "outcome": "failed", "when": "collect"}
    interrupt = {"type": "Interrupted", "message": "Interrupted: 1 error during collection"}
    frames = [[SESSION], [["collect", report, 0]], [["interrupt", {**interrupt}]]]
    frames[2][0][1]["type"] = "Interrupted"
    lines = whole(frames, exit_code=2, collected=0, counted={})

    result = verdict_on(lines, exited(code=2))
    assert (result.exit, result.message) == (ExitCode.TESTS_FAILED, "tests could not be collected")


def test_no_collected_tests_is_an_exit_code_of_its_own() -> None:
    """No collected test is not a success, and no test may have run then."""
    nothing = whole([[SESSION], [["collected", 0, 0, [], []]]], exit_code=5, collected=0, counted={})
    some = whole([[SESSION], *one_test("x")], exit_code=5, collected=0, counted=tally(passed=1))

    assert verdict_on(nothing, exited(code=5)).exit is ExitCode.NO_TESTS
    assert verdict_on(some, exited(code=5)).exit is ExitCode.INCONCLUSIVE


def test_collect_only_is_a_success_without_tests() -> None:
    """--collect-only succeeds without results, and the verdict says that no tests ran."""
    frames = [[SESSION], [["collected", 3, 3, [], []]]]
    result = verdict_on(whole(frames, exit_code=0, collected=3, counted={}, collect_only=True))

    assert (result.exit, result.message) == (ExitCode.PASSED, "3 tests collected, none run")


def setup_only(**outcomes: str) -> list[list[Any]]:
    """Return the frames of a session whose tests are set up and torn down, but not called."""
    session = ["session", {"version": 1, "options": {"setuponly": True}}]
    frames: list[list[Any]] = [[session], [["collected", len(outcomes), len(outcomes), [], []]]]
    for name, outcome in outcomes.items():
        frames.append([["s", f"{name}\0a.py\0x", 1]])
        for when, each in (("setup", outcome), ("teardown", "passed")):
            frames.append([["report", {"nodeid": name, "when": when, "outcome": each, "duration": 0.1}]])
        frames.append([["f", name]])
    return frames


def test_setup_only_runs_no_tests_and_does_not_call_them_passed() -> None:
    """`--setup-only` and `--setup-plan` end with 0, as with pytest."""
    counted = {"setup/passed/": 2, "teardown/passed/": 2}
    result = verdict_on(whole(setup_only(a="passed", b="passed"), exit_code=0, collected=2, counted=counted))

    assert (result.exit, result.message) == (ExitCode.PASSED, "2 tests set up or planned, none run")


def test_setup_only_with_a_test_that_never_ended_is_inconclusive() -> None:
    counted = {"setup/passed/": 1, "teardown/passed/": 1}
    frames = setup_only(a="passed")
    frames[1] = [["collected", 2, 2, [], []]]

    assert verdict_on(whole(frames, exit_code=0, collected=2, counted=counted)).exit is ExitCode.INCONCLUSIVE


def test_tests_without_a_call_are_inconclusive_unless_asked_for() -> None:
    """A plugin that replaces the run protocol may omit the call."""
    frames = [[SESSION], *setup_only(a="passed")[1:]]
    counted = {"setup/passed/": 1, "teardown/passed/": 1}

    result = verdict_on(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "1 tests ended without a result")


def test_session_without_tests_is_not_passed() -> None:
    """A plugin may turn pytest's 5 into 0."""
    lines = whole([[SESSION], [["collected", 0, 0, [], []]]], exit_code=0, collected=0, counted={})

    result = verdict_on(lines)

    assert (result.exit, result.message) == (ExitCode.NO_TESTS, "no tests ran")


def test_session_with_skipped_tests_only_does_not_say_that_tests_passed() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *setup_only(a="skipped")[2:]]
    counted = {"setup/skipped/": 1, "teardown/passed/": 1}

    result = verdict_on(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.message) == (ExitCode.PASSED, "all tests were skipped")


@pytest.mark.parametrize("outcome", ["xfailed", "xpassed"])
def test_expected_failures_ran(outcome: str) -> None:
    raw = {"xfailed": "skipped", "xpassed": "passed"}[outcome]
    frames = [[SESSION], [["collected", 1, 1, [], []]], [["s", "x\0a.py\0x", 1]]]
    report = {"nodeid": "x", "when": "call", "outcome": raw, "wasxfail": "", "duration": 0}
    frames += [[["report", report]], [["f", "x"]]]

    result = verdict_on(whole(frames, exit_code=0, collected=1, counted={f"call/{raw}/x": 1}))

    assert (result.exit, result.message) == (ExitCode.PASSED, "all tests passed")


@pytest.mark.parametrize(
    ("collected", "ran", "message"),
    [
        ((2, 1), ["x", "x"], "all tests passed"),
        ((2, 1), ["x"], "1 collected tests did not end"),
        ((2, 2), ["x", "x"], "1 collected tests did not end"),
        ((3, 2), ["x", "y", "x"], "all tests passed"),
        ((3, 2), ["x", "x", "x"], "1 collected tests did not end"),
        ((2, 2), ["x", "y", "x", "y"], "all tests passed"),
        ((4, 1), ["x"], "3 collected tests did not end"),
        ((4, 4), ["x", "x", "x"], "3 collected tests did not end"),
        ((1, 1), ["x", "y"], "all tests passed"),
    ],
)
@pytest.mark.parametrize("kind", ["collected", "count"])
def test_each_test_has_to_end_as_often_as_it_was_collected(
    collected: tuple[int, int], ran: list[str], message: str, kind: str
) -> None:
    """--keep-duplicates collects one test twice; --dist=each runs all tests on each worker."""
    told = [kind, *collected, [], []] if kind == "collected" else [kind, *collected]
    frames = [[SESSION], [told], *(frame for name in ran for frame in one_test(name))]
    lines = whole(frames, exit_code=0, collected=collected[0], counted=tally(passed=len(ran)))

    assert verdict_on(lines).message == message


def test_test_that_is_still_running_is_inconclusive() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x"), [["s", "y\0\0", 1]]]

    result = verdict_on(whole(frames, exit_code=0, collected=1, counted=tally(passed=1)))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "1 collected tests did not end")


def test_stale_code_is_inconclusive() -> None:
    """All tests passed, but with other code."""
    result = verdict_on(green(), stale="x was imported from elsewhere")

    assert (result.exit, result.reason) == (ExitCode.INCONCLUSIVE, "x was imported from elsewhere")


def test_interrupt_and_timeout_take_precedence() -> None:
    """An interruption takes precedence over a timeout, and both over the results."""
    lines = log([SESSION], [["s", "x\0\0", 1]])

    assert verdict_on(lines, interrupted=True, out_of_time=True).exit is ExitCode.INTERRUPTED
    late = verdict_on(lines, out_of_time=True)
    assert (late.exit, late.reason) == (ExitCode.OUT_OF_TIME, "while running x")


@pytest.mark.parametrize(
    ("kind", "code", "expected", "reason"),
    [
        ("Interrupted", 42, 42, ""),
        ("Interrupted", 2, 1, "Interrupted: stopping after 1 failures"),
        ("Interrupted", 1, 1, ""),
        ("KeyboardInterrupt", 2, 2, "KeyboardInterrupt: stopping after 1 failures"),
    ],
)
def test_only_pytest_that_stopped_itself_for_failures_is_a_failure(
    kind: str, code: int, expected: int, reason: str
) -> None:
    interrupt = {"type": kind, "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", "failed"), [["interrupt", interrupt]]]

    result = verdict_on(whole(frames, exit_code=code, collected=2, counted=tally(failed=1)), exited(code=code))

    assert (result.exit, result.reason) == (expected, reason)


def test_failed_tests_stay_failed_if_the_exit_status_was_lost() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x", "failed")]
    lines = whole(frames, exit_code=1, collected=1, counted=tally(failed=1))

    assert verdict_on(lines, None).exit is ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("ended", "expected", "message"),
    [
        (exited(code=0), 0, "pytest printed information; no tests ran"),
        (exited(code=5), 5, "pytest printed information; no tests ran"),
        (exited(code=4), 4, "usage error of pytest"),
        (exited(code=9), 9, "pytest exited with 9"),
        (exited(code=11), 1, "pytest exited with 11"),
        (None, 12, "the exit of pytest is unknown"),
        (exited(code=None, signal=9), 12, "the exit of pytest is unknown"),
    ],
)
def test_information_option_uses_the_exit_code(ended: dict[str, Any] | None, expected: int, message: str) -> None:
    """`--help` and the like run no tests and need no session."""
    result = verdict_on([], ended, informational=True)

    assert (result.exit, result.message, result.proven) == (expected, message, expected != ExitCode.INCONCLUSIVE)


@pytest.mark.parametrize("more", [one_test("x"), [[["s", "x\0\0", 1]]]], ids=["ended", "running"])
def test_tests_that_ran_decide_the_verdict_of_an_information_option(more: list[list[Any]]) -> None:
    """A command may ignore `--help`."""
    lines = log([SESSION], *more)

    assert verdict_on(lines, informational=True).exit is ExitCode.INCONCLUSIVE


def test_damaged_log_is_inconclusive() -> None:
    """An incomplete log is not a success."""
    lines = green()
    lines[2] = b"x" + lines[2]

    assert verdict_on(lines).message == "the frame log is damaged"
