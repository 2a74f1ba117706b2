from __future__ import annotations

import json
from pathlib import Path

import pytest
from report.run_directories import RUN, RunDirectory, suite

MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "seatrial.toml").write_text(MINIMAL)
    directory = RunDirectory(tests=suite(30)).write(tmp_path / ".seatrial" / "runs" / RUN)
    (directory.parent / "latest").symlink_to(RUN)
    return directory


def test_report_writes_the_page_of_the_latest_or_named_run(seatrial, run):
    said = seatrial("report")
    assert (said.code, said.err) == (0, "")
    assert Path(said.out.strip()).samefile(run / "report.html")
    (run / "report.html").unlink()

    assert seatrial("report", RUN).code == 0
    assert "test_order_3" in (run / "report.html").read_text()
    document = json.loads(seatrial("report", str(run), "--json").out)
    assert document == {"report": str(run / "report.html")}


def test_report_prints_markdown_and_brief(seatrial, run):
    assert seatrial("report", "--format", "markdown").out.startswith("### ❌ tests failed: 2 failed")
    brief = seatrial("report", "--format", "brief")
    assert brief.out.startswith("verdict: tests failed (exit code 1): 2 failed")
    assert not (run / "report.html").exists()
    assert json.loads(seatrial("report", "--format", "brief", "--json").out)["brief"].strip() == brief.out.strip()


def test_report_of_an_unknown_run_names_the_known_ones(seatrial, run):
    said = seatrial("report", "other")

    assert said.code == 4
    assert f"  hint: one of: {RUN}" in said.err


def test_report_that_cannot_be_written_is_one_error(seatrial, run):
    (run / "report.html").mkdir()
    said = seatrial("report")

    assert said.code == 10
    assert "cannot write below" in said.err
