from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.problem import ConfigurationError
from seatrial.model.errors import UsageError

from .configurations import FULL, MINIMAL, refused


@pytest.fixture
def elsewhere(root, monkeypatch):
    """The root through a link from another folder, which is the working directory."""
    (root / "seatrial.toml").write_text(FULL)
    there = root.parent / f"{root.name}-elsewhere"
    there.mkdir()
    (there / "link").symlink_to(root)
    (there / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(there)
    return there


@pytest.mark.parametrize(
    "at", ["link", "link/", "link/charts", "link/charts/..", "link/seatrial.toml", "deep/../link", "./link/."]
)
def test_load_gives_a_project_the_same_path_through_links_and_dots(root, elsewhere, at):
    loaded = load(at, environ={})

    assert loaded.project.root == root
    assert loaded.file == root / "seatrial.toml"
    assert loaded.project.image[0].context == root
    assert loaded.project.release[0].chart == str(root / "charts/app")


@pytest.mark.parametrize("at", ["..", "../..", "../../", "./.."])
def test_load_finds_a_project_above_the_working_directory_by_dots(root, monkeypatch, at):
    (root / "seatrial.toml").write_text(FULL)
    monkeypatch.chdir(root / "charts" / "app")
    expected = load(environ={})

    assert load(at, environ={}).project == expected.project
    assert expected.project.root == root


def test_load_takes_the_folder_of_a_linked_file_as_the_project(root, elsewhere):
    (root / "seatrial.toml").rename(root / "shared.toml")
    for name in ("kind.yaml", "Dockerfile", "values.yaml", "pull.json", "compose.yaml", "token"):
        (elsewhere / name).write_text("")
    (elsewhere / "extra").mkdir()
    (elsewhere / "charts" / "app").mkdir(parents=True)
    (elsewhere / "seatrial.toml").symlink_to(root / "shared.toml")

    assert load(environ={}).project.root == elsewhere
    assert load("seatrial.toml", environ={}).project == load(environ={}).project


def test_load_reads_tool_seatrial_of_pyproject(root):
    Path("pyproject.toml").write_text('[project]\nname = "x"\n[tool.seatrial.runner]\nimage = "example.org/tests:1"\n')

    loaded = load(environ={})

    assert loaded.project.runner.image == "example.org/tests:1"
    assert loaded.sources["runner", "image"].where == "pyproject.toml:4"


def test_load_reports_problems_in_pyproject_with_its_lines(root):
    Path("pyproject.toml").write_text('[tool.seatrial]\nrunner.image = "example.org/tests:1"\nrunner.imag = 1\n')
    with pytest.raises(ConfigurationError) as caught:
        load(environ={})

    assert str(caught.value.problems[0]) == "pyproject.toml:3: runner.imag: unknown key; did you mean 'image'?"


def test_load_ignores_an_invalid_pyproject_without_tool_seatrial(root, monkeypatch):
    Path("seatrial.toml").write_text(MINIMAL)
    (root / "inner").mkdir()
    (root / "inner/pyproject.toml").write_text("not TOML")
    monkeypatch.chdir("inner")

    assert load(environ={}).file == root / "seatrial.toml"


def test_load_refuses_two_configurations_in_one_directory(root):
    Path("seatrial.toml").write_text(MINIMAL)
    Path("pyproject.toml").write_text('[tool.seatrial.runner]\nimage = "a:1"\n')
    with pytest.raises(ConfigurationError, match="1 problem") as caught:
        load(environ={})

    assert "keep one of them" in str(caught.value.problems[0])


def test_load_without_a_configuration_hints_at_init(root):
    with pytest.raises(UsageError, match=r"no seatrial.toml in .* or above") as caught:
        load(environ={})

    assert caught.value.hint.startswith("run seatrial init")


def test_load_accepts_a_file_or_a_directory(root, tmp_path):
    (root / "other.toml").write_text(MINIMAL)
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n")

    assert load("other.toml", environ={}).project.root == root
    with pytest.raises(UsageError, match=r"no table \[tool.seatrial\]"):
        load("pyproject.toml", environ={})
    with pytest.raises(UsageError, match="does not exist"):
        load("nowhere", environ={})


def test_load_reports_invalid_toml_with_its_line(root):
    assert refused("[runner]\nimage = \n") == ["seatrial.toml:2: invalid TOML: invalid value"]


def test_load_refuses_a_file_that_is_not_utf_8(root):
    Path("seatrial.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        load(environ={})
