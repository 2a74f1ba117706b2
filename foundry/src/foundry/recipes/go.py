"""A Go tool chain for a machine that has none, from the Go module proxy.

Go publishes its own releases as versions of the module golang.org/toolchain (https://go.dev/doc/toolchain). Without a
`go` to check them with, `options.sums` has the sums that Go's checksum database holds for them: a new version needs new
ones (`go mod download -json golang.org/toolchain@v0.0.1-go<version>.linux-<arch>`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from foundry import machine
from foundry.errors import FoundryError
from foundry.recipe import Build

MODULE = "golang.org/toolchain"
TIMEOUT = 60.0  # seconds without a byte


def build(b: Build) -> None:
    version = f"v0.0.1-go{b.version}.linux-{b.arch}"
    packed = b.scratch / "go.zip"
    _download(b, f"{MODULE}/@v/{version}.zip", packed)
    with zipfile.ZipFile(packed) as archive:
        wanted, got = b.options["sums"][b.arch], module_sum(archive)
        if got != wanted:
            raise FoundryError(f"{MODULE}@{version} has the wrong sum", f"wanted {wanted}, got {got}")
        unpack(archive, f"{MODULE}@{version}/", b.out)


def proxies(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The module proxies that `go` would ask: GOPROXY, from the environment or from what `go env -w` has written."""
    setting = environment.get("GOPROXY", "")
    file = Path(environment.get("GOENV") or Path.home() / ".config/go/env")
    if not setting and file.is_file() and (found := re.search(r"(?m)^GOPROXY=(\S+)", file.read_text())):
        setting = found[1]
    return listed(setting)


def compiled_in(b: Build) -> list[str]:
    """The module proxies that a `go` without settings asks. Debian's is old, but knows them."""
    machine.install("golang-go", unless=shutil.which("go"), run=b.run)
    return listed(b.run(["go", "env", "GOPROXY"]).strip())


def listed(setting: str) -> list[str]:
    """The proxies of a GOPROXY setting: https://go.dev/ref/mod#goproxy-protocol."""
    return [one.rstrip("/") for one in re.split(r"[,|]", setting) if one not in {"direct", "off", ""}]


def module_sum(archive: zipfile.ZipFile) -> str:
    """Go's own sum of a module archive: https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1."""
    listing = hashlib.sha256()
    for name in sorted(archive.namelist()):
        digest = hashlib.sha256(archive.read(name)).hexdigest()
        listing.update(f"{digest}  {name}\n".encode())
    return f"h1:{base64.b64encode(listing.digest()).decode()}"


def unpack(archive: zipfile.ZipFile, prefix: str, target: Path) -> None:
    """Unpack what is below `prefix`; programs are made executable, as module archives hold no modes."""
    for name in archive.namelist():
        relative = Path(name.removeprefix(prefix))
        if not name.startswith(prefix) or ".." in relative.parts:
            raise FoundryError(f"the archive holds {name}, which does not belong into it")
        if relative.parts[0] == "test":
            continue  # Go's own tests, a third of all files
        file = target / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, file.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        if relative.parts[0] == "bin" or relative.parts[:2] == ("pkg", "tool"):
            file.chmod(0o755)


def _download(b: Build, path: str, target: Path) -> None:
    told = []
    for proxy in proxies() or compiled_in(b):
        url = f"{proxy}/{path}"
        b.say(f"getting {url}")
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, target.open("wb") as file:  # noqa: S310 - the machine's own proxy
                shutil.copyfileobj(answer, file)
        except OSError as error:
            told.append(f"{url}: {error}")
        else:
            return
    raise FoundryError(
        "no Go module proxy has the tool chain", "\n".join(told), "set GOPROXY, or install Go 1.26 or later"
    )
