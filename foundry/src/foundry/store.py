"""The content-addressed store: finished outputs by artefact and key, set in place whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from foundry.artefacts import Artefact
from foundry.keys import SHORT
from foundry.machine import Cache


@dataclass(frozen=True)
class Store:
    """Outputs of kind `files` and `tool`."""

    cache: Cache

    def folder(self, artefact: Artefact, key: str) -> Path:
        """Where the output for that key is, or would be."""
        return self.cache.store / f"{artefact.name}-{artefact.version}-{key[:SHORT]}"

    def has(self, artefact: Artefact, key: str) -> bool:
        """Whether the output is there. Folders appear by one rename, so that one that exists is complete."""
        return self.folder(artefact, key).is_dir()

    def program(self, artefact: Artefact, key: str) -> Path:
        """The program of a stored tool."""
        folder = self.folder(artefact, key)
        nested = folder / "bin" / artefact.name
        return nested if nested.exists() else folder / artefact.name

    def put(self, artefact: Artefact, key: str, output: Path) -> Path:
        """Take a finished output (a folder on the cache's file system) into the store."""
        target = self.folder(artefact, key)
        # Data first, then the name: after a crash of the machine no complete-looking folder holds empty files.
        subprocess.run(["sync", "-f", output], check=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            remove(target)
        output.rename(target)
        return target

    def others(self, artefact: Artefact, key: str) -> list[Path]:
        """Outputs of other versions and keys of the same artefact, newest first."""
        if not self.cache.store.is_dir():
            return []
        keep = self.folder(artefact, key)
        found = []
        for folder in self.cache.store.glob(f"{artefact.name}-*"):
            name, _, _ = folder.name.rpartition("-")
            if folder != keep and name.startswith(f"{artefact.name}-") and name.rpartition("-")[0] == artefact.name:
                found.append(folder)
        return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)


def remove(folder: Path) -> None:
    """Remove a folder, read-only ones of Go's module cache included."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder)
