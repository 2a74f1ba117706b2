from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from seatrial.model import timeline as t
from seatrial.report.run_files import LogFile, RunFiles

from .run_directories import START, Case, RunDirectory


def test_run_files_reads_what_a_run_wrote(tmp_path: Path) -> None:
    record = t.RecordingRecord(at=START, state="started", schema=1)
    run = RunDirectory(tests=[Case("a.py::t")], records=[record], logs={"default/web-0/api.log": "hello"})
    files = RunFiles(run.write(tmp_path))

    assert files.result() == run.result()
    assert list(files.events()) == run.events()
    assert list(files.session().tests) == ["a.py::t"]
    assert files.timeline() == [record]
    [log] = files.pod_logs()
    assert log == LogFile("logs/pods/default/web-0/api.log", "default", "web-0", "api")
    assert files.log(log) == b"hello"
    assert [link.path for link in files.links()] == [
        "events.jsonl", "frames", "result.json", "timeline.jsonl", "logs/pods/default/web-0/api.log",
    ]  # fmt: skip


def test_run_files_of_an_empty_directory(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)

    assert files.result() is None
    assert list(files.events()) == []
    assert files.session().tests == {}
    assert files.timeline() == []
    assert files.links() == ()


def test_unknown_events_and_a_damaged_result_are_left_out(tmp_path: Path) -> None:
    run = RunDirectory(tests=[Case("a.py::t")])
    run.write(tmp_path)
    (tmp_path / "events.jsonl").write_bytes(b'{"body": 3}\n' + (tmp_path / "events.jsonl").read_bytes() + b'{"half')
    (tmp_path / "result.json").write_text('{"schema": 9}')
    files = RunFiles(tmp_path)

    assert list(files.events()) == run.events()
    assert files.result() is None


def test_links_devices_and_folders_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    run = tmp_path / "run"
    (run / "logs").mkdir(parents=True)
    (run / "result.json").symlink_to(secret)
    (run / "logs" / "pods").symlink_to(tmp_path)
    os.mkfifo(run / "events.jsonl")
    (run / "frames").mkdir()
    files = RunFiles(run)

    assert files.read("result.json") == b""
    assert files.read("events.jsonl") == b""
    assert files.read("frames") == b""
    assert files.links() == ()


def test_read_is_limited_to_the_beginning_or_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0123456789")
    files = RunFiles(tmp_path)

    assert files.read("a", limit=3) == b"012"
    assert files.read("a", limit=3, end=True) == b"789"


def test_session_of_a_log_with_long_output(tmp_path: Path) -> None:
    """The pieces of long output have frames of their own, which only a failed report needs."""
    from runner.frames import log  # noqa: PLC0415

    def report(nodeid: str, outcome: str, number: int) -> list[Any]:
        more = {"longrepr": "E   x"} if outcome == "failed" else {}
        return ["report", {"nodeid": nodeid, "when": "call", "outcome": outcome, **more,
                           "sections": [["Captured stdout call", {"$blob": number}]]}]  # fmt: skip

    frames: list[list[Any]] = [
        [["session", {"version": 1}]],
        [["blob", 1, "of the passed test"]],
        [report("a.py::a", "passed", 1)],
        [["blob", 2, "first, "]],
        [["blob", 2, "second"]],
        [report("a.py::b", "failed", 2)],
    ]
    (tmp_path / "frames").write_bytes(b"".join(log(*frames)))
    session = RunFiles(tmp_path).session()

    assert session.tests["a.py::a"].phases == []
    assert session.tests["a.py::b"].phases[0].sections[0].text == "first, second"


def test_result_is_json_of_this_version(tmp_path: Path) -> None:
    result = RunDirectory().result()
    (tmp_path / "result.json").write_bytes(msgspec.json.encode(result))

    assert RunFiles(tmp_path).result() == result
