"""Find the programs and files a user needs: on PATH in the right version, else the official release."""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import shutil
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from foundry import process, versions
from foundry.artefacts import Artefact, Release
from foundry.errors import FoundryError
from foundry.reach import CONNECT_SECONDS, Probe, way_to

ANSWER_SECONDS = 60.0
PAUSES = (1.0, 4.0)
"""Seconds before the second and the third try."""


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


def download(artefact: Artefact, release: Release, arch: str, target: Path, say: Callable[[str], None]) -> None:
    """Put the official release's program or file at `target`, having checked its SHA-256.

    Raises:
        ServerSilentError: the server accepts no connection.
        FoundryError: the download failed three times, or the checksum differs.
    """
    system = platform.system().lower()

    def fill(text: str) -> str:
        return text.format(version=artefact.version, os=system, arch=arch)

    url = fill(release.url)
    wanted = release.sha256.get("any") or release.sha256.get(f"{system}-{arch}", "")
    if not wanted:
        listed = _get(fill(release.sha256_url), say).decode(errors="replace")
        wanted = listed_sum(listed, url.rpartition("/")[2])
    packed = target.with_name("download")
    say(f"  {artefact.name} {artefact.version}: downloading {url}")
    body = _get(url, say)
    got = hashlib.sha256(body).hexdigest()
    if got != wanted.lower():
        raise FoundryError(f"{url} has the wrong SHA-256", f"wanted {wanted or 'one, and found none'}, got {got}")
    packed.write_bytes(body)
    if release.member:
        with tarfile.open(packed) as tar, target.open("wb") as file:
            source = tar.extractfile(fill(release.member))
            if source is None:
                raise FoundryError(f"{url} holds no {fill(release.member)}")
            shutil.copyfileobj(source, file)
        packed.unlink()
    else:
        packed.replace(target)
    target.chmod(0o755 if artefact.kind == "tool" else 0o644)


def listed_sum(text: str, file: str) -> str:
    """The SHA-256 of a file in a project's list of them, or the only one in a list that names no files."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for line in lines:
        if len(line) > 1 and line[-1].lstrip("*").rpartition("/")[2] == file:
            return line[0]
    return lines[0][0] if len(lines) == 1 else ""


def _get(url: str, say: Callable[[str], None]) -> bytes:
    """The body of a URL; a failure that may pass is tried again.

    A server that accepts connections may take a minute for its answer. One that accepts none is given up at once.
    """
    server = urllib.parse.urlsplit(url)
    if not Probe([way_to(server.netloc, server.scheme)]).wait():
        raise ServerSilentError(f"{server.netloc} accepts no connection within {CONNECT_SECONDS:.0f} s")
    pauses = list(PAUSES)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - from the artefact list
                body: bytes = answer.read()
        except (OSError, http.client.HTTPException) as error:
            lasting = isinstance(error, urllib.error.HTTPError) and error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR
            if not pauses or lasting:
                raise FoundryError(f"{url}: {error}") from None
            say(f"  {url}: {error}; trying again")
            time.sleep(pauses.pop(0))
        else:
            return body


class ServerSilentError(FoundryError):
    """A server of releases that accepts no connection: asking it for more is a waste of time."""
