from __future__ import annotations

from msgspec.structs import replace
from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Counts, Outcome, Stage, StageResult
from seatrial.sinks import words


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
