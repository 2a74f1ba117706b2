"""Causes of failures as `e2e/record_causes.py` recorded them, in a double of the Kubernetes API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fakes import FakeExec, FakeKube
from seatrial.app.problems import find_problems
from seatrial.model.finding import Finding
from seatrial.model.spec import Project, RunnerSpec
from seatrial.ports import Completed

__all__ = ["RECORDED", "diagnosed", "load", "recorded_kube"]

RECORDED: Final = Path(__file__).with_name("recorded")


class _Exec(FakeExec):
    """Commands in a pod: connections from the runner pod, CPU statistics of the others."""

    def __init__(self, output: str) -> None:
        super().__init__()
        self._output = output

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        del argv, stdin, container, timeout
        return Completed(argv=(), code=0, stdout=self._output.encode(), stderr=b"")


class _RecordedKube(FakeKube):
    """A cluster with recorded objects, logs, connections and CPU statistics."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        super().__init__(*recorded["objects"])
        self._recorded = recorded
        for key, text in recorded["logs"].items():
            pod, container, *previous = key.split("/")
            self.texts[pod, container, bool(previous)] = text.encode()

    def exec(self, pod: str, namespace: str) -> FakeExec:
        del namespace
        if pod == "tests":
            return _Exec(json.dumps(self._recorded.get("connections", [])))
        return _Exec(self._recorded.get("usage", {}).get(f"{pod}/app", ""))


def load(name: str) -> dict[str, Any]:
    """Return a recording."""
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def recorded_kube(recorded: dict[str, Any]) -> FakeKube:
    """Return a cluster that answers as the recorded one did."""
    return _RecordedKube(recorded)


def diagnosed(name: str) -> tuple[Finding, ...]:
    """Return what `seatrial diagnose` finds in a recording."""
    project = Project(root=Path("/project"), runner=RunnerSpec(image="tests:1", namespace=name, pod="tests"))
    return find_problems(recorded_kube(load(name)), project)
