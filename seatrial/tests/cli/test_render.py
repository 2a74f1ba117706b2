from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from seatrial.sinks.past import events_of

RUNS = Path(__file__).parents[1] / "sinks" / "runs"


MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


def test_render_shows_the_latest_run_or_the_named_one(seatrial, tmp_path):
    Path("seatrial.toml").write_text(MINIMAL)
    none = seatrial("render")
    assert none.code == 4
    assert "  hint: seatrial run" in none.err
    run = tmp_path / ".seatrial/runs/20260131-154501-3f2a"
    run.mkdir(parents=True)
    shutil.copy(RUNS / "green.jsonl", run / "events.jsonl")
    (run.parent / "latest").symlink_to(run.name)

    said = seatrial("render")
    assert said.code == 0
    assert re.search(r"all tests passed: 7 passed, in \d+\.\d s; files in \S*/\.seatrial/runs/\S+$", said.out)
    assert seatrial("render", run.name).out == said.out
    assert seatrial("render", str(run)).out == said.out
    assert seatrial("render", str(run / "events.jsonl")).out == said.out
    assert "✓ cluster" in seatrial("render", "--as", "console").out
    assert "::group::" in seatrial("render", "--as", "github").out
    assert seatrial("render", "-q").out.startswith("all tests passed: 7 passed")
    unknown = seatrial("render", "other")
    assert unknown.code == 4
    assert f"  hint: one of: {run.name}" in unknown.err


def test_render_of_a_killed_run_reports_unreadable_lines(seatrial, tmp_path):
    text = (RUNS / "green.jsonl").read_text()
    events = text.splitlines()[:5]
    (tmp_path / "events.jsonl").write_text("\n".join([*events[:2], '{"body": "x"}', *events[2:], events[0][:30]]))
    said = seatrial("render", "events.jsonl")

    assert "events.jsonl:3: not an event that this seatrial knows" in said.err
    assert "the run ended without a verdict" in said.err


def test_render_as_json_prints_the_recorded_events(tmp_path):
    argv = [sys.executable, "-m", "seatrial", "render", str(RUNS / "green.jsonl"), "--json"]
    (tmp_path / "again.jsonl").write_bytes(subprocess.run(argv, capture_output=True, check=True).stdout)

    assert list(events_of(tmp_path / "again.jsonl")) == list(events_of(RUNS / "green.jsonl"))
