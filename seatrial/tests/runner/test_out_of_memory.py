"""Containers that the kernel kills for memory: all of it under cgroup v2, and what they leave behind."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode
from seatrial.pod.agent.state_files import Lock
from seatrial.pod.agent.wire import COLLECTED_DIRECTORY, COLLECTED_FILE, EXIT_FILE, ChunkKind
from seatrial.ports import ContainerState
from seatrial.readiness.pod import container_state
from seatrial.runner import run_tests
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.protocol import Chunk, ChunkReader
from seatrial.runner.run_tests import TestRun

from runner.bench import Bench
from runner.local_pod import LocalPod

RUN = "20260101-000001-0000"

SUITE = """
import logging, os, pathlib, time
import covered

def test_one():
    assert covered.one() == 1
    pathlib.Path("out/deep").mkdir(parents=True)
    pathlib.Path("out/deep/shot.png").write_bytes(b"png")
    logging.getLogger().warning("noted")
    # The data of ended tests are written once a second.
    time.sleep(1.1)

def test_two():
    covered.two()
    {death}
"""
COVERED = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"

KILLED = {
    "metadata": {"name": "test-runner", "namespace": "shop"},
    "spec": {
        "containers": [
            {"name": "tests", "resources": {"limits": {"memory": "512Mi"}}},
            {"name": "keeper", "resources": {"limits": {"memory": "256Mi"}}},
        ]
    },
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {"name": "keeper", "ready": True, "state": {"running": {"startedAt": "2026-11-29T19:00:00Z"}}},
            {
                "name": "tests",
                "ready": False,
                "restartCount": 0,
                "state": {
                    "terminated": {
                        "exitCode": 137,
                        "reason": "OOMKilled",
                        "startedAt": "2026-11-29T19:00:00Z",
                        "finishedAt": "2026-11-29T19:00:09Z",
                    }
                },
            },
        ],
    },
}
"""A runner pod of which the kernel killed one container: what the API of a cluster answers."""


def run_and_die(bench: Bench, *args: str, death: str, die: Callable[[], None], **more: Any) -> TestRun:
    """Run the suite, and have `die` called once its second test runs."""
    marker = bench.pod.directory / "running"
    bench.write(covered_py=COVERED, test_a_py=SUITE.format(death=f"open({str(marker)!r}, 'w')\n    {death}"))
    bench.build()

    def wait() -> None:
        while not marker.exists():
            time.sleep(0.02)
        die()

    threading.Thread(target=wait, daemon=True).start()
    return bench.run("--cov=covered", "--log-file=all.txt", *args, artifacts=("out", "none/*"), **more)


def assert_files(bench: Bench, ran: TestRun) -> None:
    """Check the files of the tests on the host, without those of the test that died."""
    assert ran.counts.passed == 1
    assert ran.collected.artifacts is not None
    assert (ran.collected.artifacts / "out/deep/shot.png").read_bytes() == b"png"
    assert "noted" in (bench.root / "all.txt").read_text()
    assert ran.collected.coverage is not None
    assert ran.collected.coverage.xml is not None
    report = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--show-missing"],
        cwd=bench.root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert report.splitlines()[2].split() == ["covered.py", "4", "1", "75%", "6"]
    assert ran.collected.notes == (
        "coverage is incomplete: pytest was killed, and only tests that finished before are counted",
        "artifacts: no files match none/*",
    )


@pytest.mark.parametrize("workers", [(), ("--numprocesses=1",)], ids=["one", "xdist"])
def test_files_of_a_killed_container_are_collected(bench: Bench, workers: tuple[str, ...]) -> None:
    ran = run_and_die(bench, *workers, death="time.sleep(60)", die=bench.pod.kill_container)

    assert ran.verdict.exit is ExitCode.INCONCLUSIVE
    assert ran.verdict.message == "the runner died while running test_a.py::test_two"
    assert ran.verdict.reason == "its container was killed by the kernel: out of memory (limit 512Mi)"
    assert_files(bench, ran)


def test_files_of_a_killed_process_are_collected(bench: Bench) -> None:
    """With cgroup v1, the container continues."""
    ran = run_and_die(bench, death="os.kill(os.getpid(), 9)", die=lambda: None)

    assert ran.verdict.reason == "ended by SIGKILL"
    assert_files(bench, ran)


def test_broken_stream_does_not_lose_the_files_of_a_killed_container(bench: Bench) -> None:
    bench.pod.cut_after = 3000

    ran = run_and_die(bench, death="time.sleep(60)", die=bench.pod.kill_container)

    assert ran.verdict.reason.startswith("its container was killed by the kernel")
    assert_files(bench, ran)


class OverWhen(Deadline):
    """A deadline that passes with an event."""

    event = threading.Event()

    @property
    def passed(self) -> bool:
        return self.event.is_set()


def test_timeout_during_collection_does_not_change_the_verdict(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline passes once the host knows of the death, while another process packs the files."""
    monkeypatch.setattr(run_tests, "_GATHERING", 1.0)
    lock = Lock(str(bench.pod.state_directory / "runs" / RUN / "packing"))
    stream = bench.pod.stream

    def die() -> None:
        lock.take()
        bench.pod.kill_container()

    def followed(*args: Any, **more: Any) -> Iterator[bytes]:
        for data in stream(*args, **more):
            if b"#L 0 0\n" in data:
                OverWhen.event.set()
            yield data

    monkeypatch.setattr(bench.pod, "stream", followed)
    ran = run_and_die(bench, death="time.sleep(60)", die=die, deadline=OverWhen(math.inf))
    lock.release()

    assert OverWhen.event.is_set()
    assert ran.verdict.reason.startswith("its container was killed by the kernel")
    assert ran.collected.notes == ("files of the run were not collected: the runner did not answer in time",)


def tail(pod: LocalPod) -> list[Chunk]:
    """Return the chunks of the tail of a run, without heartbeats."""
    argv = agent_argv("tail", RUN, python=pod.python, entry=pod.entry)
    with subprocess.Popen(argv, env=pod.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    return [chunk for chunk in ChunkReader().feed(said) if chunk.kind not in ".T"]


def test_run_that_did_not_start_has_no_files(bench: Bench) -> None:
    bench.pod.kill_container()

    lost, done = tail(bench.pod)

    assert (lost.kind, done.kind) == (ChunkKind.LOST, ChunkKind.DONE)
    assert b"No such file or directory" in done.data


def test_supervisor_killed_during_collection_is_replaced(bench: Bench) -> None:
    """Under cgroup v2, the memory that coverage.py needs for its report ends the supervisor too."""
    bench.pod.kill_container()
    run = bench.pod.state_directory / "runs" / RUN
    (run / COLLECTED_DIRECTORY / "files").mkdir(parents=True)
    (run / COLLECTED_DIRECTORY / "files" / "log.txt").write_text("noted")
    (run / "request.json").write_text(json.dumps({"run": RUN, "cwd": str(bench.pod.workdir)}))
    (run / EXIT_FILE).write_text(json.dumps({"code": 0, "sizes": {}}))
    (run / f"{COLLECTED_FILE}.new").write_bytes(b"half")

    exited, *packed, done = tail(bench.pod)

    assert (exited.kind, {chunk.kind for chunk in packed}, done.data) == (ChunkKind.EXITED, {ChunkKind.COLLECTED}, b"")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunk.data for chunk in packed))) as archive:
        assert archive.getnames() == ["files/log.txt", "notes.json"]


# cgroup v2, from recorded objects and files: this machine may have version 1.


def test_verdict_names_the_memory_limit_of_a_killed_container() -> None:
    assert container_state(KILLED, "tests") == ContainerState(
        state="terminated", code=137, reason="OOMKilled", memory_limit="512Mi"
    )
    assert container_state(KILLED, "keeper").state == "running"
