"""Runs that end early: Ctrl-C, SIGTERM, timeout, a pod that does not answer. Results are kept, and pytest ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from seatrial.interruption import Terminated
from seatrial.model import event
from seatrial.model.errors import ExitCode, OutOfTime
from seatrial.model.event import Body
from seatrial.ports import Completed, ContainerState
from seatrial.runner import run_tests
from seatrial.runner.run_tests import TestRun

from runner.bench import Bench
from runner.local_pod import LocalPod

BLOCKS = """
import os, signal, time
def test_one(): pass
def test_two(): pass
def test_blocks():
    {before}
    open({marker!r}, "w").write(str(os.getpid()))
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            {caught}
"""


class PausedPod(LocalPod):
    """A pod on a node that can be paused: no process continues, and no call returns."""

    paused = False

    def stop_all(self, number: int) -> None:
        """Signal the supervisor and all commands of the agent, but not the tests."""
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and self.entry.encode() in _read(process / "cmdline"):
                os.kill(int(process.name), number)

    def pause(self) -> None:
        self.paused = True
        self.stop_all(signal.SIGSTOP)

    def resume(self) -> None:
        self.paused = False
        self.stop_all(signal.SIGCONT)

    def hang(self) -> None:
        while self.paused:
            time.sleep(0.02)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        self.hang()
        return super().run(argv, stdin=stdin, container=container, timeout=timeout)

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        self.hang()
        yield from super().stream(argv, container=container)

    def state(self) -> ContainerState:
        self.hang()
        return super().state()

    def close(self) -> None:
        self.resume()
        super().close()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def pod_class() -> type[LocalPod]:
    return PausedPod


@pytest.fixture
def marker(bench: Bench) -> Path:
    """A file with the pid of pytest, which exists once the third test runs."""
    return bench.pod.directory / "running"


def write(bench: Bench, marker: Path, *, before: str = "pass", caught: str = "raise") -> None:
    bench.write(test_a_py=BLOCKS.format(marker=str(marker), before=before, caught=caught))
    bench.build()


class When:
    """Call functions once the third test runs, and record when."""

    def __init__(self, marker: Path, *actions: object) -> None:
        self.marker = marker
        self.actions = actions
        self.at = 0.0
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        while not self.marker.exists() or not self.marker.read_text():
            time.sleep(0.02)
        # The results of the tests before it are on their way.
        time.sleep(0.3)
        for action in self.actions:
            self.at = time.monotonic()
            action()  # type: ignore[operator]

    def seconds(self) -> float:
        took = time.monotonic() - self.at
        self.thread.join()
        return took


def signals(number: int) -> object:
    return lambda: os.kill(os.getpid(), number)


def is_gone(marker: Path) -> bool:
    return not Path(f"/proc/{marker.read_text()}").exists()


def assert_partial(bench: Bench, ran: TestRun) -> None:
    assert ran.counts.passed == 2
    assert "test_a.py" in bench.text
    names = [case.get("name") for case in ET.parse(bench.run_dir / "junit.xml").iter("testcase")]
    assert names[:2] == ["test_one", "test_two"]


def test_timeout_ends_a_run_on_a_paused_node(bench: Bench, marker: Path) -> None:
    assert isinstance(bench.pod, PausedPod)
    write(bench, marker)
    When(marker, bench.pod.pause)
    began = time.monotonic()

    ran = bench.run(seconds=8)

    assert ran.verdict.exit is ExitCode.OUT_OF_TIME
    assert time.monotonic() - began < 8 + 5
    assert ran.verdict.suspects == ("test_a.py::test_blocks",)
    assert_partial(bench, ran)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_first_signal_ends_a_run_on_a_paused_node(
    bench: Bench, marker: Path, number: int, kind: type[BaseException]
) -> None:
    assert isinstance(bench.pod, PausedPod)
    write(bench, marker)
    when = When(marker, bench.pod.pause, lambda: time.sleep(1), signals(number))

    ran = bench.run()

    assert when.seconds() < 5  # 2 s on an idle machine, and the renderer's end
    assert (ran.verdict.exit, type(ran.interrupted)) == (ExitCode.INTERRUPTED, kind)
    assert_partial(bench, ran)


def test_paused_node_makes_the_run_inconclusive(bench: Bench, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests, "_LOST_AFTER", 3.0)
    assert isinstance(bench.pod, PausedPod)
    write(bench, marker)
    When(marker, bench.pod.pause)

    ran = bench.run()

    assert ran.verdict.exit is ExitCode.INCONCLUSIVE
    assert ran.verdict.message == "the runner stopped answering while running test_a.py::test_blocks"
    assert_partial(bench, ran)


def test_short_pause_of_the_node_loses_nothing(bench: Bench, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection may break meanwhile and is opened again."""
    monkeypatch.setattr(run_tests, "_STALLED", 1.0)
    assert isinstance(bench.pod, PausedPod)
    bench.write(test_a_py=f"import time\ndef test_a():\n    open({str(marker)!r}, 'w').write('x'); time.sleep(3)\n")
    bench.build()
    When(marker, bench.pod.pause, lambda: time.sleep(2), bench.pod.resume)

    ran = bench.run()

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, 1)


def test_timeout_ends_a_start_on_a_paused_node(bench: Bench, marker: Path) -> None:
    assert isinstance(bench.pod, PausedPod)
    write(bench, marker)
    bench.pod.pause()
    began = time.monotonic()

    with pytest.raises(OutOfTime):
        bench.run(seconds=1)

    assert time.monotonic() - began < 4


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_interrupted_run_keeps_its_results_and_leaves_no_process(
    bench: Bench, marker: Path, number: int, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer than that for the report of coverage.
    monkeypatch.setattr(run_tests, "_SHORT_GRACE", 30.0)
    write(bench, marker)
    When(marker, signals(number))

    ran = bench.run("--cov=.", artifacts=("test_a.py",))

    assert (ran.verdict.exit, type(ran.interrupted), ran.verdict.proven) == (
        ExitCode.INTERRUPTED,
        kind,
        True,
    )
    assert is_gone(marker)
    assert_partial(bench, ran)
    assert "KeyboardInterrupt" in bench.text
    assert ran.collected.coverage is not None
    assert ran.collected.artifacts is not None


def test_sigterm_kills_tests_that_do_not_end(bench: Bench, marker: Path) -> None:
    write(bench, marker, caught="pass")
    when = When(marker, signals(signal.SIGTERM))

    ran = bench.run()

    assert when.seconds() < 8
    assert is_gone(marker)
    assert ran.verdict.exit is ExitCode.INTERRUPTED
    assert_partial(bench, ran)


def test_second_ctrl_c_kills_tests_that_do_not_end(bench: Bench, marker: Path) -> None:
    write(bench, marker, caught="pass")
    when = When(marker, signals(signal.SIGINT), lambda: time.sleep(0.5), signals(signal.SIGINT))

    ran = bench.run()

    assert when.seconds() < 5
    assert is_gone(marker)
    assert ran.verdict.exit is ExitCode.INTERRUPTED
    assert_partial(bench, ran)


def test_third_ctrl_c_raises_and_the_results_are_kept(bench: Bench, marker: Path) -> None:
    """Even if the pod does not answer."""
    assert isinstance(bench.pod, PausedPod)
    write(bench, marker)
    ctrl_c = signals(signal.SIGINT)
    When(marker, bench.pod.pause, ctrl_c, lambda: time.sleep(0.1), ctrl_c, lambda: time.sleep(0.1), ctrl_c)
    kept: list[TestRun] = []

    with pytest.raises(KeyboardInterrupt):
        bench.run(cut=kept.append)

    assert [(each.verdict.exit, each.counts.passed) for each in kept] == [(ExitCode.INTERRUPTED, 2)]
    assert 'name="test_two"' in (bench.run_dir / "junit.xml").read_text()


def test_unexpected_error_keeps_the_results_and_ends_the_tests(bench: Bench, marker: Path) -> None:
    """For example a full disk."""
    write(bench, marker)
    kept: list[TestRun] = []

    def emit(body: Body) -> None:
        if isinstance(body, event.TestReported) and body.nodeid.endswith("two") and body.when == "teardown":
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        bench.run(emit=emit, cut=kept.append)

    assert [(each.verdict.exit, each.counts.passed) for each in kept] == [(ExitCode.INCONCLUSIVE, 2)]
    deadline = time.monotonic() + 5
    while marker.exists() and not is_gone(marker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
