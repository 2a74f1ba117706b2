"""Describe how a Dockerfile uses its build context: which files it reads, and what else changes the image. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["WHOLE_CONTEXT", "Analysis", "Base", "BaseImage", "Doubt", "Read", "Source", "Write"]

WHOLE_CONTEXT: Final = "."
"""Path of a source that is the whole context."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a file cannot be sent to a pod, or why all files are inputs."""

    line: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the text for a message."""
        place = f"Dockerfile line {self.line}: {self.message}" if self.line else self.message
        return place + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Source:
    """A path of the context that an instruction names; with wildcards, a pattern for each part of the path."""

    path: str
    parts: tuple[re.Pattern[str], ...] = ()

    def matches(self, path: str) -> bool:
        """Whether the path is the source or below it."""
        if not self.parts:
            return self.path in (WHOLE_CONTEXT, path) or path.startswith(self.path + "/")
        names = path.split("/")
        return len(names) >= len(self.parts) and self._fit(names)

    def reaches_below(self, directory: str) -> bool:
        """Whether the source can be in a directory, or contain paths of it."""
        if not self.parts:
            return self.matches(directory) or self.path.startswith(directory + "/")
        return self._fit(directory.split("/"))

    def top(self, path: str) -> str:
        """Return the file or directory that the source matches in the path."""
        return "/".join(path.split("/")[: len(self.parts)]) if self.parts else self.path

    def _fit(self, names: Sequence[str]) -> bool:
        return all(part.fullmatch(name) for part, name in zip(self.parts, names, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An instruction that reads files of the context.

    Attributes:
        order: its position in the stages of the image; -1: it is in a stage that the image only copies from.
        line: its line in the Dockerfile.
        sources: the paths that it reads.
        destination: absolute path in the image; None: unknown.
        owned: whether it sets an owner.
        editable: line of a later RUN that installs projects in editable mode; 0: none.
        doubt: why its files cannot be sent; None: they can.
    """

    order: int
    line: int
    sources: tuple[Source, ...]
    destination: str | None = None
    owned: bool = False
    editable: int = 0
    doubt: Doubt | None = None

    def matches(self, path: str) -> bool:
        """Whether it reads the file."""
        return any(source.matches(path) for source in self.sources)

    def targets(self, path: str) -> list[str]:
        """Return the paths in the image to which it may copy a file."""
        if self.destination is None:
            return []
        found = []
        for source in self.sources:
            if source.matches(path):
                top = source.top(path)
                below = path if top == WHOLE_CONTEXT else path[len(top) + 1 :]
                if below:
                    found.append(posixpath.join(self.destination, below))
                else:
                    found += [self.destination, posixpath.join(self.destination, posixpath.basename(path))]
        return found


@dataclass(frozen=True, slots=True)
class Write:
    """An instruction that may change files below a path of the image with content from outside the context.

    Attributes:
        covers: whether it affects places below its path also if they are copied later.
    """

    order: int
    line: int
    path: str
    message: str
    covers: bool = False


class BaseImage(NamedTuple):
    """A base image: its working directory, its variables, and whether it has ONBUILD instructions."""

    workdir: str
    environment: Mapping[str, str] = {}
    triggers: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """An image that a stage starts or copies from."""

    reference: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The use of the build context by a Dockerfile.

    Attributes:
        bases: the images that it starts or copies from.
        reads: the instructions that read files of the context.
        writes: the instructions that may change files in the image by other means.
        everything: why all files are inputs; None: only those of `reads`.
        workdir: working directory of the image; None: that of its base.
    """

    bases: tuple[Base, ...] = ()
    reads: tuple[Read, ...] = ()
    writes: tuple[Write, ...] = ()
    everything: Doubt | None = None
    workdir: str | None = None

    def copies(self, path: str) -> bool:
        """Whether the image can contain the file or depend on it."""
        return self.everything is not None or any(read.matches(path) for read in self.reads)

    def reaches_below(self, directory: str) -> bool:
        """Whether the image can contain files of a directory."""
        return self.everything is not None or any(
            source.reaches_below(directory) for read in self.reads for source in read.sources
        )
