from __future__ import annotations

import io
import re

from msgspec.structs import replace
from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Counts, Outcome, Stage, StageResult
from seatrial.sinks import words
from seatrial.sinks.github import GitHub
from seatrial.sinks.jsonl import JsonLines
from seatrial.sinks.past import Unreadable, events_of
from seatrial.sinks.plain import Plain


def test_events_file_reads_back_as_written(recorded, tmp_path):
    events = recorded("green")
    sink = JsonLines(tmp_path / "new" / "events.jsonl")
    for event in events:
        sink(event)
    sink.close()

    assert list(events_of(tmp_path / "new" / "events.jsonl")) == events


def test_each_event_is_on_disk_at_once(recorded, tmp_path):
    sink = JsonLines(tmp_path / "events.jsonl")
    sink(recorded("green")[0])

    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1
    sink.close()


def test_unreadable_lines_are_reported_and_skipped(recorded, tmp_path):
    file = tmp_path / "events.jsonl"
    first, second = (e.encode_event(event) for event in recorded("green")[:2])
    newer = first.replace(b"RunStarted", b"RunPondered")
    file.write_bytes(first + b"\n" + newer + b"\n" + second + b"\n" + second[:20])

    found = list(events_of(file))

    assert [(item.line, item.last) for item in found if isinstance(item, Unreadable)] == [(2, False), (4, True)]
    assert [type(item).__name__ for item in found] == ["Event", "Unreadable", "Event", "Unreadable"]


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


def test_duration_is_formatted_with_two_units_at_most():
    assert [words.duration(seconds) for seconds in (0.123, 0.999, 1, 99.94, 100, 185, 3600)] == [
        "0.12 s",
        "1.00 s",
        "1.0 s",
        "99.9 s",
        "1 min 40 s",
        "3 min 05 s",
        "60 min 00 s",
    ]


def test_paths_below_the_working_directory_are_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert words.relative(f"{tmp_path}/.seatrial/runs/x") == ".seatrial/runs/x"
    assert words.relative("/elsewhere/x") == "/elsewhere/x"


def test_waiting_service_is_formatted_as_a_sentence():
    assert words.waiting("web", "1 of 2 pods") == "web waits for 1 of 2 pods"
    assert words.waiting("web", "to be created") == "web waits to be created"


def test_counts_are_formatted_failures_first():
    counts = Counts(collected=9, passed=1, failed=1, errors=2, skipped=1, xfailed=1, xpassed=1, deselected=3)

    not_run = Counts(passed=1, skipped=3, not_run={"stand-in": 2})
    assert words.counts(not_run) == "1 passed, 1 skipped, 2 not run: stand-in"
    assert words.counts(counts) == "1 failed, 2 errors, 1 passed, 1 skipped, 1 xfailed, 1 xpassed, 3 deselected"
    assert words.counts(Counts(errors=1)) == "1 error"
    assert words.counts(Counts()) == "no tests"


def test_long_evidence_is_cut_to_its_last_lines():
    finding = Finding(
        cause="X",
        subject=ObjectRef(kind="Pod", name="a"),
        message="X happened",
        evidence=("\n".join(f"line {n}" for n in range(100)),),
    )

    assert words.finding(finding) == "pod/a: X happened"
    assert words.evidence(finding) == [f"| line {n}" for n in range(88, 100)]


def test_last_line_of_a_run_without_tests_has_no_counts(recorded):
    ended = recorded("interrupted")[-1].body
    assert isinstance(ended, e.RunEnded)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert words.last_line(ended.result, "") == f"interrupted, in {words.duration(ended.result.seconds)}"
    assert words.outcome(Outcome.FAILED) == "FAILED"


def test_kept_environment_is_shown_with_the_next_commands(recorded):
    result = replace(recorded("green")[-1].body.result, stages=())
    torn = StageResult(stage=Stage.TEARDOWN, outcome=Outcome.DONE, started=1.0, seconds=1.0)
    how = "environment kept. Run tests in it: seatrial test. Remove it: seatrial down"

    assert how in words.remarks(replace(result, kept=True))
    assert how not in words.remarks(replace(result, kept=True, stages=(*result.stages, torn)))
    assert how not in words.remarks(replace(result, kept=True, images_size=0)), "it was there before"
