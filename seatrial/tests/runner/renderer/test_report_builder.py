from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from seatrial.runner.renderer.feed import Feed, RecordPlace
from seatrial.runner.renderer.report_builder import ReportBuilder, TextRepr, Worker

from runner.frames import log
from runner.session_records import loud

START = ["s", "t/test_a.py::test_a\0t/test_a.py\0test_a", 7]
NOWHERE = RecordPlace(0, 0, 0)


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    """A feed whose log the test writes."""
    return Feed(tmp_path / "frames", tmp_path / "output", io.StringIO())


@pytest.fixture
def builder(pytestconfig: pytest.Config, feed: Feed) -> ReportBuilder:
    """A builder for the pytest that runs this test."""
    return ReportBuilder(pytestconfig, feed)


def report_of(**changes: Any) -> list[Any]:
    """Return the record of a report with changes."""
    return ["report", {**loud(1, 3)[1][1], **changes}]


def written(tmp_path: Path, *records: list[Any]) -> list[RecordPlace]:
    """Write a log with one record per frame; return their places."""
    lines = log(*([record] for record in records))
    (tmp_path / "frames").write_bytes(b"".join(lines))
    return [RecordPlace(sum(map(len, lines[:index])), len(line), 0) for index, line in enumerate(lines)]


def test_passed_test_without_output_becomes_three_reports(builder: ReportBuilder) -> None:
    builder.started(START)

    setup, call = builder.plain(["p", "slow\0smoke", 5_000_000, 1_000_000, 2_000_000_000, 3_000_000])
    teardown = builder.torn_down(["t", 1, 4_000_000])

    assert [each.when for each in (setup, call, teardown)] == ["setup", "call", "teardown"]
    assert {each.outcome for each in (setup, call, teardown)} == {"passed"}
    assert call.nodeid == "t/test_a.py::test_a"
    assert call.location == ("t/test_a.py", 7, "test_a")
    assert call.keywords == {"slow": 1, "smoke": 1}
    assert (call.duration, call.start, call.stop) == (2.0, 3.0, 5.0)


def test_report_has_the_types_that_pytest_gives_it(builder: ReportBuilder) -> None:
    report = builder.report(
        report_of(longrepr=["/app/a.py", 3, "Skipped: no"], outcome="skipped", user_properties=[["a", 1]]), NOWHERE
    )

    assert isinstance(report, pytest.TestReport)
    assert report.longrepr == ("/app/a.py", 3, "Skipped: no")
    assert isinstance(report.location, tuple)
    assert report.user_properties == [("a", 1)]


def test_report_of_an_unknown_type_becomes_a_report_of_its_phase(builder: ReportBuilder) -> None:
    """A plugin in the pod made it, which is not installed here. Its type has another key, so pytest ignores it."""
    record = report_of(_report_type="ShopReport")
    del record[1]["$report_type"]
    test = builder.report(record, NOWHERE)
    collection = builder.report(
        ["collect", {"nodeid": "a", "outcome": "passed", "longrepr": None, "result": None, "sections": []}, 0], NOWHERE,
    )  # fmt: skip

    assert isinstance(test, pytest.TestReport)
    assert isinstance(collection, pytest.CollectReport)


def test_failure_text_of_a_plugin_is_shown_as_the_plugin_wrote_it(builder: ReportBuilder) -> None:
    report: Any = builder.report(report_of(longrepr="boom", **{"$shown": "\x1b[31mboom\x1b[0m"}), NOWHERE)

    assert isinstance(report.longrepr, TextRepr)
    assert str(report.longrepr) == "boom"
    assert report.longrepr.shown == "\x1b[31mboom\x1b[0m"


def test_report_names_its_xdist_worker(builder: ReportBuilder) -> None:
    builder.worker(["worker", "gw0", {"id": "gw0", "sysplatform": "linux"}])

    known = builder.report(report_of(node="gw0"), NOWHERE).node
    unknown = builder.report(report_of(node="gw1"), NOWHERE).node

    assert isinstance(known, Worker)
    assert known.gateway.id == "gw0"
    assert known.workerinfo["sysplatform"] == "linux"
    assert unknown.gateway.id == "gw1"
    assert not hasattr(unknown, "workerinfo")


def test_long_output_is_joined_from_its_pieces(builder: ReportBuilder, tmp_path: Path) -> None:
    pieces = [["blob", 4, "first "], ["blob", 4, "second"]]
    for piece, place in zip(pieces, written(tmp_path, *pieces), strict=True):
        builder.blob(piece, place)

    report = builder.report(report_of(sections=[["Captured stdout call", {"$blob": 4}]]), NOWHERE)

    assert report.sections == [("Captured stdout call", "first second")]


def test_output_of_a_parked_report_is_read_again_from_the_log(builder: ReportBuilder, tmp_path: Path) -> None:
    record = report_of(sections=[["Captured stdout call", "x" * 5000]], longrepr="boom")
    (place,) = written(tmp_path, record)
    report = builder.report(record, place)

    builder.park(report)

    assert "sections" not in report.__dict__
    assert report.sections == [("Captured stdout call", "x" * 5000)]
    assert report.longrepr == "boom"


def test_long_output_of_a_parked_report_is_read_again_from_its_pieces(builder: ReportBuilder, tmp_path: Path) -> None:
    records = [["blob", 4, "x" * 2000], report_of(sections=[["Captured stdout call", {"$blob": 4}]])]
    places = written(tmp_path, *records)
    builder.blob(records[0], places[0])
    report = builder.report(records[1], places[1])

    builder.park(report)

    assert report.sections == [("Captured stdout call", "x" * 2000)]


def test_parked_report_keeps_its_type_and_serializes_whole(builder: ReportBuilder, tmp_path: Path) -> None:
    """Plugins test its type, and xdist and report-log serialize it."""
    record = report_of(sections=[["Captured stdout call", "x" * 5000]])
    (place,) = written(tmp_path, record)
    report = builder.report(record, place)
    before = report._to_json()

    builder.park(report)

    assert isinstance(report, pytest.TestReport)
    assert type(report).__name__ == "TestReport"
    assert report._to_json() == before


def test_unknown_attribute_of_a_parked_report_does_not_exist(builder: ReportBuilder, tmp_path: Path) -> None:
    record = report_of(sections=[["Captured stdout call", "x" * 5000]])
    (place,) = written(tmp_path, record)
    report = builder.report(record, place)
    builder.park(report)

    assert not hasattr(report, "wasxfail")


def test_small_report_is_not_parked(builder: ReportBuilder, tmp_path: Path) -> None:
    record = report_of()
    (place,) = written(tmp_path, record)
    report = builder.report(record, place)

    builder.park(report)

    assert type(report) is pytest.TestReport
    assert "sections" in report.__dict__


def test_changes_of_plugins_in_the_pod_are_returned_once(builder: ReportBuilder) -> None:
    report = builder.report([*report_of(), {"status": ["rerun", "R", "RERUN"]}], NOWHERE)

    assert builder.change(report) == {"status": ["rerun", "R", "RERUN"]}
    assert builder.change(report) is None
