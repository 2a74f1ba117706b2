"""Find tools on PATH in an accepted version, or download official releases of tools and files."""

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
from foundry.artifacts import Artifact, Release
from foundry.errors import FoundryError
from foundry.reach import CONNECT_SECONDS, Probe, connect_address

ANSWER_SECONDS = 60.0
PAUSES = (1.0, 4.0)
"""Seconds before the second and the third attempt."""


def on_path(artifact: Artifact, exclude: Path) -> tuple[Path, str] | None:
    """Return the tool on PATH and its version if the version is accepted. The cache's `bin/` is ignored."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    search = os.pathsep.join(folder for folder in folders if Path(folder) != exclude)
    found = shutil.which(artifact.name, path=search)
    if not found or not artifact.accepts:
        return None
    try:
        version = versions.parse(process.run([found, *artifact.version_args], timeout=20))
    except FoundryError:
        return None
    return (Path(found), versions.format_version(version)) if versions.accepts(artifact.accepts, version) else None


def download(artifact: Artifact, release: Release, arch: str, target: Path, say: Callable[[str], None]) -> None:
    """Download the official release to `target` and verify its SHA-256.

    Raises:
        ServerUnreachableError: the server accepts no connection.
        FoundryError: the download failed three times, or the checksum differs.
    """
    system = platform.system().lower()

    def fill(text: str) -> str:
        return text.format(version=artifact.version, os=system, arch=arch)

    url = fill(release.url)
    wanted = release.sha256.get("any") or release.sha256.get(f"{system}-{arch}", "")
    if not wanted:
        listed = _get(fill(release.sha256_url), say).decode(errors="replace")
        wanted = listed_sum(listed, url.rpartition("/")[2])
    packed = target.with_name("download")
    say(f"  {artifact.name} {artifact.version}: downloading {url}")
    body = _get(url, say)
    got = hashlib.sha256(body).hexdigest()
    if got != wanted.lower():
        raise FoundryError(
            f"{url} has the wrong SHA-256", f"expected {wanted or 'a listed checksum, found none'}, got {got}"
        )
    packed.write_bytes(body)
    if release.member:
        with tarfile.open(packed) as tar, target.open("wb") as file:
            source = tar.extractfile(fill(release.member))
            if source is None:
                raise FoundryError(f"{fill(release.member)} not found in {url}")
            shutil.copyfileobj(source, file)
        packed.unlink()
    else:
        packed.replace(target)
    target.chmod(0o755 if artifact.kind == "tool" else 0o644)


def listed_sum(text: str, file: str) -> str:
    """Return a file's SHA-256 in a list of checksums, or the only one in a list without file names."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for line in lines:
        if len(line) > 1 and line[-1].lstrip("*").rpartition("/")[2] == file:
            return line[0]
    return lines[0][0] if len(lines) == 1 else ""


def _get(url: str, say: Callable[[str], None]) -> bytes:
    """Return the body of a URL; transient failures are retried.

    A server that accepts connections gets 60 s to answer. A server that accepts none is not retried.
    """
    server = urllib.parse.urlsplit(url)
    if not Probe([connect_address(server.netloc, server.scheme)]).wait():
        raise ServerUnreachableError(f"{server.netloc} accepts no connection within {CONNECT_SECONDS:.0f} s")
    pauses = list(PAUSES)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - from the artifact list
                body: bytes = answer.read()
        except (OSError, http.client.HTTPException) as error:
            lasting = isinstance(error, urllib.error.HTTPError) and error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR
            if not pauses or lasting:
                raise FoundryError(f"{url}: {error}") from None
            say(f"  {url}: {error}; retrying")
            time.sleep(pauses.pop(0))
        else:
            return body


class ServerUnreachableError(FoundryError):
    """A release server accepts no connection. Further requests would waste time."""
