from __future__ import annotations

import io
import re

from seatrial.model import event as e
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Stage
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


def test_github_writes_the_job_summary(recorded, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    for name in ("failed", "image_missing"):
        sink = GitHub(io.StringIO(), summary=str(summary))
        for event in recorded(name):
            sink(event)
        sink.close()

    text = summary.read_text()
    assert text.startswith("before\n### tests failed: 1 failed, 6 passed")
    assert "- `tests/test_orders.py::test_healthy`" in text
    assert "| cluster | unchanged |" in text
    assert re.search(r"- \*\*pod/postgresql-0 container postgresql: ImagePull: image \S+:71 cannot be pulled", text)


def test_github_closes_groups_of_stages_that_did_not_end(events):
    stream = io.StringIO()
    sink = GitHub(stream)
    for event in events(
        (0, e.StageStarted(stage=Stage.CLUSTER)), (1, e.StageProgress(stage=Stage.CLUSTER, text="starting nodes"))
    ):
        sink(event)
    sink.close()

    assert stream.getvalue().splitlines()[1:] == ["::group::cluster did not end", "starting nodes", "::endgroup::"]
