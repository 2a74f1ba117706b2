"""Keys: a digest of all that decides what a build makes. Pure, but for reading the recipes' own files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundry.artefacts import Artefact, Catalogue

BUILDER = 1
"""Raise it when foundry's own code starts to make something else of the same recipe: everything is then built anew."""

SHORT = 16
"""Characters of a key that name a folder: enough to tell apart, short enough to read."""


def recipe_digests(catalogue: Catalogue) -> dict[str, str]:
    """The digest of every artefact's recipe; empty for what has none."""
    return {
        artefact.name: recipe_digest(catalogue.recipe(artefact.recipe)) if artefact.recipe else ""
        for artefact in catalogue.artefacts.values()
    }


def keys(catalogue: Catalogue, *, arch: str, ca_digest: str) -> dict[str, str]:
    """The key of every artefact that has a recipe."""
    found: dict[str, str] = {}
    digests = recipe_digests(catalogue)

    def visit(artefact: Artefact) -> str:
        if artefact.name not in found:
            inputs = {name: visit(catalogue[name]) for name in artefact.inputs}
            found[artefact.name] = key(
                artefact,
                inputs,
                arch=arch,
                ca_digest=ca_digest if artefact.machine_ca else "",
                recipe=digests[artefact.name],
            )
        return found[artefact.name]

    for artefact in catalogue.artefacts.values():
        visit(artefact)
    return found


def key(artefact: Artefact, inputs: Mapping[str, str], *, arch: str, ca_digest: str, recipe: str) -> str:
    """The key of one artefact. Where it comes from (registry, release) and who wants it are no part of it."""
    facts: dict[str, Any] = {
        "builder": BUILDER,
        "name": artefact.name,
        "kind": artefact.kind,
        "version": artefact.version,
        "options": artefact.options,
        "inputs": inputs,
        "recipe": recipe,
        "arch": arch,
        "ca": ca_digest,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def recipe_digest(module: Path) -> str:
    """A digest of a recipe's module and of the folder of files beside it."""
    digest = hashlib.sha256()
    for file in [module, *sorted(f for f in module.with_suffix("").rglob("*") if f.is_file())]:
        if "__pycache__" in file.parts:
            continue
        digest.update(str(file.relative_to(module.parent)).encode() + b"\0")
        # A recipe that is not written yet has a key all the same: only building it fails.
        digest.update(hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest())
        digest.update(b"x" if file.is_file() and file.stat().st_mode & 0o100 else b"-")
    return digest.hexdigest()
