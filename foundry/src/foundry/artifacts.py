"""Load the artifact list (`artifacts.toml`) into frozen values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.errors import UsageError

KINDS = ("image", "files", "tool")
ARCHITECTURES = ("amd64", "arm64")
RECIPES = Path(__file__).parent / "recipes"
HOST = "foundry.invalid"
"""The registry host in image names. RFC 2606 reserves `.invalid`, so no registry can ever answer there."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Release:
    """The official binary of a tool, or an official file. `{version}`, `{os}` and `{arch}` in URLs are filled in.

    `sha256_url` points to the checksum that the upstream project publishes. `sha256` pins a checksum.
    """

    url: str
    sha256_url: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)  # "os-arch" or "any" -> digest
    member: str = ""  # path inside the archive; empty if the download is the program itself


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One artifact that foundry can provide.

    `image`: `foundry.invalid/<name>:<version>` on the engine. `files`: a directory in the store. `tool`: a program with
    the artifact's name, linked into the cache's `bin/`.
    """

    name: str
    kind: str
    version: str
    recipe: str = ""  # module in foundry.recipes; empty if only an upstream source provides the artifact
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    setup: bool = False  # part of `foundry up`
    root: bool = False  # the recipe requires Debian or Ubuntu, and root
    machine_ca: bool = False  # the image contains the machine's own CA files, which become part of the key
    upstream: str = ""  # image reference without digest
    digests: Mapping[str, str] = field(default_factory=dict)  # architecture -> digest; `digest` sets one for all
    release: Release | None = None  # tool: the official binary; files: the one file
    accepts: str = ""  # tool: the accepted versions on PATH, such as ">=3.18"
    version_args: tuple[str, ...] = ("version",)  # tool: arguments that print its version
    values: tuple[str, ...] = ()  # chart keys that are set to this image
    variables: Mapping[str, str] = field(default_factory=dict)  # for Compose; `{ref}` is this image
    flags: Mapping[str, Any] = field(default_factory=dict)  # chart keys that are set to a constant with this image
    stand_in: str = ""  # the artifact that replaces this one if no source provides it
    seconds: float = 0  # usual build time, for the progress line only

    @property
    def ref(self) -> str:
        """The image's name on the engine."""
        return f"{HOST}/{self.name}:{self.version}"

    @property
    def closed_network_only(self) -> bool:
        """Whether the artifact can only be built. A normal setup, where registries answer, does not use it."""
        return not self.upstream and self.release is None

    @property
    def former_ref(self) -> str:
        """The image name that earlier versions used. Without a host it named a Docker Hub user."""
        return f"foundry/{self.name}:{self.version}"


@dataclass(frozen=True)
class Catalog:
    """All artifacts of a project, in the order of the file."""

    path: Path
    artifacts: Mapping[str, Artifact]
    recipes: tuple[Path, ...] = (RECIPES,)  # recipe folders, searched in this order

    def recipe(self, name: str) -> Path:
        """Return the module of a recipe, or the expected path if the module does not exist."""
        found = [folder / f"{name}.py" for folder in self.recipes]
        return next((file for file in found if file.is_file()), found[-1])

    def __getitem__(self, name: str) -> Artifact:
        """Return the artifact with this name.

        Raises:
            UsageError: the list has no such artifact.
        """
        try:
            return self.artifacts[name]
        except KeyError:
            known = ", ".join(self.artifacts)
            raise UsageError(f"artifact {name!r} not found", f"{self.path} has: {known}") from None

    @property
    def root(self) -> Path:
        """The project root, which `foundry up` writes `.foundry/` into."""
        return self.path.parent.parent


def find(start: Path) -> Path:
    """Return the nearest `foundry/artifacts.toml` in `start` or a parent folder.

    Raises:
        UsageError: no folder has one.
    """
    for folder in (start, *start.parents):
        candidate = folder / "foundry" / "artifacts.toml"
        if candidate.is_file():
            return candidate
    raise UsageError(
        "no artifact list found",
        f"neither {start} nor a parent folder has foundry/artifacts.toml",
        "run foundry inside the project, or pass --artifacts FILE",
    )


def load(path: Path) -> Catalog:
    """Read and validate an artifact list.

    Raises:
        UsageError: the file is missing, is not TOML or is invalid; the message names the table.
    """
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {path}", str(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML", str(error)) from None
    if document.get("schema") != 1:
        raise UsageError(f"{path} has schema {document.get('schema')!r}", "this version of foundry reads schema 1")
    tables: dict[str, dict[str, Any]] = document.get("artifact", {})
    artifacts = {name: _artifact(path, name, dict(table)) for name, table in tables.items()}
    own = document.get("recipes", "")
    catalog = Catalog(path, artifacts, ((path.parent / own).resolve(), RECIPES) if own else (RECIPES,))
    for artifact in artifacts.values():
        for other in (*artifact.inputs, *([artifact.stand_in] if artifact.stand_in else [])):
            if other not in artifacts:
                raise UsageError(f"{path}: [artifact.{artifact.name}] refers to {other!r}, which is not in the file")
    _check_cycles(catalog)
    return catalog


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "kind": str,
    "version": str,
    "recipe": (str, bool),
    "inputs": list,
    "options": dict,
    "setup": bool,
    "root": bool,
    "machine_ca": bool,
    "upstream": str,
    "digest": str,
    "digests": dict,
    "release": dict,
    "accepts": str,
    "version_args": list,
    "values": list,
    "variables": dict,
    "flags": dict,
    "stand_in": str,
    "seconds": (int, float),
}


def _artifact(path: Path, name: str, table: dict[str, Any]) -> Artifact:
    where = f"{path}: [artifact.{name}]"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name consists of lower case letters, digits and dashes")
    for key, value in table.items():
        if key not in _TYPES:
            raise UsageError(f"{where} has the unknown key {key!r}", f"known: {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[key]):
            raise UsageError(f"{where}: {key} has the wrong type ({type(value).__name__})")
    if table.get("kind") not in KINDS:
        raise UsageError(f"{where}: kind is {table.get('kind')!r}, not one of {', '.join(KINDS)}")
    if "version" not in table:
        raise UsageError(f"{where} lacks a version")
    recipe = table.pop("recipe", True)
    if isinstance(recipe, bool):
        recipe = name.replace("-", "_") if recipe else ""
    if "digest" in table:
        table["digests"] = dict.fromkeys(ARCHITECTURES, table.pop("digest"))
    for arch, digest in table.get("digests", {}).items():
        if not _DIGEST.fullmatch(digest):
            raise UsageError(f"{where}: digests.{arch} is not a sha256 digest")
    if "release" in table:
        try:
            table["release"] = Release(**table["release"])
        except TypeError as error:
            raise UsageError(f"{where}: release is invalid", str(error)) from None
    for key in ("inputs", "values", "version_args"):
        if key in table:
            table[key] = tuple(table[key])
    artifact = Artifact(name=name, recipe=recipe, **table)
    if not artifact.recipe and not artifact.upstream:
        raise UsageError(f"{where} needs a recipe or an upstream image")
    return artifact


def _check_cycles(catalog: Catalog) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise UsageError(f"{catalog.path}: inputs form a cycle", " -> ".join((*path, name)))
        if name not in done:
            for other in catalog[name].inputs:
                visit(other, (*path, name))
            done.add(name)

    for name in catalog.artifacts:
        visit(name, ())
