"""Load a `Project` from the configuration file, the environment and the command line."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from seatrial.config import overrides, secrets
from seatrial.config.check import as_path, check, nearest
from seatrial.config.discover import Document, discover
from seatrial.config.paths import missing, resolve
from seatrial.config.positions import KeyPath, positions
from seatrial.config.problem import ConfigurationError, Problem
from seatrial.config.rules import broken
from seatrial.config.source import Origin, Source
from seatrial.model.spec import Project

__all__ = ["Loaded", "load"]


@dataclass(frozen=True)
class Loaded:
    """A project with the source of each value.

    Attributes:
        project: the values; paths are absolute.
        document: the configuration file.
        sources: sources by key. A key without a source, also of the tables around it, has its default.
    """

    project: Project
    document: Document
    sources: Mapping[KeyPath, Source]

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.document.path

    def where(self, key: KeyPath) -> str:
        """Return the place of a key, or of the table around it: `seatrial.toml:12`."""
        source = nearest(self.sources, key)
        return source.where if source else self.document.path.name


def load(
    at: str | None = None,
    *,
    settings: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the configuration of a project.

    Args:
        at: the file, or a directory to search with its parents; None: the working directory.
        settings: `KEY=VALUE` of the command line, each with the option that has it.
        environ: environment variables; default: those of this process.

    Raises:
        ConfigurationError: the configuration is invalid; has all problems.
        UsageError: there is no configuration.
    """
    document = discover(at)
    sources = _sources(document)
    data = copy.deepcopy(document.data)
    from_environment, problems = overrides.from_environment(os.environ if environ is None else environ)
    from_command_line, more = overrides.from_command_line(settings)
    problems += more
    problems += overrides.apply(data, [*from_environment, *from_command_line], sources)

    def where(key: KeyPath) -> str:
        source = nearest(sources, key)
        return source.where if source else document.path.name

    problems += check(data, where)
    _refuse(problems)
    root = document.path.parent
    project = msgspec.convert(resolve(data, sources, root), Project, dec_hook=as_path)
    _refuse([*broken(project, where), *missing(project, where)])
    secrets.learn(project)
    return Loaded(project, document, sources)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ConfigurationError(sorted(problems, key=_line))


def _line(problem: Problem) -> tuple[str, int]:
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if line.isdigit() else (problem.where, 0)


def _sources(document: Document) -> dict[KeyPath, Source]:
    depth = len(document.prefix)
    return {
        path[depth:]: Source(Origin.FILE, f"{document.path.name}:{position.line}")
        for path, position in positions(document.text).items()
        if path[:depth] == document.prefix
    }
