from __future__ import annotations

from datetime import timedelta

import pytest
from seatrial.model import event as e
from seatrial.model.result import Outcome, Stage
from seatrial.report.history import History

from .run_directories import RUN, START, Case, RunDirectory


def history_of(*bodies: tuple[float, e.Body]) -> History:
    history = History()
    for seq, (after, body) in enumerate(bodies):
        history.take(e.Event(run=RUN, seq=seq, at=START + timedelta(seconds=after), body=body))
    return history


def report(when: str, outcome: str, seconds: float = 0.1) -> e.TestReported:
    return e.TestReported(nodeid="t.py::t", when=when, outcome=outcome, seconds=seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ([("setup", "passed")], "unfinished"),
        ([("setup", "passed"), ("teardown", "passed")], "passed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], "passed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "error")], "error"),
        ([("setup", "passed"), ("call", "failed"), ("teardown", "passed")], "failed"),
        ([("setup", "error")], "error"),
        ([("setup", "skipped")], "skipped"),
        ([("call", "failed"), ("call", "passed")], "failed"),
        ([("call", "xfailed"), ("teardown", "passed")], "xfailed"),
    ],
)
def test_outcome_of_a_test_is_the_worst_of_its_phases(phases: list[tuple[str, str]], outcome: str) -> None:
    history = history_of((0, e.TestStarted(nodeid="t.py::t")), *((1, report(*phase)) for phase in phases))

    assert history.tests["t.py::t"].outcome == outcome


def test_history_has_start_and_duration_of_a_test() -> None:
    history = history_of(
        (0, e.Note(level="info", text="")),
        (5, e.TestStarted(nodeid="t.py::t", worker="gw1")),
        (6, report("setup", "passed", 0.5)),
        (8, report("call", "passed", 1.5)),
    )
    span = history.tests["t.py::t"]

    assert (span.start, span.end, span.seconds, span.worker) == (5, 8, 2.0, "gw1")


def test_file_that_was_not_collected_has_no_start() -> None:
    history = history_of((0, e.TestReported(nodeid="t.py", when="collect", outcome="error", seconds=0)))

    assert history.tests["t.py"].start is None
    assert history.tests["t.py"].outcome == "error"


def test_history_of_a_composed_run() -> None:
    run = RunDirectory(tests=[Case("t.py::t")], warnings=["disk is nearly full"])
    history = History()
    for event in run.events():
        history.take(event)

    assert history.command == ("test", "-k", "orders")
    assert history.warnings == ["disk is nearly full"]
    assert [seen.phase for _, seen in history.pods] == ["Pending", "Running", "Running"]
    assert history.result == run.result()
    assert history.end == run.seconds


def test_stage_without_an_end_has_no_outcome() -> None:
    history = history_of(
        (0, e.StageStarted(stage=Stage.CLUSTER)),
        (1, e.StageStarted(stage=Stage.BUILD)),
        (3, e.StageEnded(stage=Stage.CLUSTER, outcome=Outcome.DONE, seconds=3.0, facts={"name": "x"})),
    )
    cluster, build = history.stages

    assert (cluster.start, cluster.end, cluster.outcome, cluster.facts) == (0, 3, "done", {"name": "x"})
    assert (build.end, build.outcome) == (None, "")
