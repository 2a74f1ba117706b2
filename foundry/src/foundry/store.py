"""Store finished outputs by artifact and key. Entries are created atomically."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from foundry.artifacts import Artifact
from foundry.keys import SHORT
from foundry.machine import Cache


@dataclass(frozen=True)
class Store:
    """The outputs of `files` and `tool` artifacts."""

    cache: Cache

    def folder(self, artifact: Artifact, key: str) -> Path:
        """Return the folder for an artifact's key, whether or not it exists."""
        return self.cache.store / f"{artifact.name}-{artifact.version}-{key[:SHORT]}"

    def has(self, artifact: Artifact, key: str) -> bool:
        """Return whether the output exists. A rename creates the folder, so an existing folder is complete."""
        return self.folder(artifact, key).is_dir()

    def program(self, artifact: Artifact, key: str) -> Path:
        """Return the program of a stored tool."""
        folder = self.folder(artifact, key)
        nested = folder / "bin" / artifact.name
        return nested if nested.exists() else folder / artifact.name

    def put(self, artifact: Artifact, key: str, output: Path) -> Path:
        """Move a finished output (a folder on the cache's file system) into the store."""
        target = self.folder(artifact, key)
        # Sync before the rename, so that a machine crash cannot leave a folder with empty files.
        subprocess.run(["sync", "-f", output], check=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            remove(target)
        output.rename(target)
        return target

    def others(self, artifact: Artifact, key: str) -> list[Path]:
        """Return outputs of other versions and keys of the same artifact, newest first."""
        if not self.cache.store.is_dir():
            return []
        keep = self.folder(artifact, key)
        found = []
        for folder in self.cache.store.glob(f"{artifact.name}-*"):
            name, _, _ = folder.name.rpartition("-")
            if folder != keep and name.startswith(f"{artifact.name}-") and name.rpartition("-")[0] == artifact.name:
                found.append(folder)
        return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)


def remove(folder: Path) -> None:
    """Delete a folder, including read-only folders of Go's module cache."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder)
