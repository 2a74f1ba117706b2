"""Commands that need no cluster: config, init, completion, render."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.sinks.past import events_of

RUNS = Path(__file__).parents[1] / "sinks" / "runs"
MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


def test_config_show(seatrial):
    Path("seatrial.toml").write_text(MINIMAL)
    said = seatrial("--set", "timeouts.run=9", "config", "show")

    assert said.code == 0
    lines = {line.partition("  # ")[0].rstrip(): line.partition("  # ")[2] for line in said.out.splitlines()}
    assert lines['runner.image = "example.org/tests:1"'] == "seatrial.toml:2"
    assert lines["timeouts.run = 9"] == "--set"
    document = json.loads(seatrial("config", "show", "--json").out)
    assert {"key": "runner.pod", "value": "test-runner", "source": "default", "where": ""} in document["settings"]


def test_config_show_prints_all_problems(seatrial):
    Path("seatrial.toml").write_text("[runner]\nimag = 1\n[timeouts]\nrun = 'x'\n")
    said = seatrial("config", "show")

    assert said.code == 4
    assert said.out == ""
    assert said.err.splitlines()[1:] == [
        "seatrial.toml:2: runner.imag: unknown key; did you mean 'image'?",
        'seatrial.toml:4: timeouts.run: is "x", should be a number',
        "seatrial: 3 problems in the configuration",
    ]


def test_config_lint(seatrial):
    Path("seatrial.toml").write_text(MINIMAL)
    assert seatrial("config", "lint").out == "seatrial.toml: no warnings\n"

    Path("seatrial.toml").write_text(MINIMAL.replace(":1", ""))
    said = seatrial("config", "lint")
    assert said.code == 0
    assert "may refer to another image later" in said.out
    assert seatrial("config", "lint", "--strict").code == 4
    assert json.loads(seatrial("config", "lint", "--json").out)["warnings"][0]["where"] == "seatrial.toml:2"


def test_config_schema_is_json_whatever_the_options(seatrial):
    assert json.loads(seatrial("config", "schema").out)["title"] == "seatrial.toml"


def test_init_writes_a_file_that_lint_accepts_and_never_overwrites(seatrial, tmp_path):
    Path("Dockerfile").write_text("FROM x:1\n")
    Path("tests").mkdir()
    said = seatrial("init")

    assert said.code == 0
    assert "guessed  tests in tests: by the folder's name" in said.out
    assert 'guessed  [runner] image = "' in said.out
    assert said.out.splitlines()[-2:] == ["wrote    seatrial.toml", "next     seatrial run"]
    assert seatrial("config", "lint").out == "seatrial.toml: no warnings\n"
    before = Path("seatrial.toml").read_text()
    assert re.search(r'^project = "[a-z0-9-]+-[0-9a-f]{8}"$', before, re.MULTILINE)
    Path("seatrial.toml").unlink()
    seatrial("init")
    assert Path("seatrial.toml").read_text() != before, "another project gets another id"
    Path("seatrial.toml").write_text(before)

    again = seatrial("init")
    assert again.code == 4
    assert "already exists" in again.err
    assert Path("seatrial.toml").read_text() == before
    assert seatrial("init", "--print").out == before


def test_init_without_a_dockerfile_prints_the_command_that_writes_one(seatrial):
    said = seatrial("init")
    assert said.code == 4
    assert "  hint: seatrial init --dockerfile writes one" in said.err
    assert "# seatrial.toml" in seatrial("init", "--dockerfile", "--print").out
    assert not Path("Dockerfile.tests").exists()

    said = seatrial("init", "--dockerfile", "--json")
    assert said.code == 0
    assert json.loads(said.out)["written"] == ["Dockerfile.tests", "seatrial.toml"]
    assert 'dockerfile = "Dockerfile.tests"' in Path("seatrial.toml").read_text()


def test_init_prints_the_warnings_of_lint(seatrial):
    Path("Dockerfile").write_text("FROM x:1\n")
    Path(".git").mkdir()

    assert "the build context has a .git and no .dockerignore" in seatrial("init").err


def test_init_in_another_directory(seatrial, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/Dockerfile").write_text("FROM x:1\n")

    assert seatrial("init", "-C", "inner").code == 0
    assert (tmp_path / "inner/seatrial.toml").exists()
    assert seatrial("-C", "nowhere", "init").code == 4


def test_init_finds_the_services_of_a_chart_by_helm_template(seatrial, tmp_path, monkeypatch):
    """A stand-in for helm prints what one did print; the real one takes its place in the tutorial's own test."""
    Path("Dockerfile").write_text("FROM x:1\n")
    Path("chart").mkdir()
    Path("chart/Chart.yaml").write_text("name: c\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    helm = programs / "helm"
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    assert "helm is not on PATH" in seatrial("init").out
    Path("seatrial.toml").unlink()

    helm.write_text('#!/bin/sh\necho "kind: Service\nmetadata: {name: api}\nspec: {ports: [{port: 80}]}"\n')
    helm.chmod(0o755)
    assert "found    services of the charts: api 80" in seatrial("init").out
    Path("seatrial.toml").unlink()

    helm.write_text('#!/bin/sh\necho "Error: values do not fit" >&2; exit 1\n')
    assert "helm template chart failed (Error: values do not fit); add a table for each service" in seatrial("init").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(seatrial, shell):
    said = seatrial("completion", shell)

    assert said.code == 0
    assert "_SEATRIAL_COMPLETE" in said.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here to complete in")
def test_completion_in_bash():
    script = (
        'source <(python -m seatrial completion bash); seatrial() { python -m seatrial "$@"; }\n'
        'COMP_WORDS=(seatrial con) COMP_CWORD=1; _seatrial_completion seatrial; echo "${COMPREPLY[@]}"\n'
        "COMPREPLY=(); COMP_WORDS=(seatrial config li) COMP_CWORD=2; _seatrial_completion seatrial; echo"
        ' "${COMPREPLY[@]}"\n'
    )
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=False, text=True, env={"PATH": f"{folder}:/usr/bin:/bin"}
    )

    assert done.stdout.split() == ["config", "lint"], done.stderr


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
