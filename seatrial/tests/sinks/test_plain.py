from __future__ import annotations

import io

from seatrial.model import event as e
from seatrial.model.finding import ObjectRef
from seatrial.model.result import Stage
from seatrial.sinks.plain import Plain


def test_plain_writes_progress_at_intervals(events):
    stream = io.StringIO()
    sink = Plain(stream)
    for event in events(
        (0, e.StageStarted(stage=Stage.BUILD)),
        *((n, e.StageProgress(stage=Stage.BUILD, text=f"step {n}")) for n in range(1, 25)),
        (25, e.StageProgress(stage=Stage.BUILD, text="step 24")),
    ):
        sink(event)

    assert stream.getvalue().splitlines() == [
        "[   0.0] build …",
        "[   1.0] build: step 1",
        "[  11.0] build: step 11",
        "[  21.0] build: step 21",
    ]


def test_plain_writes_pods_and_tests_with_verbose(events):
    pod = ObjectRef(kind="Pod", name="a", namespace="n")
    bodies = (
        e.PodSeen(pod=pod, node="", phase="Pending", ready=False, restarts=0),
        e.PodSeen(pod=pod, node="worker", phase="Running", ready=False, restarts=2, reason="CrashLoopBackOff"),
        e.PodSeen(pod=pod, node="worker", phase="Running", ready=True, restarts=2),
        e.TestReported(nodeid="t.py::t", when="call", outcome="passed", seconds=0.5),
        e.Note(level="debug", text="details"),
        e.Note(level="info", text="for all"),
    )
    said = []
    for verbose in (0, 1, 2):
        stream = io.StringIO()
        sink = Plain(stream, verbose=verbose)
        for event in events(*((0, body) for body in bodies)):
            sink(event)
        said.append([line.partition("] ")[2] for line in stream.getvalue().splitlines()])

    assert said[0] == ["for all"]
    assert said[1] == ["details", "for all"]
    assert said[2] == [
        "pod/a on no node: Pending",
        "pod/a on worker: CrashLoopBackOff, restarted 2 times",
        "pod/a on worker: ready, restarted 2 times",
        "t.py::t passed in 0.50 s",
        "details",
        "for all",
    ]
