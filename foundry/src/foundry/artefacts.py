"""The list of artefacts (`artefacts.toml`) as frozen values: what there is, in which version, made from what."""

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
"""The registry in the names of images. RFC 2606 reserves `.invalid`: no registry can ever answer there."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Release:
    """An official binary of a tool, or an official file. `{version}`, `{os}` and `{arch}` in the texts are filled in.

    The checksum is the project's own, from `sha256_url`; `sha256` pins it.
    """

    url: str
    sha256_url: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)  # "os-arch", or "any" -> digest
    member: str = ""  # path inside the archive; empty when the download is the program itself


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One thing that foundry can provide.

    `image`: `foundry.invalid/<name>:<version>` on the engine. `files`: a directory in the store. `tool`: a program of
    the artefact's own name, linked into the cache's `bin/`.
    """

    name: str
    kind: str
    version: str
    recipe: str = ""  # module in foundry.recipes; empty: only an upstream source provides it
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    setup: bool = False  # part of `foundry up`
    root: bool = False  # its recipe works on Debian and Ubuntu only, and as root
    machine_ca: bool = False  # holds the machine's own CA files, which then are part of its key
    upstream: str = ""  # image reference without digest
    digests: Mapping[str, str] = field(default_factory=dict)  # architecture -> digest; `digest` is one for all
    release: Release | None = None  # tool: the official binary; files: the one file
    accepts: str = ""  # tool: the versions on PATH that will do, such as ">=3.18"
    tells: tuple[str, ...] = ("version",)  # tool: arguments that make it print its version
    values: tuple[str, ...] = ()  # chart keys that get this image
    flags: Mapping[str, Any] = field(default_factory=dict)  # chart keys that get a constant with this image
    stand_in: str = ""  # the artefact that takes its place where it cannot be had
    seconds: float = 0  # what building it usually takes; for the progress line only

    @property
    def ref(self) -> str:
        """The image's name on the engine."""
        return f"{HOST}/{self.name}:{self.version}"

    @property
    def closed_network_only(self) -> bool:
        """Whether only a build provides it: an ordinary set-up, where registries answer, has no use for it."""
        return not self.upstream and self.release is None

    @property
    def former_ref(self) -> str:
        """The name that earlier versions gave the image; without a host it meant a user of Docker Hub."""
        return f"foundry/{self.name}:{self.version}"


@dataclass(frozen=True)
class Catalogue:
    """All artefacts of a project, in the order of the file."""

    path: Path
    artefacts: Mapping[str, Artefact]
    recipes: tuple[Path, ...] = (RECIPES,)  # folders of recipes, searched in this order

    def recipe(self, name: str) -> Path:
        """The module of a recipe; where it should be, when it is not written yet."""
        found = [folder / f"{name}.py" for folder in self.recipes]
        return next((file for file in found if file.is_file()), found[-1])

    def __getitem__(self, name: str) -> Artefact:
        """The artefact of that name.

        Raises:
            UsageError: there is none.
        """
        try:
            return self.artefacts[name]
        except KeyError:
            known = ", ".join(self.artefacts)
            raise UsageError(f"there is no artefact {name!r}", f"{self.path} has: {known}") from None

    @property
    def root(self) -> Path:
        """The project's root: what `foundry up` writes into."""
        return self.path.parent.parent


def find(start: Path) -> Path:
    """The nearest `foundry/artefacts.toml` in `start` or above it."""
    for folder in (start, *start.parents):
        candidate = folder / "foundry" / "artefacts.toml"
        if candidate.is_file():
            return candidate
    raise UsageError(
        "no artefact list found",
        f"neither {start} nor a folder above it holds foundry/artefacts.toml",
        "run foundry inside the project, or name the file with --artefacts",
    )


def load(path: Path) -> Catalogue:
    """Read and check an artefact list.

    Raises:
        UsageError: the file is missing, no TOML, or says something that makes no sense; the message names the table.
    """
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {path}", str(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no valid TOML", str(error)) from None
    if document.get("schema") != 1:
        raise UsageError(f"{path} has schema {document.get('schema')!r}", "this foundry reads schema 1")
    tables: dict[str, dict[str, Any]] = document.get("artefact", {})
    artefacts = {name: _artefact(path, name, dict(table)) for name, table in tables.items()}
    own = document.get("recipes", "")
    catalogue = Catalogue(path, artefacts, ((path.parent / own).resolve(), RECIPES) if own else (RECIPES,))
    for artefact in artefacts.values():
        for other in (*artefact.inputs, *([artefact.stand_in] if artefact.stand_in else [])):
            if other not in artefacts:
                raise UsageError(f"{path}: [artefact.{artefact.name}] names {other!r}, which the file does not have")
    _refuse_cycles(catalogue)
    return catalogue


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
    "tells": list,
    "values": list,
    "flags": dict,
    "stand_in": str,
    "seconds": (int, float),
}


def _artefact(path: Path, name: str, table: dict[str, Any]) -> Artefact:
    where = f"{path}: [artefact.{name}]"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a name is lower case letters, digits and dashes")
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
            raise UsageError(f"{where}: digests.{arch} is no sha256 digest")
    if "release" in table:
        try:
            table["release"] = Release(**table["release"])
        except TypeError as error:
            raise UsageError(f"{where}: release is wrong", str(error)) from None
    for key in ("inputs", "values", "tells"):
        if key in table:
            table[key] = tuple(table[key])
    artefact = Artefact(name=name, recipe=recipe, **table)
    if not artefact.recipe and not artefact.upstream:
        raise UsageError(f"{where} has neither a recipe nor an upstream image: nothing can provide it")
    return artefact


def _refuse_cycles(catalogue: Catalogue) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise UsageError(f"{catalogue.path}: inputs go in a circle", " -> ".join((*path, name)))
        if name not in done:
            for other in catalogue[name].inputs:
                visit(other, (*path, name))
            done.add(name)

    for name in catalogue.artefacts:
        visit(name, ())
