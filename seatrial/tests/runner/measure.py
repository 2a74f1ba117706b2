"""`python -m runner.measure` in seatrial/tests: what the way through the pod costs. Prints figures; tests nothing.

Plain runs and ours alternate and the least of each is compared: other work on the machine only ever adds.
"""

from __future__ import annotations

import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seatrial.model.deadline import Deadline
from seatrial.model.event import Body
from seatrial.model.names import RunId
from seatrial.pod.agent.wire import ORIGINAL_ENVIRONMENT_VARIABLE, PLUGIN, RUN_DIRECTORY_VARIABLE
from seatrial.runner.options import split_command_line
from seatrial.runner.request import Request
from seatrial.runner.run_tests import TestRun, run_tests

from runner.local_pod import LocalPod, _clean_environment

EMPTY = "import pytest\n@pytest.mark.parametrize('i', range({count}))\ndef test_empty(i): pass\n"
LOUD = "import pytest\n@pytest.mark.parametrize('i', range({count}))\ndef test_loud(i): print('x' * {size})\n"
ONE = "def test_one(): pass\n"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def children() -> float:
    """CPU seconds of all children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _nobody(_: Body) -> None:
    """Take no events."""


class Bench:
    """A pod with one test file."""

    def __init__(self, directory: Path, text: str) -> None:
        self.pod = LocalPod(directory / "pod", sys.executable)
        self.pod.wait_ready()
        self.root = directory / "project"
        self.root.mkdir()
        for place in (self.root, self.pod.workdir):
            (place / "test_it.py").write_text(text)
        self.runs = directory / "runs"
        self.number = 0
        self.first = 0.0
        self.last = 0.0

    def plain(self, plugin: bool = False) -> tuple[float, float]:
        """Return wall and CPU seconds of pytest alone; with the plugin but without a host."""
        env = _clean_environment()
        if plugin:
            library = self.pod.state_directory / "lib"
            run = self.pod.directory / f"by-hand-{time.monotonic_ns()}"
            (run / "collected").mkdir(parents=True)
            (run / "request.json").write_text('{"color": false, "width": 80}')
            (run / "output").touch()
            env |= {"PYTHONPATH": str(library), "PYTEST_PLUGINS": PLUGIN, ORIGINAL_ENVIRONMENT_VARIABLE: "{}",
                    RUN_DIRECTORY_VARIABLE: str(run)}  # fmt: skip
        cpu, wall = children(), time.monotonic()
        subprocess.run(PYTEST, cwd=self.pod.workdir, env=env, stdout=subprocess.DEVNULL, check=True)
        return time.monotonic() - wall, children() - cpu

    def ours(self) -> tuple[float, TestRun]:
        """Return wall seconds of a run, from before its submission to its verdict."""
        self.number += 1
        invocation = split_command_line(PYTEST, (), root=self.root)
        request = Request(
            run=RunId(f"20260101-0000{self.number:02d}-0000"), argv=invocation.argv, root=self.root,
            directory=str(self.pod.workdir), where="a directory", deadline=Deadline.after(600), cache=False,
            python=self.pod.python, entry=self.pod.entry,
        )  # fmt: skip
        started, wall = time.monotonic(), time.time()
        outcome = run_tests(self.pod, request, emit=_nobody, state=self.pod.state, run_dir=self.runs / str(self.number),
                            out=io.StringIO())  # fmt: skip
        ended = time.monotonic()
        run = self.pod.state_directory / "runs" / request.run
        self.first = json.loads((run / "begin.json").read_text())["at"] - wall
        self.last = wall + ended - started - json.loads((run / "exit.json").read_text())["at"]
        return ended - started, outcome


def overhead(count: int, rounds: int) -> None:
    """Cost of the plugin in pytest's process, and of everything."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), EMPTY.format(count=count))
        plain, plugin, ours = [], [], []
        for _ in range(rounds):
            plain.append(bench.plain())
            plugin.append(bench.plain(plugin=True))
            ours.append(bench.ours()[0])
        bench.pod.close()
    cpu, with_plugin = min(each[1] for each in plain), min(each[1] for each in plugin)
    print(f"{count} empty tests: {cpu:.2f} s CPU alone, {with_plugin:.2f} s with the plugin "
          f"({with_plugin / cpu - 1:+.1%}); {min(ours):.2f} s from the host")  # fmt: skip


def latency(rounds: int) -> None:
    """Small runs: what is not pytest."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), ONE)
        plain, total, before, behind = [], [], [], []
        for _ in range(rounds):
            plain.append(bench.plain()[0])
            total.append(bench.ours()[0])
            before.append(bench.first)
            behind.append(bench.last)
        bench.pod.close()
    print(f"one test: pytest alone {min(plain):.3f} s, ours {min(total):.3f} s")
    print(f"process started {min(before):.3f} s after the call")
    print(f"verdict {min(behind):.3f} s after its end (median {statistics.median(behind):.3f})")


def memory(count: int, size: int) -> None:
    """What the tests' output costs the host."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), LOUD.format(count=count, size=size))
        bench.ours()
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        settings = bench.runs / "1" / "renderer.json"
        reader, writer = os.pipe()
        text = settings.read_text().replace('"reply": ', f'"reply": {writer}, "was": ')
        settings.write_text(text)
        renderer = subprocess.Popen(
            [sys.executable, "-m", "seatrial.runner.renderer", str(settings)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, pass_fds=(writer,),
        )  # fmt: skip
        assert renderer.stdin is not None
        renderer.stdin.write(b'{"end": {"exit": 0, "proven": true, "message": "", "reason": "", "suspects": []}}\n')
        renderer.stdin.close()
        _, _, usage = os.wait4(renderer.pid, 0)
        renderer.returncode = 0
        os.close(reader)
        os.close(writer)
        bench.pod.close()
    print(f"{count} tests that print {size} bytes each: the tool {own:.0f} MB, the showing process "
          f"{usage.ru_maxrss / 1024:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    latency(15)
    overhead(2_000, 8)
    memory(10_000, 10_000)
