"""Environment and arguments of the command of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from seatrial.pod.agent.run_command import environment, expand, expand_one
from seatrial.pod.agent.wire import (
    COLLECTED_MARK,
    GLOB_MARK,
    ORIGINAL_ENVIRONMENT_VARIABLE,
    PLUGIN,
    RUN_DIRECTORY_VARIABLE,
    STATE_VARIABLE,
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory whose path has a space."""
    state = tmp_path / "the state"
    monkeypatch.setenv(STATE_VARIABLE, str(state))
    return state


def test_environment_loads_the_plugin_and_records_what_it_replaced(state: Path) -> None:
    found = environment({"run": "r", "env": {"A": "request"}}, {"A": "container", "PYTHONPATH": "/src"})

    assert (found["A"], found["PYTHONPATH"], found["PYTEST_PLUGINS"]) == ("request", f"{state}/lib:/src", PLUGIN)
    assert found["PYTEST_ADDOPTS"] == f"-o 'cache_dir={state}/cache'"
    assert found[RUN_DIRECTORY_VARIABLE] == f"{state}/runs/r"
    assert json.loads(found[ORIGINAL_ENVIRONMENT_VARIABLE]) == {
        "PYTHONPATH": "/src", "PYTEST_PLUGINS": None, "PYTEST_ADDOPTS": None,
    }  # fmt: skip
    assert (state / "runs/r/collected/coverage").is_dir()
    assert (state / "runs/r/collected/files").is_dir()


def test_options_of_the_user_have_priority(state: Path) -> None:
    """pytest takes the last of several values; plugins of the user are loaded first."""
    base = {"PYTEST_ADDOPTS": "-o cache_dir=mine", "PYTEST_PLUGINS": "mine", "COVERAGE_FILE": "/mine"}

    found = environment({"run": "r"}, base)

    assert found["PYTEST_ADDOPTS"].endswith(" -o cache_dir=mine")
    assert found["PYTEST_PLUGINS"] == f"mine,{PLUGIN}"
    assert found["COVERAGE_FILE"] == "/mine"


def test_coverage_data_is_collected_by_default(state: Path) -> None:
    assert environment({"run": "r"}, {})["COVERAGE_FILE"] == f"{state}/runs/r/collected/coverage/.coverage"


def test_only_marked_globs_are_expanded(tmp_path: Path) -> None:
    for name in ("b.py", "a.py"):
        (tmp_path / name).touch()

    assert expand(["*.py", f"{GLOB_MARK}*.py"], str(tmp_path), "/collected") == ["*.py", "a.py", "b.py"]


def test_mark_of_the_collected_directory_is_replaced_and_its_folder_created(tmp_path: Path) -> None:
    collected = tmp_path / "collected"

    words = expand([f"--html={COLLECTED_MARK}/files/html/r.html"], str(tmp_path), str(collected))

    assert words == [f"--html={collected}/files/html/r.html"]
    assert (collected / "files/html").is_dir()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["./-x.txt", "a.txt"]),
        ("*/", ["folder/"]),
        ("nothing*", ["nothing*"]),
        ("[a]*.txt", ["a.txt"]),
        ("{root}/a*", ["{root}/a.txt"]),
    ],
)
def test_expand_one_expands_like_a_shell(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    """A name that begins with a dash stays a path. Special characters of the directory itself do not count."""
    root = tmp_path / "dir[1]"
    (root / "folder").mkdir(parents=True)
    for name in ("a.txt", "-x.txt"):
        (root / name).touch()
    directory = str(root).replace("[", "[[]") if "{root}" in pattern else str(root)

    found = expand_one(pattern.format(root=directory), str(root))

    assert found == [each.format(root=root) for each in expected]
