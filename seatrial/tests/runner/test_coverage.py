"""Coverage data of the pod, mapped to files of the project."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import coverage
import pytest
from seatrial.runner.coverage import PathMap, map_coverage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    root = tmp_path / "project"
    for path in ("src/pkg/code.py", "src/pkg/__init__.py", "other/code.py", "tests/test_code.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\ny = 2\nz = 3\n")
    return root


def measured(directory: Path, lines: dict[str, list[int]]) -> Path:
    """Write a data file as coverage.py does."""
    directory.mkdir(exist_ok=True)
    data = coverage.CoverageData(str(directory / ".coverage"))
    data.add_lines(lines)
    data.write()
    data.close()
    return directory


def read(directory: Path) -> dict[str, list[int]]:
    data = coverage.CoverageData(str(directory / ".coverage"))
    data.read()
    found = {path: sorted(data.lines(path) or []) for path in data.measured_files()}
    data.close()
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/app/src/pkg/code.py", "src/pkg/code.py"),
        ("src/pkg/code.py", "src/pkg/code.py"),
        ("/usr/lib/python3/site-packages/pkg/code.py", "src/pkg/code.py"),
        ("/app/.venv/lib/python3.13/site-packages/pkg/code.py", "src/pkg/code.py"),
        ("/usr/lib/python3/dist-packages/code.py", None),
        ("/app/gone.py", None),
        ("gone.py", None),
        ("/elsewhere/src/pkg/code.py", None),
    ],
)
def test_path_in_the_pod_is_mapped_to_the_project(root: Path, path: str, expected: str | None) -> None:
    """By path, or for installed packages by the end of the path if it is unique."""
    assert PathMap(root, "/app").find(path) == expected


def test_data_file_is_mapped_and_merged(root: Path, tmp_path: Path) -> None:
    """coverage.py reads the result. Two names of a file become one with the lines of both."""
    directory = measured(
        tmp_path / "home",
        {
            "/app/src/pkg/code.py": [1, 2],
            "/usr/lib/site-packages/pkg/code.py": [3],
            "/app/tests/test_code.py": [1],
            "/usr/lib/python3/json.py": [7],
        },
    )

    collected = map_coverage(directory, root=root, directory_in_pod="/app")

    assert (collected.mapped, collected.unmapped) == (2, ("/usr/lib/python3/json.py",))
    assert read(directory) == {
        str(root / "src/pkg/code.py"): [1, 2, 3],
        str(root / "tests/test_code.py"): [1],
        "/usr/lib/python3/json.py": [7],
    }


def test_branches_are_merged_like_lines(root: Path, tmp_path: Path) -> None:
    """Arcs are merged as lines are."""
    directory = tmp_path / "home"
    directory.mkdir()
    data = coverage.CoverageData(str(directory / ".coverage"))
    data.add_arcs({"/app/src/pkg/code.py": [(1, 2)], "/x/site-packages/pkg/code.py": [(1, 2), (2, 3)]})
    data.write()
    data.close()

    assert map_coverage(directory, root=root, directory_in_pod="/app").mapped == 1

    data = coverage.CoverageData(str(directory / ".coverage"))
    data.read()
    assert sorted(data.arcs(str(root / "src/pkg/code.py")) or []) == [(1, 2), (2, 3)]
    data.close()


def test_data_without_files_of_the_project_has_none_mapped(root: Path, tmp_path: Path) -> None:
    """The caller reports it as an error."""
    collected = map_coverage(measured(tmp_path / "home", {"/x.py": [1]}), root=root, directory_in_pod="/app")

    assert (collected.mapped, collected.unmapped) == (0, ("/x.py",))


def test_xml_report_has_paths_of_the_project(root: Path, tmp_path: Path) -> None:
    """File names are those of the project."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "coverage.xml").write_text(
        "<coverage><sources><source>/other</source><source>/app/src/pkg</source></sources><packages><package><classes>"
        '<class name="code.py" filename="code.py"/><class name="t" filename="/app/tests/test_code.py"/>'
        '<class name="gone" filename="gone.py"/></classes></package></packages></coverage>'
    )

    collected = map_coverage(directory, root=root, directory_in_pod="/app")

    assert collected.xml is not None
    tree = ET.parse(collected.xml)
    assert [node.get("filename") for node in tree.iter("class")] == ["src/pkg/code.py", "tests/test_code.py", "gone.py"]
    assert [node.text for node in tree.iter("source")] == [str(root)]


def test_invalid_data_file_is_refused(root: Path, tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / ".coverage").write_text("no database" * 100)
    with pytest.raises(ValueError, match=r"\.coverage"):
        map_coverage(tmp_path, root=root, directory_in_pod="/app")

    (tmp_path / ".coverage").unlink()
    with closing(sqlite3.connect(tmp_path / ".coverage")) as connection:
        connection.execute("create table x (y)")
    with pytest.raises(ValueError, match="no such table"):
        map_coverage(tmp_path, root=root, directory_in_pod="/app")


@pytest.mark.parametrize(
    "schema",
    [
        (
            "create table x (id, path); create view file as"
            " with recursive c(n) as (select 1 union all select n + 1 from c)"
            " select n as id, 'p' || n as path from c"
        ),
        (
            "create table file (id integer primary key, path text); create trigger t after update on file begin"
            " delete from file; end"
        ),
        "create table file (id, path); insert into file values (1, x'00')",
        "create table file (id, path); insert into file values (1, 5)",
        "create table file (id, path); insert into file values (1, null)",
    ],
    ids=["endless view", "trigger", "bytes", "number", "null"],
)
def test_data_with_code_or_of_another_shape_is_refused(tmp_path: Path, schema: str) -> None:
    """The pod is not trusted: an endless view would never end."""
    with closing(sqlite3.connect(tmp_path / ".coverage")) as connection:
        connection.executescript(schema)

    with pytest.raises(ValueError, match="data file"):
        map_coverage(tmp_path, root=tmp_path, directory_in_pod="/app")


def test_deeply_nested_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "coverage.xml").write_text("<a>" * 100_000 + "</a>" * 100_000)

    with pytest.raises(ValueError, match=r"coverage\.xml"):
        map_coverage(tmp_path, root=tmp_path, directory_in_pod="/app")


def test_path_with_parent_directories_is_not_mapped(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "project").mkdir()

    assert PathMap(tmp_path / "project", "/app").find("../secret") is None
    assert PathMap(tmp_path / "project", "/app").find("/app/../secret") is None
