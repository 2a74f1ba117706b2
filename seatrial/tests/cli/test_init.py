from __future__ import annotations

import json
import re
from pathlib import Path


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


def test_init_writes_into_the_project_of_dash_c(seatrial, tmp_path):
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
