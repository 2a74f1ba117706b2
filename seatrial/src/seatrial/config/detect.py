"""Detect what a project has that a configuration can use: charts, Dockerfiles, pytest's settings, Compose files."""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from seatrial.config.detect_compose import Compose, compose_files, read_compose
from seatrial.config.detect_dockerfile import Dockerfile, read_dockerfile
from seatrial.config.detect_pytest import pyproject_installs_pytest, requirements_name_pytest

__all__ = ["Chart", "Detected", "KindConfig", "detect"]

_SKIPPED: Final = frozenset(
    {
        ".git",
        ".hg",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        "node_modules",
        "__pycache__",
        "dist",
        "build",
        ".seatrial",
        ".foundry",
    }
)
_DEEPEST: Final = 6
_DOCKERFILE: Final = re.compile(r"(?:Dockerfile|Containerfile)(?:[.-][\w.-]+)?|[\w.-]+\.(?:Dockerfile|dockerfile)")
_SNAPSHOTS: Final = frozenset({"__snapshots__", "cassettes"})
"""Folders of syrupy and of pytest-recording."""

_TEST_VALUES: Final = re.compile(r"values[.-]tests?\.ya?ml|tests?[.-]values\.ya?ml")


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A Helm chart. Paths are relative to the project.

    Attributes:
        images: path in the values to the repository named there: `{"api.image": "orders-api"}`.
    """

    path: Path
    name: str
    images: dict[str, str] = {}


class KindConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A kind configuration file; `name` is the cluster name in it."""

    path: Path
    name: str | None


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """All that was detected in a project.

    Attributes:
        name: project name as a DNS label.
        named_by: the file that has the name; None: it is the directory's name.
        testpaths: folders with tests.
        test_settings: the file that names them; None: they are called `tests` or `test`.
        installer: uv, poetry or pip, by lock files and metadata.
        requirements: requirements files at the top of the project.
        requires_pytest: these, or pyproject.toml, name pytest.
        code: folders with code, without the tests.
        snapshots: globs of the folders where plugins keep what tests are compared with.
        values: values files for tests.
    """

    root: Path
    name: str
    named_by: Path | None
    charts: tuple[Chart, ...]
    dockerfiles: tuple[Dockerfile, ...]
    compose: tuple[Compose, ...]
    kind: tuple[KindConfig, ...]
    values: tuple[Path, ...]
    testpaths: tuple[str, ...]
    test_settings: Path | None
    installer: str
    requirements: tuple[Path, ...]
    requires_pytest: bool
    code: tuple[str, ...]
    snapshots: tuple[str, ...] = ()


def detect(root: Path) -> Detected:
    """Inspect the project in `root`, at most six folders deep. Unreadable files are skipped."""
    files = sorted(path.relative_to(root) for path in _files(root))
    pyproject = _toml(root / "pyproject.toml")
    testpaths, test_settings = _testpaths(root, pyproject)
    charts = _charts(root, files)
    inside = {chart.path for chart in charts}
    name, named_by = _name(root, pyproject)
    requirements = tuple(path for path in files if len(path.parts) == 1 and path.match("requirements*.txt"))
    return Detected(
        root=root,
        name=name,
        named_by=named_by,
        charts=charts,
        dockerfiles=_dockerfiles(root, files, testpaths),
        compose=tuple(found for path in compose_files(files) if (found := read_compose(path, _yaml(root / path)))),
        kind=tuple(
            kind for path in sorted(files, key=lambda path: len(str(path))) if (kind := _kind(root, path, inside))
        ),
        values=tuple(path for path in files if _TEST_VALUES.fullmatch(path.name)),
        testpaths=testpaths,
        test_settings=test_settings,
        installer=_installer(root, pyproject),
        requirements=requirements,
        requires_pytest=any(requirements_name_pytest(root, str(path)) for path in requirements)
        or pyproject_installs_pytest(root, f"{_installer(root, pyproject)} sync"),
        code=tuple(name for name in ("src", "packages") if (root / name).is_dir()) + _modules(root, testpaths),
        snapshots=tuple(sorted({glob for path in files for glob in _snapshots(path)})),
    )


def _snapshots(path: Path) -> Iterator[str]:
    """Yield the glob for the folder of snapshots or recordings that a file is in."""
    for part in path.parts[1:-1]:
        if part in _SNAPSHOTS:
            yield f"{path.parts[0]}/**/{part}/**"


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        here = Path(folder)
        depth = len(here.relative_to(root).parts)
        names[:] = sorted(name for name in names if name not in _SKIPPED and depth < _DEEPEST)
        yield from (here / name for name in files)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _name(root: Path, pyproject: dict[str, Any]) -> tuple[str, Path | None]:
    """Return the project's name as a DNS label, and the file that has it."""
    name = pyproject.get("project", {}).get("name") or pyproject.get("tool", {}).get("poetry", {}).get("name")
    label = re.sub(r"[^a-z0-9]+", "-", str(name or root.resolve().name).lower()).strip("-")
    return label[:40].strip("-") or "project", Path("pyproject.toml") if name else None


def _charts(root: Path, files: list[Path]) -> tuple[Chart, ...]:
    folders = [path.parent for path in files if path.name == "Chart.yaml"]
    charts = []
    for folder in folders:
        if any(other != folder and other in folder.parents for other in folders):
            continue  # a subchart, or a chart's test data
        meta = _yaml(root / folder / "Chart.yaml")
        if meta.get("type") != "library":
            images = dict(_images(_yaml(root / folder / "values.yaml")))
            charts.append(Chart(path=folder, name=str(meta.get("name") or folder.name), images=images))
    return tuple(charts)


def _images(values: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the path and repository of each image in a chart's values: a table with `repository` and `tag`."""
    if not isinstance(values, dict):
        return
    if isinstance(values.get("repository"), str) and "tag" in values:
        yield ".".join(at), values["repository"]
    for key, value in values.items():
        yield from _images(value, (*at, str(key)))


def _dockerfiles(root: Path, files: list[Path], testpaths: tuple[str, ...]) -> tuple[Dockerfile, ...]:
    found = [
        read_dockerfile(root, path, testpaths)
        for path in files
        if _DOCKERFILE.fullmatch(path.name) and not path.name.endswith(".dockerignore")
    ]
    return tuple(
        sorted((file for file in found if file.stages), key=lambda file: (len(file.path.parts), str(file.path)))
    )


def _kind(root: Path, path: Path, charts: set[Path]) -> KindConfig | None:
    if path.suffix not in {".yaml", ".yml"} or any(chart in path.parents for chart in charts):
        return None
    document = _yaml(root / path)
    if document.get("kind") != "Cluster" or not str(document.get("apiVersion", "")).startswith("kind.x-k8s.io/"):
        return None
    name = document.get("name")
    return KindConfig(path=path, name=name if isinstance(name, str) else None)


def _testpaths(root: Path, pyproject: dict[str, Any]) -> tuple[tuple[str, ...], Path | None]:
    """Return the folders with tests and the file that names them, searched in pytest's order.

    https://docs.pytest.org/en/stable/reference/customize.html#configuration-file-formats
    """
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("pyproject.toml", ""),
                          ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):  # fmt: skip
        if section:
            parser = configparser.ConfigParser(interpolation=None)
            try:
                parser.read(root / name, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError):
                continue
            declared: Any = parser.get(section, "testpaths", fallback="")
        else:
            tool = pyproject.get("tool", {}).get("pytest", {})
            declared = tool.get("ini_options", tool).get("testpaths", "")
        paths = declared.split() if isinstance(declared, str) else [str(path) for path in declared]
        if paths:
            return tuple(paths), Path(name)
    return tuple(name for name in ("tests", "test") if (root / name).is_dir()), None


def _installer(root: Path, pyproject: dict[str, Any]) -> str:
    tool = pyproject.get("tool", {})
    if (root / "uv.lock").exists() or "uv" in tool:
        return "uv"
    if (root / "poetry.lock").exists() or "poetry" in tool:
        return "poetry"
    return "pip"


def _modules(root: Path, testpaths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the packages at the top of the project."""
    return tuple(
        sorted(
            entry.name
            for entry in root.iterdir()
            if entry.is_dir() and (entry / "__init__.py").exists() and entry.name not in testpaths
        )
    )
