"""Verdicts on runs whose pytest, command or container was killed, or never started."""

from __future__ import annotations

from typing import Any

import pytest
from seatrial.model.errors import ExitCode
from seatrial.ports import ContainerState

from runner.frames import SESSION, exited, green, log, one_test, tally, verdict_on, whole


def test_crash_after_success_is_inconclusive() -> None:
    """The shell would not see a success of a local run either."""
    result = verdict_on(green(), exited(code=None, signal=11))

    assert result.exit is ExitCode.INCONCLUSIVE
    assert "SIGSEGV" in result.message


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (exited(code=139), "ended by SIGSEGV"),
        (exited(code=None, signal=11), "ended by SIGSEGV"),
        (exited(code=None, signal=9, oom_kills=1, memory_limit=256 << 20),
         "killed by the kernel: out of memory (limit 256 MiB)"),
        (exited(code=137, oom_kills=1), "killed by the kernel: out of memory"),
        (exited(code=0), "the process exited with 0 before pytest ended"),
        (exited(code=128), "the process exited with 128 before pytest ended"),
        (exited(code=129), "ended by SIGHUP"),
        (exited(code=None, signal=99), "ended by signal 99"),
    ],
)  # fmt: skip
def test_killed_pytest_names_its_suspect(ended: dict[str, Any], reason: str) -> None:
    """A session that died is inconclusive, with the test that ran and the cause."""
    lines = log([SESSION], [["collected", 2, 2, [], []]], *one_test("x"), [["s", "y\0\0", 1]])

    result = verdict_on(lines, ended)

    assert result.exit is ExitCode.INCONCLUSIVE
    assert (result.message, result.reason, result.suspects) == ("pytest died while running y", reason, ("y",))


def test_killed_container_names_its_suspects() -> None:
    """With xdist, several tests may have been running."""
    lines = log([SESSION], [["s", f"{name}\0\0", 1] for name in "abcde"])
    result = verdict_on(lines, None, container=ContainerState(state="gone"))

    assert result.message == "the runner died while running a, b, c and 2 more"
    assert result.reason == "the pod is gone"


@pytest.mark.parametrize(("running", "named"), [("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")])
def test_three_suspects_are_named(running: str, named: str) -> None:
    lines = log([SESSION], [["s", f"{name}\0\0", 1] for name in running])

    assert verdict_on(lines, None).message == f"the runner died while running {named}"


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (ContainerState(state="terminated", code=137, reason="OOMKilled", memory_limit="64Mi"),
         "its container was killed by the kernel: out of memory (limit 64Mi)"),
        (ContainerState(state="terminated", code=137, reason="Error"),
         "its container: Error, exit code 137 (SIGKILL)"),
        (ContainerState(state="terminated", code=129, reason="Unknown"),
         "its container: Unknown, exit code 129 (SIGHUP)"),
        (ContainerState(state="terminated", code=128), "its container: ended, exit code 128"),
        (ContainerState(state="terminated", code=0, reason="Completed"), "its container: Completed, exit code 0"),
        (ContainerState(state="waiting", reason="OOMKilled"), "its container is waiting: OOMKilled"),
        (ContainerState(state="running", reason="OOMKilled"), "its container is running: OOMKilled"),
    ],
)  # fmt: skip
def test_state_of_the_container_is_the_reason(container: ContainerState, reason: str) -> None:
    assert verdict_on(log([SESSION]), None, container=container).reason == reason


def test_killed_container_between_tests_has_no_suspect() -> None:
    """Nothing was running."""
    result = verdict_on(log([SESSION], *one_test("x")), None, container=ContainerState(state="waiting", reason="Oh"))

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
def test_run_without_a_session_uses_the_exit_code(ended: dict[str, Any] | None, expected: int) -> None:
    """A command that starts no pytest session is not a success."""
    assert verdict_on([], ended).exit == expected


@pytest.mark.parametrize(
    ("ended", "message", "reason"),
    [
        (exited(code=127, sessions=0), "the command exited with 127 before pytest started", "its output is above"),
        (exited(code=4), "usage error of pytest", "its output is above"),
        (exited(code=7), "pytest exited with 7 before its session started", "its output is above"),
        (exited(code=137), "the command was killed before pytest started", "ended by SIGKILL"),
        (exited(code=None, signal=9), "the command was killed before pytest started", "ended by SIGKILL"),
    ],
)
def test_run_without_a_session_names_the_end_of_its_command(ended: dict[str, Any], message: str, reason: str) -> None:
    result = verdict_on([], ended)

    assert (result.message, result.reason) == (message, reason)


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
    """The session continues, and xdist only reports that a worker crashed."""
    frames = [[SESSION], [["collected", 1, 1, [], []]], *one_test("x", outcome)]
    lines = whole(frames, exit_code=code, collected=1, counted=tally(**{outcome: 1}))

    result = verdict_on(lines, exited(code=code, **killed))

    assert (result.exit, result.reason) == (code, reason)


def test_memory_is_named_before_what_stopped_pytest() -> None:
    interrupt = {"type": "Interrupted", "message": "stopping after 1 failures"}
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x", "failed"), [["interrupt", interrupt]]]
    lines = whole(frames, exit_code=2, collected=2, counted=tally(failed=1))

    assert verdict_on(lines, exited(code=2, oom_kills=1)).reason.startswith("the kernel killed a process")


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

    result = verdict_on(lines, None, container=container, silent=silent)
    before = verdict_on([], None, container=container, silent=silent)

    assert (result.message, before.message) == (message, message.replace("while running x", "before pytest started"))
    assert (result.reason, before.reason) == (reason, reason)


def test_command_killed_for_memory_before_pytest_began_is_inconclusive() -> None:
    """A shell may hide the signal."""
    result = verdict_on([], exited(code=1, oom_kills=1))

    assert (result.exit, result.message) == (ExitCode.INCONCLUSIVE, "the command was killed before pytest started")


def test_interrupted_session_that_ended_has_no_suspects() -> None:
    """The end of the session is recorded, so no test killed it."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("x"), [["s", "y\0\0", 1]]]
    whole_log = whole(frames, exit_code=2, collected=2, counted=tally(passed=1))

    ended, cut = verdict_on(whole_log, interrupted=True), verdict_on(log(*frames), interrupted=True)

    assert (ended.exit, ended.message, ended.reason, ended.suspects, ended.proven) == (2, "interrupted", "", (), True)
    assert (cut.exit, cut.suspects, cut.proven) == (2, ("y",), False)
    late, cut_late = verdict_on(whole_log, out_of_time=True), verdict_on(log(*frames), out_of_time=True)
    assert (late.exit, late.reason, late.suspects, late.proven) == (11, "between tests", (), True)
    assert (cut_late.exit, cut_late.reason, cut_late.suspects, cut_late.proven) == (
        11,
        "while running y",
        ("y",),
        False,
    )
