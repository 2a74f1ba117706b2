"""What an image is made of: files, arguments, and the images it starts from; one digest over all of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from seatrial.inpod.agent.tree import scan
from seatrial.inpod.ignore import DockerIgnore
from seatrial.inpod.tree import Files, digest, entries
from seatrial.model.errors import UsageError
from seatrial.model.spec import ImageSpec

__all__ = ["TAG_LENGTH", "arguments", "base_images", "context_files", "dockerfile_of", "inputs_digest"]

_WRITTEN_BY_RUNS: Final = (".seatrial", ".pytest_cache")
"""No inputs, whatever the ignore file says: each run would make the next one build anew."""

TAG_LENGTH: Final = 12
"""Hexadecimal digits of a digest that make a tag."""

_LOGICAL_LINE: Final = re.compile(r"\\\s*\n")
_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM: Final = re.compile(r"COPY\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_ARG: Final = re.compile(r"ARG\s+(\w+)(?:=(.*))?$", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")


def dockerfile_of(spec: ImageSpec) -> Path:
    """Return the Dockerfile of an image."""
    return spec.dockerfile or spec.context / "Dockerfile"


def arguments(spec: ImageSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments; `$NAME` is a variable of the environment, and left out where there is none."""
    found = {}
    for key, value in spec.args.items():
        if not value.startswith("$"):
            found[key] = value
        elif (name := value.lstrip("$").strip("{}")) in environ:
            found[key] = environ[name]
    return found


def context_files(spec: ImageSpec) -> Files:
    """Return the files of an image's build context, and its Dockerfile wherever that is.

    Raises:
        UsageError: there is no Dockerfile.
    """
    dockerfile = dockerfile_of(spec)
    if not dockerfile.is_file():
        raise UsageError(f"image {spec.name} has no Dockerfile", why=f"{dockerfile} is not there")
    # BuildKit's name for the ignore file of one Dockerfile among several.
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    file = own if own.is_file() else spec.context / ".dockerignore"
    ignore = DockerIgnore(file.read_text() if file.is_file() else "")

    def prune(path: str, directory: bool) -> bool:
        return path in _WRITTEN_BY_RUNS or ignore.ignored(path, directory=directory)

    found = scan(str(spec.context), ["."], prune)
    return {**entries(found), "Dockerfile": entries(scan(str(dockerfile.parent), [dockerfile.name]))[dockerfile.name]}


def inputs_digest(spec: ImageSpec, files: Files, bases: Mapping[str, str]) -> str:
    """Return the digest of all inputs of an image.

    Args:
        spec: as configured: arguments count as written there, not by what the environment makes of them.
        files: of its context.
        bases: reference to image id of what it starts from; empty for what is not on the engine.
    """
    parts = (
        digest(files),
        repr(sorted(spec.args.items())),
        repr(spec.target),
        repr(sorted(spec.secrets)),
        repr(sorted(bases.items())),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def base_images(text: str, args: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile starts from or copies out of, without its own stages.

    Args:
        text: the Dockerfile.
        args: build arguments, which win over its defaults.
    """
    values: dict[str, str] = {}
    stages: set[str] = set()
    found: dict[str, None] = {}
    for raw in _LOGICAL_LINE.sub(" ", text).splitlines():
        line = raw.strip()
        if match := _ARG.match(line):
            name, default = match[1], (match[2] or "").strip("\"'")
            values[name] = args.get(name, default)
        elif (match := _FROM.match(line)) or (match := _COPY_FROM.match(line)):
            reference = _expanded(match[1], values)
            if reference != "scratch" and reference.lower() not in stages and not reference.isdigit():
                found[reference] = None
            if line[:4].upper() == "FROM" and match[2]:
                stages.add(match[2].lower())
    return list(found)


def _expanded(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2]) or match[3] or "", text)
