"""Download jars from the machine's Maven mirror and verify their SHA-256. Maven itself is not required.

Maven's settings (`~/.m2/settings.xml`, then the installation's) determine the mirror of `central` and its credentials.
Proxies come from the environment.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundry.errors import FoundryError

_TIMEOUT = 60.0  # seconds without a byte
_ATTEMPTS = 3


@dataclass(frozen=True)
class Repository:
    """A Maven repository."""

    url: str
    authorization: str = ""  # header value


@dataclass(frozen=True)
class Jar:
    """One jar file and its expected SHA-256."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def file(self) -> str:
        """The file name."""
        return f"{self.artifact}-{self.version}{self.classifier and '-' + self.classifier}.jar"

    @property
    def path(self) -> str:
        """The path below a repository's URL."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"


def parse(text: str) -> tuple[Jar, ...]:
    """Parse a list with lines `group:artifact:version[:classifier] sha256`."""
    jars = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256 = line.split()
            group, artifact, version, *classifier = coordinates.split(":")
            jars.append(Jar(group, artifact, version, "".join(classifier), sha256))
    return tuple(jars)


def settings_files() -> tuple[Path, ...]:
    """Return the paths where Maven looks for settings, the user's first."""
    homes = [Path(home) / "conf" for name in ("MAVEN_HOME", "M2_HOME") if (home := os.environ.get(name))]
    folders = [Path.home() / ".m2", *homes, Path("/etc/maven"), Path("/usr/share/maven/conf")]
    return tuple(folder / "settings.xml" for folder in folders)


def installation() -> tuple[Path, ...]:
    """Return the paths where an installed Maven may keep its libraries."""
    homes = [Path(home) / "lib" for name in ("MAVEN_HOME", "M2_HOME") if (home := os.environ.get(name))]
    return (*homes, Path("/usr/share/maven/lib"))


def central(folders: Iterable[Path]) -> Repository | None:
    """Return Maven Central as an installed Maven's super POM defines it; None if Maven is not installed."""
    for jar in (jar for folder in folders for jar in sorted(folder.glob("maven-model-builder*.jar"))):
        with zipfile.ZipFile(jar) as archive:
            root = ET.fromstring(archive.read("org/apache/maven/model/pom-4.0.0.xml"))  # noqa: S314 - Maven's own file
        for found in root.iterfind("repositories/repository"):
            if found.findtext("id") == "central":
                return Repository(found.findtext("url", "").strip().rstrip("/"))
    return None


def repository(files: Iterable[Path]) -> Repository | None:
    """Return the mirror of Maven Central in the machine's settings; None if they define none.

    Raises:
        FoundryError: a settings file is not valid XML.
    """
    for file in files:
        if not file.is_file():
            continue
        try:
            root = ET.parse(file).getroot()  # noqa: S314 - the user's own settings
        except ET.ParseError as error:
            raise FoundryError(f"{file} is not valid XML", str(error)) from None
        for element in root.iter():  # the namespace differs between versions of the format
            element.tag = element.tag.rpartition("}")[2]
        for mirror in root.iterfind("mirrors/mirror"):
            if mirrors_central(mirror.findtext("mirrorOf", "")):
                url = mirror.findtext("url", "").strip().rstrip("/")
                return Repository(url, _authorization(root, mirror.findtext("id", "")))
    return None


def mirrors_central(pattern: str) -> bool:
    """Return whether a `mirrorOf` covers Central (https://maven.apache.org/guides/mini/guide-mirror-settings.html)."""
    words = {word.strip() for word in pattern.split(",")}
    return "!central" not in words and bool(words & {"*", "central", "external:*"})


def _authorization(settings: ET.Element, identity: str) -> str:
    for server in settings.iterfind("servers/server"):
        if server.findtext("id") == identity and server.findtext("username"):
            account = f"{server.findtext('username')}:{server.findtext('password', '')}"
            return "Basic " + base64.b64encode(account.encode()).decode()
    return ""


def fetch(jars: Sequence[Jar], target: Path, *, cache: Path, source: Repository) -> None:
    """Put jars into the folder `target`. Jars in `cache` are not downloaded again.

    Raises:
        FoundryError: a download failed, or a checksum differs.
    """
    target.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        kept = cache / f"{jar.sha256[:16]}-{jar.file}"
        if not kept.is_file() or _sha256(kept) != jar.sha256:
            _download(jar, kept, source)
        shutil.copyfile(kept, target / jar.file)


def _download(jar: Jar, target: Path, source: Repository) -> None:
    url = f"{source.url}/{jar.path}"
    request = urllib.request.Request(url)  # noqa: S310 - the URL comes from Maven's settings
    if source.authorization:
        request.add_unredirected_header("Authorization", source.authorization)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _receive(request, jar, file.fileno())
        if (found := _sha256(part)) != jar.sha256:
            raise FoundryError(f"{jar.file} has the wrong SHA-256", f"expected {jar.sha256}, got {found}: {url}")
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _receive(request: urllib.request.Request, jar: Jar, descriptor: int) -> None:
    problem: Exception | None = None
    for attempt in range(_ATTEMPTS):
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            with (
                urllib.request.urlopen(request, timeout=_TIMEOUT) as answer,  # noqa: S310 - see _download
                os.fdopen(descriptor, "wb", closefd=False) as file,
            ):
                shutil.copyfileobj(answer, file, 1 << 20)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:  # noqa: PLR2004 - a client error is permanent
                reason = f"{error.code} {error.reason}: {request.full_url}"
                raise FoundryError(f"{jar.file} not found", reason) from None
            problem = error
        except OSError as error:
            problem = error
        else:
            return
        time.sleep(2.0**attempt)
    raise FoundryError(f"download of {jar.file} failed", f"{problem}: {request.full_url}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
