"""What may be called green, and what everything else is called."""

from __future__ import annotations

import json
from typing import Any

import pytest
from seatrial.model.errors import ExitCode
from seatrial.model.verdict import Verdict
from seatrial.ports import ContainerState
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import FrameReader
from seatrial.runner.verdict_rules import Evidence, decide

from runner.frames import EXITED, SESSION, green, log, one_test, tally, whole


def concluded(lines: list[bytes], exited: dict[str, Any] | None = EXITED, **more: Any) -> Verdict:
    """Return the conclusion from a log and what else is known."""
    reader, progress = FrameReader(), Progress()
    for frame in reader.feed(b"".join(lines)):
        progress.take(frame)
    return decide(Evidence(progress=progress, broken=reader.broken, exited=exited, **more))


def exited(**changes: Any) -> dict[str, Any]:
    """Return exit.json with changes."""
    return {**EXITED, **changes}


def test_green_needs_everything() -> None:
    """Whole log, true end record, exit code 0: green."""
    result = concluded(green())

    assert (result.exit, result.proven, result.message) == (ExitCode.PASSED, True, "all tests passed")


def test_evidence_of_a_good_run_needs_no_more_than_its_records_and_its_exit() -> None:
    progress = Progress()
    for frame in FrameReader().feed(b"".join(green())):
        progress.take(frame)

    assert decide(Evidence(progress=progress, exited=EXITED)).exit is ExitCode.PASSED


def test_a_failure_is_a_failure() -> None:
    """One test failed and pytest exited with 1."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x"), *one_test("y", "failed")]
    lines = whole(frames, exit_code=1, collected=2, counted=tally(passed=1, failed=1))

    assert concluded(lines, exited(code=1)).exit is ExitCode.TESTS_FAILED


def test_a_failure_stays_one_if_the_command_hides_it() -> None:
    """`pytest || true` fails."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("y", "failed")]
    lines = whole(frames, exit_code=1, collected=1, counted=tally(failed=1))

    assert concluded(lines, exited(code=0)).exit is ExitCode.TESTS_FAILED


def test_a_failure_stays_one_if_pytest_hides_it() -> None:
    """A plugin that makes pytest end with 0 all the same does not make us."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("y", "failed")]
    lines = whole(frames, exit_code=0, collected=1, counted=tally(failed=1))

    assert concluded(lines).exit is ExitCode.TESTS_FAILED


def test_an_error_of_a_fixture_stays_one_if_pytest_hides_it() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *setup_only(a="failed")[2:]]
    counted = {"setup/failed/": 1, "teardown/passed/": 1}

    result = concluded(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.reason) == (ExitCode.TESTS_FAILED, "a plugin made pytest exit with 0")


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (2, 1), (5, 1), (10, 1), (12, 1), (14, 14), (77, 77), (130, 1)])
def test_the_command_may_fail_after_pytest(code: int, expected: int) -> None:
    """`pytest && coverage report --fail-under=90` fails when its second half does."""
    result = concluded(green(), exited(code=code))

    assert (result.exit, result.message) == (expected, f"pytest passed, but its command exited with {code}")
    assert result.proven


def test_a_crash_after_green_is_inconclusive() -> None:
    """Locally, the shell would not see a success either."""
    result = concluded(green(), exited(code=None, signal=11))

    assert result.exit is ExitCode.INCONCLUSIVE
    assert "SIGSEGV" in result.message


def test_green_without_an_exit_code_is_inconclusive() -> None:
    """The container died after the end record: nobody saw how the command ended."""
    state = ContainerState(state="terminated", code=137, reason="OOMKilled")
    result = concluded(green(), None, container=state)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.reason == "its container was killed by the kernel: out of memory"


def test_missing_tests_are_inconclusive() -> None:
    """pytest says 0, and one of the collected tests did not end."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x")]
    lines = whole(frames, exit_code=0, collected=2, counted=tally(passed=1))

    result = concluded(lines)
    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.message == "1 collected tests did not end"


def test_tests_without_a_result_are_inconclusive() -> None:
    """A hook may swallow a test: it begins and ends, and nothing is reported."""
    frames: list[list[Any]] = [[SESSION], [["collected", 1, 1, [], []]], [["s", "x\0\0", 1], ["f", "x"]]]
    lines = whole(frames, exit_code=0, collected=1, counted={})

    assert concluded(lines).message == "1 tests ended without a result"


def test_an_end_that_counts_otherwise_is_inconclusive() -> None:
    """The end record has to name exactly what arrived."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x")]

    assert concluded(whole(frames, exit_code=0, collected=1, counted=tally(passed=2))).exit is ExitCode.INCONCLUSIVE


def test_records_behind_the_end_are_inconclusive() -> None:
    """A session that went on after its end did not end there."""
    frames = [json.loads(each.split(b" ", 3)[3]) for each in green()]
    lines = log(*frames, [["s", "z\0\0", 1]])

    assert concluded(lines).reason == "pytest sent records after its end record"


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (exited(code=139), "ended by SIGSEGV"),
        (exited(code=None, signal=11), "ended by SIGSEGV"),
        (exited(code=None, signal=9, oom_kills=1, memory_limit=256 << 20),
         "killed by the kernel: out of memory (limit 256 MiB)"),
        (exited(code=137, oom_kills=1), "killed by the kernel: out of memory"),
        (exited(code=0), "the process exited with 0 before pytest ended"),
        (exited(code=None, signal=99), "ended by signal 99"),
    ],
)  # fmt: skip
def test_death_names_its_suspect(ended: dict[str, Any], reason: str) -> None:
    """A session that died is inconclusive, with the test that ran and the cause."""
    lines = log([SESSION], [["collected", 2, 2, [], []]], *one_test("x"), [["s", "y\0\0", 1]])

    result = concluded(lines, ended)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert (result.message, result.reason, result.suspects) == ("pytest died while running y", reason, ("y",))


def test_death_of_the_container_names_its_suspects() -> None:
    """With xdist, several tests may have been running."""
    lines = log([SESSION], [["s", f"{name}\0\0", 1] for name in "abcde"])
    result = concluded(lines, None, container=ContainerState(state="gone"))

    assert result.message == "the runner died while running a, b, c and 2 more"
    assert result.reason == "the pod is gone"


def test_three_suspects_are_all_named() -> None:
    lines = log([SESSION], [["s", f"{name}\0\0", 1] for name in "abc"])

    assert concluded(lines, None).message == "the runner died while running a, b, c"


def test_doubts_say_what_they_are_about() -> None:
    """With one line more only where there is more to know."""
    started = concluded([], exited(code=None, error="No such file or directory: uv"))
    twice, lost = concluded(green(), exited(sessions=2)), concluded(green(), None)
    stale, none = concluded(green(), stale="x"), concluded([], exited(code=0, sessions=0))
    doubt = concluded(whole([[SESSION]], exit_code=0, collected=0, counted={"x": 1}))

    assert (started.message, started.reason) == (
        "the test command could not be started", "No such file or directory: uv"
    )  # fmt: skip
    assert (twice.message, twice.reason) == ("the command started pytest 2 times", "a run may have one session")
    assert (lost.message, lost.reason) == ("the command's exit status was lost", "")
    assert (stale.message, stale.reason) == ("the code that ran is not the working tree", "x")
    assert (none.message, none.reason) == ("the command exited with 0, but pytest did not run", "")
    assert doubt.message == "pytest's end record does not match the received records"
    assert concluded(log([SESSION]), out_of_time=True).message == "the tests timed out"


def test_death_between_tests() -> None:
    """Nothing was running."""
    result = concluded(log([SESSION], *one_test("x")), None, container=ContainerState(state="waiting", reason="Oh"))

    assert (result.message, result.reason) == ("the runner died between tests", "its container is waiting: Oh")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (exited(code=127, sessions=0), ExitCode.ENVIRONMENT),
        (exited(code=0, sessions=0), ExitCode.INCONCLUSIVE),
        (exited(code=4), ExitCode.USAGE),
        (exited(code=3), ExitCode.PYTEST_INTERNAL),
        (exited(code=1), ExitCode.PYTEST_INTERNAL),
        (exited(code=2), ExitCode.INTERRUPTED),
        (exited(code=5), ExitCode.PYTEST_INTERNAL),
        (exited(code=7), 7),
        (exited(code=10), ExitCode.PYTEST_INTERNAL),
        (exited(code=128), ExitCode.PYTEST_INTERNAL),
        (exited(code=129), ExitCode.INCONCLUSIVE),
        (exited(code=None, signal=9), ExitCode.INCONCLUSIVE),
        (exited(code=137), ExitCode.INCONCLUSIVE),
        (exited(code=None, error="No such file or directory: uv"), ExitCode.ENVIRONMENT),
        (None, ExitCode.INCONCLUSIVE),
    ],
)
def test_no_session(ended: dict[str, Any] | None, expected: int) -> None:
    """A command that never got as far as a session is not green, and says whose fault it is."""
    assert concluded([], ended).exit == expected


def test_two_sessions_are_inconclusive() -> None:
    """A command that starts pytest twice shows one session only."""
    assert concluded(green(), exited(sessions=2)).exit is ExitCode.INCONCLUSIVE


EXIT = ["interrupt", {"type": "Exit", "message": "enough"}]


@pytest.mark.parametrize(
    ("code", "record", "expected", "message", "reason"),
    [
        (1, ["text", "x", 0, 0], 1, "tests failed", ""),
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
def test_codes_of_pytest(code: int, record: list[Any], expected: int, message: str, reason: str) -> None:
    """pytest's codes keep their meaning; those of plugins are passed on unless they mean something else here."""
    lines = whole([[SESSION], [record]], exit_code=code, collected=0, counted={})

    result = concluded(lines, exited(code=code % 256))

    assert (result.exit, result.message, result.reason, result.proven) == (expected, message, reason, True)


@pytest.mark.parametrize(("outcome", "expected"), [("failed", 1), ("passed", 2)])
def test_pytest_stopped_by_failures_is_a_failure(outcome: str, expected: int) -> None:
    """Under xdist --exitfirst ends with 2, as --stepwise does: nobody interrupted anything."""
    interrupt = {"type": "Interrupted", "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", outcome), [["interrupt", interrupt]]]
    lines = whole(frames, exit_code=2, collected=2, counted=tally(**{outcome: 1}))

    result = concluded(lines, exited(code=2))

    assert (result.exit, result.reason) == (expected, "Interrupted: stopping after 1 failures")
    assert result.message == ("tests failed" if expected == 1 else "pytest was interrupted")


def test_collection_errors_are_failures() -> None:
    """pytest ends with 2 as if somebody had interrupted it."""
    report = {"nodeid": "a.py", "outcome": "failed", "when": "collect"}
    interrupt = {"type": "Interrupted", "message": "Interrupted: 1 error during collection"}
    frames = [[SESSION], [["collect", report, 0]], [["interrupt", {**interrupt}]]]
    frames[2][0][1]["type"] = "Interrupted"
    lines = whole(frames, exit_code=2, collected=0, counted={})

    result = concluded(lines, exited(code=2))
    assert (result.exit, result.message) == (ExitCode.TESTS_FAILED, "tests could not be collected")


def test_no_tests() -> None:
    """Nothing collected is not green; and nothing may have run then."""
    nothing = whole([[SESSION], [["collected", 0, 0, [], []]]], exit_code=5, collected=0, counted={})
    some = whole([[SESSION], *one_test("x")], exit_code=5, collected=0, counted=tally(passed=1))

    assert concluded(nothing, exited(code=5)).exit is ExitCode.NO_TESTS
    assert concluded(some, exited(code=5)).exit is ExitCode.INCONCLUSIVE


def test_collect_only() -> None:
    """Collecting only is green without a result, and says that nothing ran."""
    frames = [[SESSION], [["collected", 3, 3, [], []]]]
    result = concluded(whole(frames, exit_code=0, collected=3, counted={}, collect_only=True))

    assert (result.exit, result.message) == (ExitCode.PASSED, "3 tests collected, none run")


def setup_only(**outcomes: str) -> list[list[Any]]:
    """Return the frames of a session whose tests are set up and torn down, and not called."""
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
    result = concluded(whole(setup_only(a="passed", b="passed"), exit_code=0, collected=2, counted=counted))

    assert (result.exit, result.message) == (ExitCode.PASSED, "2 tests set up or planned, none run")


def test_setup_only_with_a_test_that_never_ended_is_inconclusive() -> None:
    counted = {"setup/passed/": 1, "teardown/passed/": 1}
    frames = setup_only(a="passed")
    frames[1] = [["collected", 2, 2, [], []]]

    assert concluded(whole(frames, exit_code=0, collected=2, counted=counted)).exit is ExitCode.INCONCLUSIVE


def test_tests_without_a_call_are_inconclusive_unless_asked_for() -> None:
    """A plugin that replaces the run protocol may leave the call out."""
    frames = [[SESSION], *setup_only(a="passed")[1:]]
    counted = {"setup/passed/": 1, "teardown/passed/": 1}

    result = concluded(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "1 tests ended without a result")


def test_session_without_tests_is_not_passed() -> None:
    """A plugin may turn pytest's 5 into 0."""
    lines = whole([[SESSION], [["collected", 0, 0, [], []]]], exit_code=0, collected=0, counted={})

    result = concluded(lines)

    assert (result.exit, result.message) == (ExitCode.NO_TESTS, "no tests ran")


def test_session_with_skipped_tests_only_does_not_say_that_tests_passed() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *setup_only(a="skipped")[2:]]
    counted = {"setup/skipped/": 1, "teardown/passed/": 1}

    result = concluded(whole(frames, exit_code=0, collected=1, counted=counted))

    assert (result.exit, result.message) == (ExitCode.PASSED, "all tests were skipped")


@pytest.mark.parametrize("outcome", ["xfailed", "xpassed"])
def test_expected_failures_ran(outcome: str) -> None:
    raw = {"xfailed": "skipped", "xpassed": "passed"}[outcome]
    frames = [[SESSION], [["collected", 1, 1, [], []]], [["s", "x\0a.py\0x", 1]]]
    report = {"nodeid": "x", "when": "call", "outcome": raw, "wasxfail": "", "duration": 0}
    frames += [[["report", report]], [["f", "x"]]]

    result = concluded(whole(frames, exit_code=0, collected=1, counted={f"call/{raw}/x": 1}))

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

    assert concluded(lines).message == message


def test_test_that_is_still_running_is_inconclusive() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x"), [["s", "y\0\0", 1]]]

    result = concluded(whole(frames, exit_code=0, collected=1, counted=tally(passed=1)))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "1 collected tests did not end")


@pytest.mark.parametrize(
    ("outcome", "code"), [("passed", 0), ("failed", 1)], ids=["a process of a test", "a worker of xdist"]
)
@pytest.mark.parametrize(
    ("killed", "reason"),
    [
        ({"oom_kills": 1, "memory_limit": 64 << 20},
         "the kernel killed a process of the container: out of memory (limit 64 MiB)"),
        ({"oom_kills": 3}, "the kernel killed 3 processes of the container: out of memory"),
    ],
)  # fmt: skip
def test_processes_killed_for_memory_are_named(outcome: str, code: int, killed: dict[str, Any], reason: str) -> None:
    """The session lives on, so that xdist only says that a worker crashed."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x", outcome)]
    lines = whole(frames, exit_code=code, collected=1, counted=tally(**{outcome: 1}))

    result = concluded(lines, exited(code=code, **killed))

    assert (result.exit, result.reason) == (code, reason)


def test_memory_is_named_before_what_stopped_pytest() -> None:
    interrupt = {"type": "Interrupted", "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", "failed"), [["interrupt", interrupt]]]
    lines = whole(frames, exit_code=2, collected=2, counted=tally(failed=1))

    assert concluded(lines, exited(code=2, oom_kills=1)).reason.startswith("the kernel killed a process")


def test_stale_code_is_inconclusive() -> None:
    """All passed, but not the code that was asked for."""
    result = concluded(green(), stale="x was imported from elsewhere")

    assert (result.exit, result.reason) == (ExitCode.INCONCLUSIVE, "x was imported from elsewhere")


def test_the_order_of_causes() -> None:
    """An interrupt counts before a time-out, and both before what came in."""
    lines = log([SESSION], [["s", "x\0\0", 1]])

    assert concluded(lines, interrupted=True, out_of_time=True).exit is ExitCode.INTERRUPTED
    late = concluded(lines, out_of_time=True)
    assert (late.exit, late.reason) == (ExitCode.OUT_OF_TIME, "while running x")


@pytest.mark.parametrize(
    ("kind", "code", "expected"), [("Interrupted", 42, 42), ("Interrupted", 2, 1), ("KeyboardInterrupt", 2, 2)]
)
def test_only_pytest_that_stopped_itself_for_failures_is_a_failure(kind: str, code: int, expected: int) -> None:
    interrupt = {"type": kind, "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", "failed"), [["interrupt", interrupt]]]

    result = concluded(whole(frames, exit_code=code, collected=2, counted=tally(failed=1)), exited(code=code))

    assert result.exit == expected


@pytest.mark.parametrize(
    ("container", "silent", "message", "reason"),
    [
        (None, True, "the runner stopped answering while running x", ""),
        (ContainerState(state="running"), True, "the runner stopped answering while running x",
         "its container is running"),
        (ContainerState(state="running"), False, "the runner died while running x", "its container is running"),
        (ContainerState(state="terminated", code=1), True, "the runner died while running x",
         "its container: ended, exit code 1"),
        (ContainerState(state="terminated"), True, "the runner died while running x", "its container: ended"),
        (ContainerState(state="gone"), True, "the runner died while running x", "the pod is gone"),
        (None, False, "the runner died while running x", ""),
    ],
)  # fmt: skip
def test_silent_runner_is_not_called_dead(
    container: ContainerState | None, silent: bool, message: str, reason: str
) -> None:
    lines = log([SESSION], [["s", "x\0\0", 1]])

    result = concluded(lines, None, container=container, silent=silent)
    before = concluded([], None, container=container, silent=silent)

    assert (result.message, before.message) == (message, message.replace("while running x", "before pytest started"))
    assert (result.reason, before.reason) == (reason, reason)


def test_failed_tests_stay_failed_if_the_exit_status_was_lost() -> None:
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x", "failed")]
    lines = whole(frames, exit_code=1, collected=1, counted=tally(failed=1))

    assert concluded(lines, None).exit is ExitCode.TESTS_FAILED


def test_command_killed_for_memory_before_pytest_began_is_inconclusive() -> None:
    """A shell may hide the signal."""
    result = concluded([], exited(code=1, oom_kills=1))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "the command was killed before pytest started")


def test_interrupted_session_that_ended_has_no_suspects() -> None:
    """Its end is told, so that no test killed it; without an end, the running ones may have."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x"), [["s", "y\0\0", 1]]]
    whole_log = whole(frames, exit_code=2, collected=2, counted=tally(passed=1))

    ended, cut = concluded(whole_log, interrupted=True), concluded(log(*frames), interrupted=True)

    assert (ended.exit, ended.message, ended.reason, ended.suspects, ended.proven) == (2, "interrupted", "", (), True)
    assert (cut.exit, cut.suspects, cut.proven) == (2, ("y",), False)
    late, cut_late = concluded(whole_log, out_of_time=True), concluded(log(*frames), out_of_time=True)
    assert (late.exit, late.reason, late.suspects, late.proven) == (11, "between tests", (), True)
    assert (cut_late.exit, cut_late.reason, cut_late.suspects, cut_late.proven) == (
        11,
        "while running y",
        ("y",),
        False,
    )


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
def test_informational(ended: dict[str, Any] | None, expected: int, message: str) -> None:
    """`--help` and the like run no tests and need no session."""
    result = concluded([], ended, informational=True)

    assert (result.exit, result.message, result.proven) == (expected, message, expected != ExitCode.INCONCLUSIVE)


@pytest.mark.parametrize("more", [one_test("x"), [[["s", "x\0\0", 1]]]], ids=["ended", "running"])
def test_tests_that_ran_are_judged_whatever_was_asked(more: list[list[Any]]) -> None:
    """A command may take no notice of `--help`."""
    lines = log([SESSION], *more)

    assert concluded(lines, informational=True).exit is ExitCode.INCONCLUSIVE


def test_damage_is_inconclusive() -> None:
    """A log that is not whole proves nothing."""
    lines = green()
    lines[2] = b"x" + lines[2]

    assert concluded(lines).message == "the frame log is damaged"
