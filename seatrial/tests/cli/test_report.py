from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from report.run_directories import RUN, Case, RunDirectory, suite

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


def test_report_names_the_command_that_runs_the_test_in_the_same_environment(seatrial, tmp_path, runs, monkeypatch):
    monkeypatch.setattr("seatrial.app.environments.claim", lambda *_: "record")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "seatrial.toml").write_text(MINIMAL)
    seatrial(
        "-C", "shop", "--set", "runner.command=pytest -k 'a b'",
        "test", "--env", "kubernetes", "--namespace", "pr-42", "-x",
    )  # fmt: skip
    selection = runs.calls[0]["selection"]
    RunDirectory(tests=[Case("a.py::t[x y]", "failed")], selection=selection).write(tmp_path / "run")

    brief = seatrial("report", "./run", "--format", "brief").out
    reproduce = next(line for line in brief.splitlines() if line.startswith("reproduce: "))
    program, *argv = shlex.split(reproduce.removeprefix("reproduce: "))
    assert (program, seatrial(*argv).code) == ("seatrial", 0)
    again = runs.calls[1]
    assert (again["selection"], again["project"]) == (selection, runs.calls[0]["project"])
    assert (again["command"], again["pytest_args"]) == (("test", "a.py::t[x y]"), ("a.py::t[x y]",))


def test_report_of_an_unknown_run_names_the_known_ones(seatrial, run):
    said = seatrial("report", "other")

    assert said.code == 4
    assert f"  hint: one of: {RUN}" in said.err


def test_report_that_cannot_be_written_is_one_error(seatrial, run):
    (run / "report.html").mkdir()
    said = seatrial("report")

    assert said.code == 10
    assert "cannot write below" in said.err
