from __future__ import annotations

import json
from pathlib import Path

import pytest
from app.run_directories import write_run
from seatrial.model.errors import UsageError


@pytest.fixture
def pair(tmp_path):
    write_run(tmp_path / "one", {"t.py::a": "passed"})
    write_run(tmp_path / "two", {"t.py::a": "failed"}, text="Connection refused: http://localhost:80")
    return str(tmp_path / "one"), str(tmp_path / "two")


def test_equal_runs_end_with_0(seatrial, pair):
    said = seatrial("compare", pair[0], pair[0])

    assert said.code == 0
    assert said.out.endswith("one and one are equal\n")


def test_runs_that_differ_end_with_13_and_the_cause(seatrial, pair):
    said = seatrial("compare", *pair)

    assert said.code == 13
    assert "a connection to localhost fails in two" in said.out
    assert "one and two differ: 1 difference, 0 unexplained" in said.out


def test_json_is_one_document(seatrial, pair):
    said = seatrial("compare", *pair, "--json")

    document = json.loads(said.out)
    assert (document["exit"], document["schema"]) == (13, 1)
    assert document["differences"][0]["explanation"]["rule"] == "localhost"


def test_markdown_is_written_beside_the_table(seatrial, pair, tmp_path):
    seatrial("compare", *pair, "--markdown", str(tmp_path / "diff.md"))

    assert (tmp_path / "diff.md").read_text().startswith("### one and two differ")


def test_runs_of_the_project_are_named_by_their_ids(seatrial, tmp_path):
    Path("seatrial.toml").write_text('[runner]\nimage = "example.org/tests:1"\n')
    write_run(tmp_path / ".seatrial" / "runs" / "one", {"t.py::a": "passed"})
    Path("accepted-differences.toml").write_text("x = 1\n")

    said = seatrial("compare", "one", "one")
    assert said.code == 4
    assert "accepted-differences.toml:1: x: is not a key of this file" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "none"), "no run 'none'"),
        (("one", "one", "--max-test", "0.5"), "--max-test 0.5 is below 1"),
        (("one",), "a comparison of recorded runs needs two of them"),
        (("one", "one", "--reruns", "1"), "--reruns needs --env"),
        (("--env", "compose"), "a comparison of environments needs two kinds and no run"),
        (("--env", "compose", "--env", "compose"), "a comparison of environments needs two kinds and no run"),
        (("one", "one", "--env", "compose", "--env", "kubernetes"), "needs two kinds and no run"),
    ],
)
def test_wrong_usage_ends_with_4(seatrial, pair, arguments, message):
    said = seatrial("compare", *arguments)

    assert said.code == 4
    assert message in said.err


def test_environments_of_both_kinds_are_run(seatrial, project, monkeypatch):
    asked = []

    def run_both(this, projects, **more):
        asked.append(({name: each.environment for name, each in projects.items()}, more["reruns"]))
        raise UsageError("stop here")

    monkeypatch.setattr("seatrial.app.comparing.run_both", run_both)
    (project / "compose.yaml").write_text("services: {}\n")
    with (project / "seatrial.toml").open("a") as file:
        file.write('\n[compose]\nfile = "compose.yaml"\n')
    said = seatrial("compare", "--env", "kubernetes", "--env", "compose", "--reruns", "2")

    assert said.code == 4
    assert asked == [({"kubernetes": "kubernetes", "compose": "compose"}, 2)]
