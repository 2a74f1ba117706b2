"""A run composed of events at exact times, for tests of a display between two events."""

from __future__ import annotations

from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Counts, Outcome, RunResult, Stage

from .conftest import START

__all__ = ["green"]

Script = list[tuple[float, e.Body]]

TESTS = [f"tests/test_orders.py::test_{name}" for name in ("list", "create", "delete[ü/1]")]


def stage(stage: Stage, at: float, seconds: float, outcome: Outcome = Outcome.DONE, **facts: str) -> Script:
    """Return start and end of a stage."""
    return [
        (at, e.StageStarted(stage=stage)),
        (at + seconds, e.StageEnded(stage=stage, outcome=outcome, seconds=seconds, facts=facts)),
    ]


def green() -> Script:
    """Return a run of three tests that pass, in the order of time."""
    result = RunResult(
        run=RunId("20260131-154501-3f2a"),
        environment="kubernetes",
        environment_id=EnvironmentId("5e551040"),
        started=START,
        seconds=46.8,
        exit=ExitCode.PASSED,
        verdict="all tests passed",
        counts=Counts(collected=3, passed=3),
    )
    script: Script = [
        (
            0,
            e.RunStarted(
                environment=result.environment_id,
                command=("run",),
                stages=tuple(Stage),
                directory=f".seatrial/runs/{result.run}",
            ),
        ),
        *stage(Stage.PREFLIGHT, 0, 0.31, engine="28.1"),
        *stage(Stage.CLUSTER, 0.31, 21.4, name="orders-test"),
        (9, e.StageProgress(stage=Stage.CLUSTER, text="starting control-plane")),
        *stage(Stage.BUILD, 0.32, 8.05, Outcome.UNCHANGED, **{"orders-tests": "4f1c02d7"}),
        *stage(Stage.DELIVER, 21.8, 3.2, images="2"),
        *stage(Stage.INSTALL, 25.1, 2.6, installed="orders"),
        (27.8, e.StageStarted(stage=Stage.READY)),
        (28, e.ServiceSeen(name="postgresql", ready=False, waits_for="image docker.io/library/postgres:17")),
        (28, e.ServiceSeen(name="orders", ready=False, waits_for="0 of 1 pods ready")),
        (31.5, e.ServiceSeen(name="postgresql", ready=True)),
        (35, e.ServiceSeen(name="orders", ready=True)),
        (35, e.StageEnded(stage=Stage.READY, outcome=Outcome.DONE, seconds=7.2, facts={"services": "2"})),
        (35.1, e.StageStarted(stage=Stage.TEST)),
        (36, e.StageProgress(stage=Stage.TEST, text="starting pod test-runner")),
        (38.9, e.TestsCollected(count=3)),
        *(each for number, nodeid in enumerate(TESTS) for each in _test(nodeid, 39 + number * 0.2)),
        (40, e.StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=4.9, facts={"sent": "0"})),
        *stage(Stage.COLLECT, 40.1, 0.4),
        *stage(Stage.TEARDOWN, 40.5, 6.2),
        (46.8, e.RunEnded(result=result)),
    ]
    return sorted(script, key=lambda pair: pair[0])


def _test(nodeid: str, at: float) -> Script:
    return [
        (at, e.TestStarted(nodeid=nodeid)),
        (at + 0.01, e.TestReported(nodeid=nodeid, when="setup", outcome="passed", seconds=0.01)),
        (at + 0.1, e.TestReported(nodeid=nodeid, when="call", outcome="passed", seconds=0.09)),
        (at + 0.12, e.TestReported(nodeid=nodeid, when="teardown", outcome="passed", seconds=0.02)),
    ]
