"""The state of a run after each of its events."""

from __future__ import annotations

from collections.abc import Callable

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.names import EnvironmentId
from seatrial.model.result import Outcome, Stage
from seatrial.sinks.board import Board

from .conftest import START

Events = Callable[..., list[Event]]


def after(events: Events, *bodies: e.Body) -> Board:
    board = Board()
    for event in events(*enumerate(bodies)):
        board.take(event)
    return board


def reported(nodeid: str, when: str, outcome: str = "passed", worker: str = "") -> e.TestReported:
    return e.TestReported(nodeid=nodeid, when=when, outcome=outcome, seconds=0.1, worker=worker)  # type: ignore[arg-type]


def test_running_stages_are_in_the_order_of_their_start(events: Events) -> None:
    board = after(
        events,
        e.RunStarted(environment=EnvironmentId("s"), command=("run",), stages=tuple(Stage), directory="/r"),
        e.StageStarted(stage=Stage.CLUSTER),
        e.StageStarted(stage=Stage.BUILD),
        e.StageProgress(stage=Stage.BUILD, text="step 3"),
        e.StageEnded(stage=Stage.CLUSTER, outcome=Outcome.DONE, seconds=1.0),
        e.StageStarted(stage=Stage.DELIVER),
    )

    assert board.directory == "/r"
    assert [(stage, running.text) for stage, running in board.running.items()] == [
        (Stage.BUILD, "step 3"), (Stage.DELIVER, ""),
    ]  # fmt: skip
    assert (board.running[Stage.BUILD].since - START).total_seconds() == 2


def test_late_progress_of_an_ended_stage_is_ignored(events: Events) -> None:
    board = after(
        events,
        e.StageStarted(stage=Stage.BUILD),
        e.StageEnded(stage=Stage.BUILD, outcome=Outcome.DONE, seconds=1.0),
        e.StageProgress(stage=Stage.BUILD, text="late"),
        e.StageEnded(stage=Stage.DELIVER, outcome=Outcome.SKIPPED, seconds=0.0),
    )

    assert board.running == {}


def test_service_is_waiting_or_ready(events: Events) -> None:
    board = after(
        events,
        e.ServiceSeen(name="web", ready=False, waits_for="image"),
        e.ServiceSeen(name="db", ready=True),
        e.ServiceSeen(name="web", ready=True),
        e.ServiceSeen(name="db", ready=False, waits_for="0 of 1 pods ready"),
    )

    assert (board.waiting, board.ready) == ({"db": "0 of 1 pods ready"}, {"web"})


def test_services_wait_only_until_the_end_of_their_stage(events: Events) -> None:
    waiting = e.ServiceSeen(name="web", ready=False, waits_for="image")
    ended = {
        stage: after(events, waiting, e.StageEnded(stage=stage, outcome=Outcome.FAILED, seconds=1.0)).waiting
        for stage in (Stage.INSTALL, Stage.READY)
    }

    assert ended == {Stage.INSTALL: {"web": "image"}, Stage.READY: {}}


def test_test_ends_with_its_teardown_and_fails_once(events: Events) -> None:
    board = after(
        events,
        e.TestsCollected(count=3),
        e.TestStarted(nodeid="a"),
        reported("a", "setup"),
        reported("a", "call", "failed"),
        reported("a", "teardown", "error"),
        e.TestStarted(nodeid="b"),
        reported("b", "setup", "error"),
    )

    tests = board.tests
    assert (tests.collected, tests.ended, tests.failed, tests.now) == (3, 1, 2, {"": "b"})


def test_each_worker_has_its_running_test(events: Events) -> None:
    board = after(
        events,
        e.TestStarted(nodeid="a", worker="gw0"),
        e.TestStarted(nodeid="b", worker="gw1"),
        reported("a", "teardown", worker="gw0"),
    )

    assert board.tests.now == {"gw1": "b"}
