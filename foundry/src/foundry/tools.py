"""Find the programs a user needs: on PATH in the right version, else the official release."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from foundry import process, versions
from foundry.artefacts import Artefact, Release
from foundry.errors import FoundryError

CONNECT_SECONDS = 3.0


def on_path(artefact: Artefact, exclude: Path) -> tuple[Path, str] | None:
    """The tool on PATH and its version, if it is one that will do. The cache's own folder does not count."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    search = os.pathsep.join(folder for folder in folders if Path(folder) != exclude)
    found = shutil.which(artefact.name, path=search)
    if not found or not artefact.accepts:
        return None
    try:
        version = versions.parse(process.run([found, *artefact.tells], timeout=20))
    except FoundryError:
        return None
    return (Path(found), versions.show(version)) if versions.accepts(artefact.accepts, version) else None


def download(artefact: Artefact, release: Release, arch: str, target: Path) -> None:
    """Put the official release's program at `target`, having checked its SHA-256.

    Raises:
        FoundryError: the server cannot be reached within a short time, or the checksum differs.
    """
    system = platform.system().lower()

    def fill(text: str) -> str:
        return text.format(version=artefact.version, os=system, arch=arch)

    url = fill(release.url)
    wanted = release.sha256.get(f"{system}-{arch}", "")
    try:
        if not wanted:
            with urllib.request.urlopen(fill(release.sha256_url), timeout=CONNECT_SECONDS) as answer:  # noqa: S310
                wanted = answer.read(4096).decode().split()[0]
        packed = target.with_name("download")
        digest = hashlib.sha256()
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS * 10) as answer, packed.open("wb") as file:  # noqa: S310
            while chunk := answer.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, ValueError, IndexError) as error:
        raise FoundryError(f"{url} cannot be had", str(error)) from None
    if digest.hexdigest() != wanted.lower():
        packed.unlink()
        raise FoundryError(f"{url} has the wrong SHA-256", f"wanted {wanted}, got {digest.hexdigest()}")
    if release.member:
        with tarfile.open(packed) as tar, target.open("wb") as file:
            source = tar.extractfile(fill(release.member))
            if source is None:
                raise FoundryError(f"{url} holds no {fill(release.member)}")
            shutil.copyfileobj(source, file)
        packed.unlink()
    else:
        packed.replace(target)
    target.chmod(0o755)
