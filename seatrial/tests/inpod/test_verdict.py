"""What may be called green, and what everything else is called."""

from __future__ import annotations

import json
from typing import Any

import pytest
from seatrial.inpod.progress import Progress
from seatrial.inpod.protocol import FrameReader
from seatrial.inpod.verdict import Conclusion, Evidence, conclude
from seatrial.model.errors import ExitCode
from seatrial.ports import ContainerState

from inpod.frames import EXITED, SESSION, green, log, one_test, tally, whole


def concluded(lines: list[bytes], exited: dict[str, Any] | None = EXITED, **more: Any) -> Conclusion:
    """Return the conclusion from a log and what else is known."""
    reader, progress = FrameReader(), Progress()
    for frame in reader.feed(b"".join(lines)):
        progress.take(frame)
    return conclude(Evidence(progress=progress, broken=reader.broken, exited=exited, **more))


def exited(**changes: Any) -> dict[str, Any]:
    """Return exit.json with changes."""
    return {**EXITED, **changes}


def test_green_needs_everything() -> None:
    """Whole log, true end record, exit code 0: green."""
    result = concluded(green())

    assert (result.exit, result.proven, result.says) == (ExitCode.PASSED, True, "all tests passed")


def test_a_failure_is_a_failure() -> None:
    """One test failed and pytest ended with 1."""
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


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (2, 1), (77, 1)])
def test_the_command_may_fail_after_pytest(code: int, expected: int) -> None:
    """`pytest && coverage report --fail-under=90` fails when its second half does."""
    result = concluded(green(), exited(code=code))

    assert result.exit == expected
    assert str(code) in result.says


def test_a_crash_after_green_is_inconclusive() -> None:
    """Locally, the shell would not see a success either."""
    result = concluded(green(), exited(code=None, signal=11))

    assert result.exit is ExitCode.INCONCLUSIVE
    assert "SIGSEGV" in result.says


def test_green_without_an_exit_code_is_inconclusive() -> None:
    """The container died after the end record: nobody saw how the command ended."""
    state = ContainerState(state="terminated", code=137, reason="OOMKilled")
    result = concluded(green(), None, container=state)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.why == "its container: OOMKilled, exit code 137"


def test_missing_tests_are_inconclusive() -> None:
    """pytest says 0, and one of the collected tests never ended."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x")]
    lines = whole(frames, exit_code=0, collected=2, counted=tally(passed=1))

    result = concluded(lines)
    assert result.exit is ExitCode.INCONCLUSIVE
    assert result.says == "1 collected tests never ended"


def test_tests_without_a_result_are_inconclusive() -> None:
    """A hook may swallow a test: it begins and ends, and nothing is reported."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], [["s", "x\0\0", 1], ["f", "x"]]]
    lines = whole(frames, exit_code=0, collected=1, counted={})

    assert concluded(lines).says == "1 tests ended without a result"


def test_an_end_that_counts_otherwise_is_inconclusive() -> None:
    """The end record has to name exactly what arrived."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x")]

    assert concluded(whole(frames, exit_code=0, collected=1, counted=tally(passed=2))).exit is ExitCode.INCONCLUSIVE


def test_records_behind_the_end_are_inconclusive() -> None:
    """A session that went on after its end did not end there."""
    frames = [json.loads(each.split(b" ", 3)[3]) for each in green()]
    lines = log(*frames, [["s", "z\0\0", 1]])

    assert concluded(lines).why == "pytest went on after its end record"


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (exited(code=139), "ended by SIGSEGV"),
        (exited(code=None, signal=11), "ended by SIGSEGV"),
        (exited(code=None, signal=9, oom_kills=1, memory_limit=256 << 20),
         "killed by the kernel: out of memory (limit 256 MiB)"),
        (exited(code=137, oom_kills=1), "killed by the kernel: out of memory"),
        (exited(code=0), "the process ended with 0 without pytest's own end"),
        (exited(code=None, signal=99), "ended by signal 99"),
    ],
)  # fmt: skip
def test_death_names_its_suspect(ended: dict[str, Any], why: str) -> None:
    """A session that died is inconclusive, with the test that ran and the cause."""
    lines = log([SESSION], [["collected", 2, 2, [], []]], *one_test("x"), [["s", "y\0\0", 1]])

    result = concluded(lines, ended)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert (result.says, result.why, result.suspects) == ("pytest died while running y", why, ("y",))


def test_death_of_the_container_names_its_suspects() -> None:
    """With xdist, several tests may have been running."""
    lines = log([SESSION], [["s", f"{name}\0\0", 1] for name in "abcde"])
    result = concluded(lines, None, container=ContainerState(state="gone"))

    assert result.says == "the runner died while running a, b, c and 2 more"
    assert result.why == "the pod is gone"


def test_death_between_tests() -> None:
    """Nothing was running."""
    result = concluded(log([SESSION], *one_test("x")), None, container=ContainerState(state="waiting", reason="Oh"))

    assert (result.says, result.why) == ("the runner died between tests", "its container is waiting: Oh")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (exited(code=127, sessions=0), ExitCode.ENVIRONMENT),
        (exited(code=0, sessions=0), ExitCode.INCONCLUSIVE),
        (exited(code=4), ExitCode.USAGE),
        (exited(code=3), ExitCode.PYTEST_INTERNAL),
        (exited(code=1), ExitCode.PYTEST_INTERNAL),
        (exited(code=None, signal=9), ExitCode.INCONCLUSIVE),
        (exited(code=137), ExitCode.INCONCLUSIVE),
        (exited(code=None, error="No such file or directory: uv"), ExitCode.ENVIRONMENT),
        (None, ExitCode.INCONCLUSIVE),
    ],
)
def test_no_session(ended: dict[str, Any] | None, expected: ExitCode) -> None:
    """A command that never got as far as a session is not green, and says whose fault it is."""
    assert concluded([], ended).exit is expected


def test_two_sessions_are_inconclusive() -> None:
    """A command that starts pytest twice shows one session only."""
    assert concluded(green(), exited(sessions=2)).exit is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("code", "record", "expected"),
    [
        (2, ["interrupt", {"type": "KeyboardInterrupt", "message": "KeyboardInterrupt"}], ExitCode.INTERRUPTED),
        (7, ["interrupt", {"type": "Exit", "message": "enough"}], ExitCode.INTERRUPTED),
        (0, ["interrupt", {"type": "Exit", "message": "enough"}], ExitCode.INTERRUPTED),
        (3, ["internal", "Traceback\nRuntimeError: bad"], ExitCode.PYTEST_INTERNAL),
        (4, ["text", "x", 0, 0], ExitCode.USAGE),
        (6, ["text", "x", 0, 0], ExitCode.TESTS_FAILED),
        (42, ["text", "x", 0, 0], ExitCode.TESTS_FAILED),
    ],
)
def test_codes_of_pytest(code: int, record: list[Any], expected: ExitCode) -> None:
    """pytest's codes keep their meaning; others get one."""
    lines = whole([[SESSION], [record]], exit_code=code, collected=0, counted={})

    assert concluded(lines, exited(code=code)).exit is expected


def test_collection_errors_are_failures() -> None:
    """pytest ends with 2 as if somebody had interrupted it."""
    report = {"nodeid": "a.py", "outcome": "failed", "when": "collect"}
    interrupt = {"type": "Interrupted", "message": "Interrupted: 1 error during collection"}
    frames = [[SESSION], [["collect", report, 0]], [["interrupt", {**interrupt}]]]
    frames[2][0][1]["type"] = "Interrupted"
    lines = whole(frames, exit_code=2, collected=0, counted={})

    assert concluded(lines, exited(code=2)).exit is ExitCode.TESTS_FAILED


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

    assert (result.exit, result.says) == (ExitCode.PASSED, "3 tests collected, none run")


def test_stale_code_is_inconclusive() -> None:
    """All passed, but not the code that was asked for."""
    result = concluded(green(), stale="x was imported from elsewhere")

    assert (result.exit, result.why) == (ExitCode.INCONCLUSIVE, "x was imported from elsewhere")


def test_the_order_of_causes() -> None:
    """An interrupt counts before a time-out, and both before what came in."""
    lines = log([SESSION], [["s", "x\0\0", 1]])

    assert concluded(lines, interrupted=True, out_of_time=True).exit is ExitCode.INTERRUPTED
    late = concluded(lines, out_of_time=True)
    assert (late.exit, late.why) == (ExitCode.OUT_OF_TIME, "while running x")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [(exited(code=0), 0), (exited(code=4), 4), (exited(code=5), 5), (exited(code=9), 3), (None, 12),
     (exited(code=None, signal=9), 12)],
)  # fmt: skip
def test_informational(ended: dict[str, Any] | None, expected: int) -> None:
    """`--help` and the like run no tests and need no session."""
    assert concluded([], ended, informational=True).exit == expected


def test_damage_is_inconclusive() -> None:
    """A log that is not whole proves nothing."""
    lines = green()
    lines[2] = b"x" + lines[2]

    assert concluded(lines).says == "the log of the results is damaged"
