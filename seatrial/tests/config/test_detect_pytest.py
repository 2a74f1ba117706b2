"""Whether declared dependencies name pytest."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.config.detect_pytest import glob, pyproject_installs_pytest, read_text, requirements_name_pytest


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt").replace("_in", ".in").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pytest", True),
        ("  pytest==8.0", True),
        ("pytest-cov>=5", True),
        ("pytest[x]; python_version > '3'", True),
        ("httpx\npytest\n", True),
        ("pytester", False),
        ("# pytest", False),
        ("my-pytest", False),
    ],
)
def test_requirements_name_pytest_or_a_plugin(tmp_path: Path, line: str, expected: bool) -> None:
    write(tmp_path, requirements_txt=line)

    assert requirements_name_pytest(tmp_path, "requirements.txt") is expected


@pytest.mark.parametrize("include", ["-r dev.txt", "-rdev.txt", "--requirement dev.txt", "--requirement=dev.txt"])
def test_included_files_are_read_relative_to_the_including_one(tmp_path: Path, include: str) -> None:
    write(tmp_path, deps__all_txt=f"flask\n{include}\n", deps__dev_txt="pytest\n")

    assert requirements_name_pytest(tmp_path, "deps/all.txt")


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    write(tmp_path, a_txt="-r b.txt", b_txt="-r a.txt")

    assert not requirements_name_pytest(tmp_path, "a.txt")


def test_three_levels_of_included_files_are_read(tmp_path: Path) -> None:
    write(tmp_path, a_txt="-r b.txt", b_txt="-r c.txt", c_txt="-r d.txt", d_txt="-r e.txt", e_txt="pytest")

    assert not requirements_name_pytest(tmp_path, "a.txt")
    assert requirements_name_pytest(tmp_path, "b.txt")


@pytest.mark.parametrize("name", ["/app/requirements.txt", "./requirements.txt", "/tmp/req*.txt", "requirements.txt"])
def test_path_in_the_image_means_the_file_of_the_same_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, requirements_txt="pytest\n")

    assert requirements_name_pytest(tmp_path, name)


def test_other_files_are_no_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.py").write_text("pytest\n")

    assert not requirements_name_pytest(tmp_path, "requirements.py")
    assert not requirements_name_pytest(tmp_path, "missing.txt")


@pytest.mark.parametrize("pattern", ["../*.txt", "", "/etc/*"])
def test_glob_never_leaves_the_folder_and_never_fails(tmp_path: Path, pattern: str) -> None:
    assert glob(tmp_path, pattern) == []


def test_unreadable_text_is_empty(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    assert (read_text(tmp_path / "binary"), read_text(tmp_path / "missing"), read_text(tmp_path)) == ("", "", "")


PEP_735 = "[dependency-groups]\ndev = ['pytest']\n"
UV = "[tool.uv]\ndev-dependencies = ['pytest']\n"
EXTRA = "[project.optional-dependencies]\ntest = ['pytest']\n"
OTHER_GROUP = "[dependency-groups]\nci = ['pytest']\n"
POETRY = "[tool.poetry.group.test.dependencies]\npytest = '*'\n"


@pytest.mark.parametrize(
    ("text", "command", "expected"),
    [
        ("[project]\ndependencies = ['pytest>=8']\n", "pip install .", True),
        ("[tool.poetry.dependencies]\npytest = '*'\n", "poetry install --no-dev", True),
        (PEP_735, "uv sync", True),
        (PEP_735, "uv sync --no-dev", False),
        (PEP_735, "uv sync --no-default-groups", False),
        (PEP_735, "pip install .", False),
        (UV, "uv sync", True),
        (OTHER_GROUP, "uv sync", False),
        (OTHER_GROUP, "uv sync --group ci", True),
        (OTHER_GROUP, "uv sync --only-group ci", True),
        (EXTRA, "pip install .", False),
        (EXTRA, "pip install '.[test]'", True),
        (EXTRA, "uv sync --all-extras", True),
        (POETRY, "poetry install", True),
        (POETRY, "poetry install --without test", False),
        (POETRY, "poetry install --with test", True),
        (POETRY, "poetry install --only main", False),
        ("not TOML", "uv sync", False),
        ("", "uv sync", False),
    ],
)
def test_pyproject_installs_pytest_if_the_command_selects_it(
    tmp_path: Path, text: str, command: str, expected: bool
) -> None:
    write(tmp_path, pyproject_toml=text)

    assert pyproject_installs_pytest(tmp_path, command) is expected
