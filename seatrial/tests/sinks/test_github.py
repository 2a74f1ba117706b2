from __future__ import annotations

import io

from seatrial.model import event as e
from seatrial.model.blame import Blame, Cause, Fault
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Outcome, Stage
from seatrial.sinks.github import GitHub


def test_github_escapes_commands_and_properties(events):
    finding = Finding(
        cause="Odd:Name",
        subject=ObjectRef(kind="Pod", name="a"),
        message="50% of\nlines | are wrong",
        fatal=True,
    )
    stream = io.StringIO()
    sink = GitHub(stream)
    for event in events((0, e.FindingMade(finding=finding)), (1, e.FindingMade(finding=finding))):
        sink(event)

    annotations = [line for line in stream.getvalue().splitlines() if line.startswith("::")]
    assert annotations == ["::error title=Odd%3AName::pod/a: Odd:Name: 50%25 of%0Alines | are wrong"]


def test_github_writes_at_most_ten_errors(events):
    stream = io.StringIO()
    sink = GitHub(stream)
    for event in events(
        *((0, e.TestReported(nodeid=f"t.py::t{n}", when="call", outcome="failed", seconds=0)) for n in range(30))
    ):
        sink(event)

    assert stream.getvalue().count("::error ") == 10


def test_github_closes_groups_of_stages_that_did_not_end(events):
    stream = io.StringIO()
    sink = GitHub(stream)
    for event in events(
        (0, e.StageStarted(stage=Stage.CLUSTER)), (1, e.StageProgress(stage=Stage.CLUSTER, text="starting nodes"))
    ):
        sink(event)
    sink.close()

    assert stream.getvalue().splitlines()[1:] == ["::group::cluster did not end", "starting nodes", "::endgroup::"]


def test_github_adds_the_cause_to_the_annotation_of_a_failed_test(events):
    stream = io.StringIO()
    sink = GitHub(stream)
    finding = Finding(cause="OOMKilled", subject=ObjectRef(kind="Pod", name="web-1"), message="out of memory")
    cause = Cause(word="caused by", fault=Fault.SERVICE, finding=finding, seconds=3, links=("the error names web",))
    for event in events(
        (0, e.StageStarted(stage=Stage.TEST)),
        (1, e.TestReported(nodeid="t.py::a", when="call", outcome="failed", seconds=0)),
        (1, e.TestReported(nodeid="t.py::b", when="call", outcome="failed", seconds=0)),
        (2, e.TestBlamed(blame=Blame(nodeid="t.py::a", fault=Fault.SERVICE, causes=(cause,)))),
        (3, e.StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=3)),
    ):
        sink(event)

    first, second = [line for line in stream.getvalue().splitlines() if line.startswith("::error")]
    assert first == (
        "::error title=t.py%3A%3Aa,file=t.py::t.py::a failed in call%0Acaused by service: pod/web-1: OOMKilled:"
        " out of memory, 3 s before%0Aevidence: the error names web"
    )
    assert second == "::error title=t.py%3A%3Ab,file=t.py::t.py::b failed in call"
