"""A run's command that is in the pod before its turn: taken where it waits, else left without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.ports import StreamBroken
from seatrial.runner import prestarted_exec
from seatrial.runner.prestarted_exec import PrestartedExec

from runner.bench import Bench
from runner.local_pod import LocalPod, StartedHere


class NoPod:
    """A pod that starts no commands."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> StartedHere:
        raise self.error


class Recorded:
    """A pod that starts commands in another pod once it is allowed to, and records them."""

    def __init__(self, pod: LocalPod) -> None:
        self.pod = pod
        self.may = threading.Event()
        self.made: list[StartedHere] = []

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> StartedHere:
        assert self.may.wait(timeout)
        self.made.append(self.pod.start(argv, container=container, timeout=timeout))
        return self.made[-1]

    def code(self) -> int:
        """Wait for the end of what was started, and return its exit code."""
        deadline = time.monotonic() + 10
        while not self.made or self.made[0].is_waiting():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.made[0].process.returncode


def test_run_by_a_waiting_command_is_complete(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): pass\n")
    bench.build()
    bench.write(test_b_py="def test_b(): pass\n")
    started = PrestartedExec(bench.pod).take()
    assert started is not None

    ran = bench.run(sync=(".",), started=started)

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, 2)
    assert ran.tree is not None
    assert ran.tree.host == ran.tree.pod


def test_take_returns_the_command_once(bench: Bench) -> None:
    prestarted = PrestartedExec(bench.pod)
    started = prestarted.take()
    assert started is not None

    assert prestarted.take() is None
    prestarted.abandon()
    assert started.is_waiting(), "the caller of take owns the command"
    started.close()


def test_abandoned_command_ends_without_changes(bench: Bench) -> None:
    pod = Recorded(bench.pod)
    pod.may.set()
    prestarted = PrestartedExec(pod)  # type: ignore[arg-type]
    prestarted.abandon()

    assert pod.code() == 1
    assert list((bench.pod.state_directory / "inbox").iterdir()) == []
    assert prestarted.take() is None


def test_take_returns_nothing_for_an_ended_command(bench: Bench) -> None:
    prestarted = PrestartedExec(bench.pod)
    started = prestarted._future.result()
    assert started is not None
    started.finish(b"")

    assert prestarted.take() is None


def test_take_does_not_wait_for_a_late_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prestarted_exec, "_TAKE_SECONDS", 0.05)
    pod = Recorded(bench.pod)

    assert PrestartedExec(pod).take() is None  # type: ignore[arg-type]
    pod.may.set()

    assert pod.code() == 1


@pytest.mark.parametrize("error", [EnvironmentFailed("no such pod"), StreamBroken("cut")])
def test_take_returns_nothing_for_a_failed_command(error: Exception) -> None:
    assert PrestartedExec(NoPod(error)).take() is None  # type: ignore[arg-type]


def test_take_raises_unexpected_errors() -> None:
    prestarted = PrestartedExec(NoPod(TypeError("ours")))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="ours"):
        prestarted.take()
