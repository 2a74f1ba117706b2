"""Map the paths in collected coverage data and XML from the pod to the project.

The data is an SQLite file (https://coverage.readthedocs.io/en/latest/dbschema.html). The XML is written in the pod, by
the coverage.py that measured and from the sources that ran. So coverage.py is not needed on the host.
"""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

__all__ = ["CollectedCoverage", "PathMap", "map_coverage"]

_NOT_OURS: Final = frozenset((".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".seatrial"))
_MOST_FILES: Final = 200_000
_LONGEST_PATH: Final = 4096
_LARGEST_XML: Final = 128 << 20
_STEP: Final = 100_000
_MOST_STEPS: Final = 100_000
"""Times _STEP instructions of SQLite: minutes. Data of a large project takes seconds."""

_INSTALLED: Final = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class CollectedCoverage:
    """Collected coverage on the host.

    Attributes:
        data: the data file, for `coverage report` and the like.
        xml: the report in Cobertura's format; None if the pod could not write it.
        mapped: number of measured files that are files of the project.
        unmapped: paths of the others in the pod.
    """

    data: Path
    xml: Path | None
    mapped: int
    unmapped: tuple[str, ...]


@dataclass(slots=True)
class PathMap:
    """Maps paths of the pod to paths of the project.

    Attributes:
        root: the project.
        directory: the project's directory in the pod.
    """

    root: Path
    directory: str
    _by_name: dict[str, list[str]] | None = field(default=None, init=False)

    def find(self, path: str) -> str | None:
        """Return the path relative to the project, or None.

        A file below the working directory maps to the same relative path. A file of an installed package maps to the
        project's only file whose path ends with its path in the package.
        """
        pure = PurePosixPath(path)
        if ".." in pure.parts:
            return None
        if not pure.is_absolute():
            return path if (self.root / path).is_file() else None
        if pure.is_relative_to(self.directory):
            relative = str(pure.relative_to(self.directory))
            if not any(part in _INSTALLED for part in pure.parts) and (self.root / relative).is_file():
                return relative
        for place in _INSTALLED:
            if place in pure.parts:
                tail = "/".join(pure.parts[pure.parts.index(place) + 1 :])
                found = [each for each in self._named(pure.name) if each == tail or each.endswith("/" + tail)]
                return found[0] if len(found) == 1 else None
        return None

    def _named(self, name: str) -> list[str]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in _project_files(self.root):
                self._by_name[path.rpartition("/")[2]].append(path)
        return self._by_name.get(name, [])


def map_coverage(directory: Path, *, root: Path, directory_in_pod: str) -> CollectedCoverage:
    """Rewrite `.coverage` and `coverage.xml` of a directory in place.

    Raises:
        ValueError: data or report are not of coverage.py.
    """
    paths = PathMap(root, directory_in_pod)
    data, xml = directory / ".coverage", directory / "coverage.xml"
    mapped, unmapped = _map_data(data, paths) if data.is_file() else (0, ())
    if xml.is_file():
        if xml.stat().st_size > _LARGEST_XML:
            raise ValueError(f"{xml.name} is larger than {_LARGEST_XML >> 20} MiB")
        try:
            _map_xml(xml, paths)
        except (ET.ParseError, RecursionError) as error:
            raise ValueError(f"{xml.name}: {error}") from error
    return CollectedCoverage(data, xml if xml.is_file() else None, mapped, unmapped)


def _map_data(data: Path, paths: PathMap) -> tuple[int, tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(data)) as connection, connection:
            _refuse_code(connection)
            return _map_files(connection, paths)
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{data.name}: {error}") from error


def _refuse_code(connection: sqlite3.Connection) -> None:
    """Refuse a database that runs code: it comes from the pod, and that of coverage.py has only tables.

    Raises:
        ValueError: it has a view, a trigger or a virtual table.
        sqlite3.DatabaseError: raised later by a query that takes minutes.
    """
    steps = iter(range(_MOST_STEPS))
    connection.set_progress_handler(lambda: next(steps, None) is None, _STEP)
    connection.execute("pragma trusted_schema = off")
    computes = "select name from sqlite_master where type not in ('table', 'index') or sql like 'create virtual%'"
    if found := connection.execute(computes).fetchone():
        raise ValueError(f"the data file has {found[0]!r}, which coverage.py does not create")


def _map_files(connection: sqlite3.Connection, paths: PathMap) -> tuple[int, tuple[str, ...]]:
    places: dict[str, list[int]] = defaultdict(list)
    unmapped: list[str] = []
    for number, path in connection.execute("select id, path from file order by id").fetchall():
        if not isinstance(path, str) or len(path) > _LONGEST_PATH:
            raise ValueError("the data file has an invalid path")
        if len(unmapped) + len(places) > _MOST_FILES:
            raise ValueError(f"the data file has more than {_MOST_FILES} files")
        found = paths.find(path)
        if found is None:
            unmapped.append(path)
        else:
            places[str(paths.root / found)].append(number)
    for path, numbers in places.items():
        first, *others = numbers
        for other in others:
            # The same file under two paths, for example in the working tree and installed: merge both.
            _merge(connection, other, first)
        connection.execute("update file set path = ? where id = ?", (path, first))
    return len(places), tuple(unmapped)


def _merge(connection: sqlite3.Connection, source: int, target: int) -> None:
    lines = connection.execute("select context_id, numbits from line_bits where file_id = ?", (source,)).fetchall()
    for context, bits in lines:
        row = connection.execute(
            "select numbits from line_bits where file_id = ? and context_id = ?", (target, context)
        ).fetchone()
        connection.execute(
            "insert or replace into line_bits (file_id, context_id, numbits) values (?, ?, ?)",
            (target, context, _either(bits, row[0]) if row else bits),
        )
    connection.execute("update or ignore arc set file_id = ? where file_id = ?", (target, source))
    for table in ("line_bits", "arc", "tracer"):
        connection.execute(f"delete from {table} where file_id = ?", (source,))  # noqa: S608  # three constants
    connection.execute("delete from file where id = ?", (source,))


def _either(one: bytes, other: bytes) -> bytes:
    length = max(len(one), len(other))
    return bytes(a | b for a, b in zip(one.ljust(length, b"\0"), other.ljust(length, b"\0"), strict=True))


def _map_xml(path: Path, paths: PathMap) -> None:
    tree = ET.parse(path)  # noqa: S314  # expat limits entity expansion; the size is checked by the caller
    sources = [source.text or "" for source in tree.iter("source")]
    for node in tree.iter("class"):
        found = next(filter(None, (paths.find(each) for each in _candidates(node.get("filename", ""), sources))), None)
        if found is not None:
            node.set("filename", found)
    for container in tree.iter("sources"):
        container.clear()
        ET.SubElement(container, "source").text = str(paths.root)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _candidates(name: str, sources: Iterable[str]) -> Iterator[str]:
    if name.startswith("/"):
        yield name
        return
    for source in sources:
        yield str(PurePosixPath(source) / name)
    yield name


def _project_files(root: Path) -> Iterator[str]:
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _NOT_OURS]
        for name in files:
            if name.endswith(".py"):
                yield (Path(directory) / name).relative_to(root).as_posix()
