"""A project, a pod that is a directory, and runs of the project's tests in the pod."""

from __future__ import annotations

import io
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from seatrial.diagnose.failed_test import FailedTest
from seatrial.image_inputs.delta import plan
from seatrial.image_inputs.working_tree import read_tree
from seatrial.model.blame import Blame
from seatrial.model.deadline import Deadline
from seatrial.model.event import Body
from seatrial.model.names import RunId
from seatrial.ports import Started
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.options import report_options, split_command_line
from seatrial.runner.request import Request
from seatrial.runner.run_tests import TestRun, run_tests
from seatrial.runner.sync import pod_files

from runner.local_pod import LocalPod

__all__ = ["PASSES", "Bench", "bench", "pod_class", "wait_for"]

PASSES = "def test_passes(): pass\n"
"""A module with one passing test."""


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a condition is true; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


@dataclass
class Bench:
    """A project and a pod with a copy of it.

    Attributes:
        text: output of the last run.
        events: events of the last run.
        created: paths in the pod that no working tree had, after the last run with `sync`.
    """

    root: Path
    pod: LocalPod
    runs: Path
    text: str = ""
    events: list[Body] = field(default_factory=list)
    number: int = 0
    created: Collection[str] = ()

    def write(self, **files: str) -> None:
        """Write files of the project: `tests__test_a_py="…"`; not into the pod."""
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_py", ".py").replace("_ini", ".ini")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def build(self) -> None:
        """Copy the project into the pod, as an image does."""
        shutil.rmtree(self.pod.workdir)
        shutil.copytree(self.root, self.pod.workdir, symlinks=True)

    def run(
        self, *args: str, command: tuple[str, ...] = (), sync: tuple[str, ...] = (), seconds: float = 120, **more: Any
    ) -> TestRun:
        """Run the tests; with `sync`, send what changed below these paths."""
        self.number += 1
        self.events.clear()
        out = io.StringIO()
        reports: tuple[str, ...] = more.pop("report_options", ())
        invocation = split_command_line(
            command or (self.pod.python, "-m", "pytest"), args, root=self.root, terminal=True, reports=reports
        )
        tree = delta = None
        if sync:
            tree = read_tree(self.root, sync)
            have = pod_files(self.pod, str(self.pod.workdir), sync, python=self.pod.python, entry=self.pod.entry)
            delta = plan(tree=tree, pod=have.files, created=self.created)
        values: dict[str, Any] = {
            "run": RunId(f"20260101-00000{self.number % 10}-0000"),
            "argv": invocation.argv,
            "root": self.root,
            "directory": str(self.pod.workdir),
            "where": "here",
            "deadline": Deadline.after(seconds),
            "junit": invocation.junit,
            "files": invocation.files,
            "reports": tuple(report_options(reports)),
            "informational": invocation.informational,
            "unsure": invocation.unsure,
            "paths_given": invocation.paths_given,
            "tree": tree,
            "delta": delta,
            "python": self.pod.python,
            "entry": self.pod.entry,
        }
        stop: threading.Event | None = more.pop("stop", None)
        started: Started | None = more.pop("started", None)
        cut: Callable[[TestRun], None] | None = more.pop("cut", None)
        blame: Callable[[Sequence[FailedTest]], Sequence[Blame]] = more.pop("blame", lambda _: ())
        emit: Callable[[Body], None] = more.pop("emit", self.events.append)
        outcome = run_tests(
            self.pod, Request(**{**values, **more}), emit=emit, state=self.pod.state, run_dir=self.run_dir, out=out,
            host_args=invocation.host_args, stop=stop, started=started, cut=cut, blame=blame,
        )  # fmt: skip
        if tree is not None:
            self.created = outcome.files.keys() - tree.wanted.keys()
        self.text = out.getvalue()
        errors = (self.run_dir / "renderer-errors.log").read_text()
        assert not errors, errors
        return outcome

    def start_unfollowed(self, run: str = "20251231-000000-0000", *, seconds: int = 60) -> Path:
        """Start a run of a slow test that no host follows; return its directory in the pod."""
        self.write(test_a_py=f"import time\ndef test_slow(): time.sleep({seconds})\n")
        self.build()
        request = {"run": run, "argv": [self.pod.python, "-m", "pytest"], "cwd": str(self.pod.workdir),
                   "color": False, "width": 80}  # fmt: skip
        submit = agent_argv("submit", python=self.pod.python, entry=self.pod.entry)
        self.pod.run(submit, stdin=json.dumps({"request": request}).encode() + b"\n", timeout=10)
        directory = self.pod.state_directory / "runs" / run
        wait_for((directory / "begin.json").exists)
        return directory

    @property
    def run_dir(self) -> Path:
        """Directory of the last run."""
        return self.runs / str(self.number)


@pytest.fixture
def pod_class() -> type[LocalPod]:
    """Return the class of the pod."""
    return LocalPod


@pytest.fixture
def bench(tmp_path: Path, pod_class: type[LocalPod]) -> Iterator[Bench]:
    """Create an empty project and an empty pod."""
    root = tmp_path / "project"
    root.mkdir()
    pod = pod_class(tmp_path / "pod", sys.executable)
    pod.wait_ready()
    yield Bench(root, pod, tmp_path / "runs")
    pod.close()
