"""Faults of pod and connection during a run: none of them ends in success."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import Note
from seatrial.ports import Completed, ContainerState, StreamBroken
from seatrial.runner import run_tests

from runner.bench import Bench
from runner.local_pod import LocalPod


class LostPod(LocalPod):
    """A pod that becomes unreachable after the start of a run."""

    gone = False

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        if self.gone:
            raise EnvironmentFailed("the cluster's API does not answer")
        yield from super().stream(argv, container=container)

    def state(self) -> ContainerState:
        if self.gone:
            raise EnvironmentFailed("the cluster's API does not answer")
        return super().state()


class TestLost:
    @pytest.fixture
    def pod_class(self) -> type[LocalPod]:
        return LostPod

    def test_unreachable_cluster_ends_the_run_without_success(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_tests, "_LOST_AFTER", 1.0)
        bench.write(test_a_py="def test_one(): pass\n")
        bench.build()
        assert isinstance(bench.pod, LostPod)
        bench.pod.gone = True

        ran = bench.run(seconds=30)

        assert ran.verdict.exit in (ExitCode.ENVIRONMENT, ExitCode.INCONCLUSIVE)
        assert not ran.verdict.proven
        assert any(isinstance(event, Note) and "broke and is resumed" in event.text for event in bench.events)


class DeafPod(LocalPod):
    """A pod that loses the first interrupt and only reacts to a kill."""

    told: list[bool]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        if "interrupt" in argv:
            self.told = [*getattr(self, "told", []), "--kill" in argv]
            if len(self.told) == 1:
                raise StreamBroken("cut")
        return super().run(argv, stdin=stdin, container=container, timeout=timeout)


class TestDeaf:
    @pytest.fixture
    def pod_class(self) -> type[LocalPod]:
        return DeafPod

    def test_tests_are_killed_after_the_grace_period(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_tests, "_GRACE", 1.0)
        marker, stop = bench.pod.directory / "running", threading.Event()
        bench.write(test_a_py=f"import time\ndef test_one():\n    open({str(marker)!r}, 'w'); time.sleep(60)\n")
        bench.build()

        def when_running() -> None:
            while not marker.exists():
                stop.wait(0.02)
            stop.set()

        waiting = threading.Thread(target=when_running)
        waiting.start()
        ran = bench.run(stop=stop)
        waiting.join()

        assert isinstance(bench.pod, DeafPod)
        assert bench.pod.told == [False, True]
        assert ran.verdict.exit is ExitCode.INTERRUPTED
        assert any(isinstance(event, Note) and "could not be interrupted: cut" in event.text for event in bench.events)


def test_gap_in_the_stream_is_requested_again(bench: Bench) -> None:
    bench.write(test_a_py="def test_one(): pass\n")
    bench.build()
    whole = bench.pod.stream
    asked: list[str] = []

    def stream(argv: Sequence[str], *, container: str = "keeper") -> Iterator[bytes]:
        asked.append(next(word for word in argv if word.startswith("F=")))
        if len(asked) == 1:
            argv = [word.replace("F=0", "F=1") for word in argv]
        yield from whole(argv, container=container)

    bench.pod.stream = stream  # type: ignore[assignment]
    ran = bench.run()

    assert asked == ["F=0", "F=0"]
    assert (ran.verdict.exit, ran.counts.passed, ran.verdict.proven) == (ExitCode.PASSED, 1, True)
    assert any(isinstance(event, Note) and "1 bytes are missing" in event.text for event in bench.events)
