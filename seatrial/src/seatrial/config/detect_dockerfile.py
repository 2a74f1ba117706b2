"""Detect from a Dockerfile's text which of its stages contain pytest and the project's tests."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from seatrial.config.detect_pytest import glob, pyproject_installs_pytest, read_text, requirements_name_pytest

__all__ = ["DockerStage", "Dockerfile", "read_dockerfile"]

_INSTRUCTION: Final = re.compile(
    r"\s*(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER"
    r"|VOLUME|WORKDIR)\s+(.*)",
    re.IGNORECASE | re.DOTALL,
)
_FROM: Final = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_PYTEST: Final = re.compile(r"\bpytest\b|\bpy\.test\b")
_REQUIREMENTS_FILE: Final = re.compile(r"[\w./-]+\.(?:txt|in)\b")
_FROM_PROJECT: Final = re.compile(
    r"\b(?:(?:uv sync|uv run|poetry install|pdm install|pdm sync)\b"
    r"|pip3? install(?=[^&;|]* ['\"]?\.(?:[\[\s'\"]|$)))[^&;|]*"
)
_TOOLS: Final = {
    "uv": re.compile(r"\buv (?:sync|run|venv)\b"),
    "poetry": re.compile(r"\bpoetry (?:install|run)\b"),
    "pip": re.compile(r"\bpip3? (?:install|sync)\b|\bpip-sync\b"),
}


class DockerStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a Dockerfile, with what it gets from the stages of the same file that it starts from.

    Attributes:
        name: what follows AS; empty if it has no name.
        base: the image or stage that follows FROM.
        has_pytest: an instruction names pytest, or installs from a file of the project that does.
        has_tests: an instruction copies files of a folder with tests.
        tools: which of uv, poetry and pip install packages.
    """

    name: str
    base: str
    has_pytest: bool = False
    has_tests: bool = False
    tools: frozenset[str] = frozenset()


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """A Dockerfile. Paths are relative to the project.

    Attributes:
        context: the folder that its COPY sources exist in: the project or the folder of the Dockerfile.
        stages: in the order of the file; there may be none in a file that is no Dockerfile.
    """

    path: Path
    context: Path
    stages: tuple[DockerStage, ...]


def read_dockerfile(root: Path, path: Path, testpaths: Sequence[str]) -> Dockerfile:
    """Return what a Dockerfile builds.

    Args:
        root: directory of the project.
        path: the Dockerfile, relative to `root`.
        testpaths: folders with tests, relative to `root`; `*` in them matches any name.
    """
    groups: list[list[tuple[str, str]]] = []
    for keyword, rest in _instructions(read_text(root / path)):
        if keyword == "FROM":
            groups.append([])
        if groups:
            groups[-1].append((keyword, rest))
    context = _context(root, path, [source for group in groups for source in _sources(group)])
    project = _Project(root, path, context)
    tests = list(_tests_in(context, testpaths))
    stages: dict[str, DockerStage] = {}
    found: list[DockerStage] = []
    inherited: dict[str, list[tuple[str, str]]] = {}
    for group in groups:
        match = _FROM.match(group[0][1])
        base, name = (match[1], match[2] or "") if match else ("", "")
        own = [*inherited.get(base, ()), *group[1:]]
        before = stages.get(base, DockerStage(name="", base=""))
        stage = DockerStage(
            name=name,
            base=base,
            has_pytest=before.has_pytest or project.installs_pytest(own),
            has_tests=before.has_tests or any(project.copies(_sources(own), folder) for folder in tests),
            tools=frozenset(
                tool
                for tool, pattern in _TOOLS.items()
                if any(key == "RUN" and pattern.search(text) for key, text in own)
            ),
        )
        found.append(stage)
        if name:
            stages[name], inherited[name] = stage, own
    return Dockerfile(path=path, context=context, stages=tuple(found))


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and arguments; lines of a here-document belong to the instruction before them."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    keyword, rest = "", ""
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if match := _INSTRUCTION.fullmatch(line):
            if keyword:
                yield keyword, rest
            keyword, rest = match[1].upper(), match[2].strip()
        else:
            rest += "\n" + line
    if keyword:
        yield keyword, rest


def _sources(instructions: Sequence[tuple[str, str]]) -> list[str]:
    """Return the paths of the context that COPY and ADD name."""
    found = []
    for keyword, rest in instructions:
        words = rest.split()
        flags = [word for word in words if word.startswith("--")]
        if keyword not in {"COPY", "ADD"} or any(flag.startswith("--from") for flag in flags):
            continue
        words = [word for word in words if not word.startswith("--")]
        if words and words[0].startswith("["):
            try:
                words = [str(word) for word in json.loads(" ".join(words))]
            except ValueError:
                words = []
        found += [posixpath.normpath(word.lstrip("/") or ".") for word in words[:-1]]
    return found


def _context(root: Path, path: Path, sources: Sequence[str]) -> Path:
    def existing(folder: Path) -> int:
        return sum(bool(glob(root / folder, source)) for source in sources if source != ".")

    return path.parent if existing(path.parent) > existing(Path()) else Path()


def _tests_in(context: Path, testpaths: Sequence[str]) -> Iterator[str]:
    """Yield the folders with tests relative to the context, up to their first wildcard."""
    for testpath in testpaths:
        plain = Path(testpath.partition("*")[0].rpartition("/")[0] if "*" in testpath else testpath)
        if plain.is_relative_to(context):
            yield plain.relative_to(context).as_posix()


class _Project:
    """The files of a build context, as far as they decide what an image contains."""

    def __init__(self, root: Path, path: Path, context: Path) -> None:
        self._context = root / context
        beside = root / path.with_name(f"{path.name}.dockerignore")
        self._ignore = read_text(beside if beside.is_file() else self._context / ".dockerignore").splitlines()

    def copies(self, sources: Sequence[str], folder: str) -> bool:
        """Whether one of the sources has files of a folder, and the ignore file does not leave the folder out."""
        parts = folder.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        named = any(
            source == "." or source.startswith(f"{folder}/") or any(fnmatchcase(each, source) for each in above)
            for source in sources
        )
        return named and not self._ignores(above)

    def _ignores(self, above: Sequence[str]) -> bool:
        """Whether the last line of the ignore file that matches a folder, or one around it, leaves the folder out."""
        ignored = False
        for line in self._ignore:
            pattern = line.strip().removeprefix("!").strip("/").removesuffix("/**").removeprefix("**/")
            if not pattern or line.startswith("#"):
                continue
            if any(fnmatchcase(each, pattern) or fnmatchcase(posixpath.basename(each), pattern) for each in above):
                ignored = not line.strip().startswith("!")
        return ignored

    def installs_pytest(self, instructions: Sequence[tuple[str, str]]) -> bool:
        sources = _sources(instructions)
        for keyword, rest in instructions:
            if keyword in {"RUN", "CMD", "ENTRYPOINT"} and _PYTEST.search(rest):
                return True
            if keyword != "RUN" or not any(pattern.search(rest) for pattern in _TOOLS.values()):
                continue
            files = _REQUIREMENTS_FILE.findall(rest)
            if "pip" in rest and re.search(r"[*$]", rest):
                files += sources
            if any(requirements_name_pytest(self._context, file) for file in files):
                return True
            if any(pyproject_installs_pytest(self._context, command) for command in _FROM_PROJECT.findall(rest)):
                return True
        return False
