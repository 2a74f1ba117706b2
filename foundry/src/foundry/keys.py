"""Compute artifact keys: digests of every input that determines a build's output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundry.artifacts import Artifact, Catalog

BUILDER = 1
"""Increase this number when a change of foundry's own code changes a recipe's output. It rebuilds all artifacts."""

SHORT = 16
"""Characters of a key in a folder name."""


def recipe_digests(catalog: Catalog) -> dict[str, str]:
    """Return the recipe digest of every artifact; empty for artifacts without a recipe."""
    return {
        artifact.name: recipe_digest(catalog.recipe(artifact.recipe)) if artifact.recipe else ""
        for artifact in catalog.artifacts.values()
    }


def keys(catalog: Catalog, *, arch: str, ca_digest: str) -> dict[str, str]:
    """Return the key of every artifact."""
    found: dict[str, str] = {}
    digests = recipe_digests(catalog)

    def visit(artifact: Artifact) -> str:
        if artifact.name not in found:
            inputs = {name: visit(catalog[name]) for name in artifact.inputs}
            found[artifact.name] = key(
                artifact,
                inputs,
                arch=arch,
                ca_digest=ca_digest if artifact.machine_ca else "",
                recipe=digests[artifact.name],
            )
        return found[artifact.name]

    for artifact in catalog.artifacts.values():
        visit(artifact)
    return found


def key(artifact: Artifact, inputs: Mapping[str, str], *, arch: str, ca_digest: str, recipe: str) -> str:
    """Return the key of one artifact. Its sources (registry, release) and its users do not affect it."""
    facts: dict[str, Any] = {
        "builder": BUILDER,
        "name": artifact.name,
        "kind": artifact.kind,
        "version": artifact.version,
        "options": artifact.options,
        "inputs": inputs,
        "recipe": recipe,
        "arch": arch,
        "ca": ca_digest,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def recipe_digest(module: Path) -> str:
    """Return a digest of a recipe's module and its folder of assets."""
    digest = hashlib.sha256()
    for file in [module, *sorted(f for f in module.with_suffix("").rglob("*") if f.is_file())]:
        if "__pycache__" in file.parts:
            continue
        digest.update(str(file.relative_to(module.parent)).encode() + b"\0")
        # A missing recipe also gets a key. Only its build fails.
        digest.update(hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest())
        digest.update(b"x" if file.is_file() and file.stat().st_mode & 0o100 else b"-")
    return digest.hexdigest()
