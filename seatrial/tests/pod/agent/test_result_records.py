"""Records of test results: short for plain passes, serialized for all others."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config import get_config
from seatrial.pod.agent import result_records
from seatrial.pod.agent.frame_log import FrameWriter
from seatrial.runner.protocol import FrameReader

LOCATION = ("a.py", 1, "test_a")
NODEID = "a.py::test_a"


class Log:
    """A frame log and the hooks that write to it.

    Attributes:
        flushed: number of records that were written at each flush.
        news: how often the hooks asked for news of the session.
    """

    def __init__(self, path: Path) -> None:
        config = get_config([])
        config.parse(["-p", "no:terminal", "-p", "no:subtests", "-p", "no:seatrial"])
        self.path = path
        self.flushed: list[int] = []
        self.news = 0
        self.out = FrameWriter(str(path))
        self.tests = result_records.Tests(config, self.out, self.flush, self.count_news)
        # The first report checks whether a plugin gives a status to results.
        self.tests.statuses.of(report("setup"))

    def flush(self) -> None:
        self.out.flush()
        self.flushed.append(len(self.records()))

    def count_news(self) -> None:
        self.news += 1

    def records(self) -> list[list[Any]]:
        reader = FrameReader()
        return [each for frame in reader.feed(self.path.read_bytes()) for each in frame.records]

    def all(self) -> list[list[Any]]:
        self.tests.settle()
        self.out.flush()
        return self.records()

    def run(self, *reports: Any, nodeid: str = NODEID) -> None:
        self.tests.pytest_runtest_logstart(nodeid, LOCATION)
        for each in reports:
            self.tests.pytest_runtest_logreport(each)
        self.tests.pytest_runtest_logfinish(nodeid)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    (tmp_path / "frames").touch()
    return Log(tmp_path / "frames")


def report(when: Any, outcome: Any = "passed", **more: Any) -> Any:
    longrepr = "boom" if outcome == "failed" else None
    made = pytest.TestReport(NODEID, LOCATION, {"a": 1, "b": 1}, outcome, longrepr, when, duration=0.001, start=2.0)
    made.__dict__.update(more)
    return made


PHASES = ("setup", "call", "teardown")


def test_plain_pass_has_short_records(log: Log) -> None:
    log.run(*map(report, PHASES))

    assert log.all() == [
        ["s", "a.py::test_a\0a.py\0test_a", 1],
        ["p", "a\0b", 1_000_000, 2_000_000, 1_000_000, 2_000_000],
        ["t", 1_000_000, 2_000_000],
    ]
    assert log.tests.counts() == {"setup/passed/": 1, "call/passed/": 1, "teardown/passed/": 1}


def test_plain_pass_is_written_when_the_next_test_starts(log: Log) -> None:
    log.run(*map(report, PHASES))
    assert [each[0] for each in log.records()] == ["s"]

    log.tests.pytest_runtest_logstart("a.py::test_b", LOCATION)

    assert [each[0] for each in log.records()] == ["s", "p", "t", "s"]


def test_slow_pass_is_written_immediately(log: Log) -> None:
    log.tests.pytest_runtest_logstart(NODEID, LOCATION)
    log.tests.pytest_runtest_logreport(report("setup"))
    log.tests.pytest_runtest_logreport(report("call", duration=0.0051))

    assert [each[0] for each in log.records()] == ["s", "p"]


@pytest.mark.parametrize(
    "change",
    [
        {"sections": [("Captured stdout call", "x")]},
        {"user_properties": [("a", "b")]},
        {"longrepr": "text"},
        {"attribute_of_a_plugin": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_pass_with_more_than_the_result_is_serialized(log: Log, change: dict[str, Any]) -> None:
    log.run(report("setup"), report("call", **change), report("teardown"))

    found = log.all()

    assert [each[0] for each in found] == ["s", "report", "report", "t"]
    assert log.tests.counts() == {"setup/passed/": 1, "call/passed/": 1, "teardown/passed/": 1}


def test_keywords_that_change_during_the_call_are_serialized(log: Log) -> None:
    log.run(report("setup"), report("call", keywords={"a": 1}), report("teardown"))

    assert [each[0] for each in log.all()] == ["s", "report", "report", "t"]


def test_teardown_with_output_is_serialized_and_ends_the_test(log: Log) -> None:
    log.run(report("setup"), report("call"), report("teardown", sections=[("Captured", "x")]))

    found = log.all()

    assert [each[0] for each in found] == ["s", "p", "report", "f"]
    assert found[-1] == ["f", NODEID]


def test_failure_is_written_immediately(log: Log) -> None:
    log.run(report("setup"), report("call", "failed"), report("teardown"))

    found = log.all()

    assert [each[0] for each in found] == ["s", "report", "report", "t"]
    assert (found[2][1]["outcome"], found[2][1]["longrepr"]) == ("failed", "boom")
    assert log.flushed == [1, 3]
    assert log.tests.counts() == {"setup/passed/": 1, "call/failed/": 1, "teardown/passed/": 1}


def test_expected_failure_is_counted_apart(log: Log) -> None:
    log.run(report("setup"), report("call", "skipped", wasxfail="reason"), report("teardown"))
    log.all()

    assert log.tests.counts()["call/skipped/x"] == 1


def test_nul_in_a_node_id_does_not_separate_fields(log: Log) -> None:
    log.run(*map(report, PHASES), nodeid="a.py::test_a[\0]")

    assert log.all()[0][1] == "a.py::test_a[\\x00]\0a.py\0test_a"


def test_text_of_plugins_follows_the_report_that_was_shown(log: Log) -> None:
    log.tests.pytest_runtest_logstart(NODEID, LOCATION)
    log.tests.behind.append(json.dumps(["text", "of a plugin", 0, 0]))
    log.tests.pytest_runtest_logreport(report("setup"))

    assert [each[0] for each in log.records()] == ["s", "report", "text"]
    assert log.tests.behind == []


def test_long_output_is_written_in_pieces_before_its_report(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_records, "_LONG", 4)
    monkeypatch.setattr(result_records, "_PIECE", 3)
    log.run(report("setup"), report("call", "failed", sections=[("long", "abcdefgh"), ("short", "abcd")]))

    lines = [json.loads(line.split(b" ", 3)[3]) for line in log.path.read_bytes().splitlines()]

    pieces = [record for frame in lines for record in frame if record[0] == "blob"]
    (shown,) = [record for frame in lines for record in frame if record[0] == "report" and record[1]["when"] == "call"]
    assert pieces == [["blob", 1, "abc"], ["blob", 1, "def"], ["blob", 1, "gh"]]
    assert shown[1]["sections"] == [["long", {"$blob": 1}], ["short", "abcd"]]


def test_worker_is_recorded_before_its_first_report(log: Log) -> None:
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"), workerinfo={"version": "3.13"})
    for each in (report("setup", node=node), report("call", node=node)):
        log.tests.pytest_runtest_logreport(each)

    found = log.all()

    assert [each[0] for each in found] == ["worker", "report", "report"]
    assert found[0] == ["worker", "gw0", {"version": "3.13"}]
    assert log.news == 0
