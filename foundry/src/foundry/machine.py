"""What this machine says about itself: architecture, caches, trusted CA files, package indexes and proxies.

Everything is read at run time from the machine's own settings; nothing of it is written into the project.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundry.errors import FoundryError

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DEBIAN = "http://debian.mirror.example/debian"
_CA_FOLDER = Path("/usr/local/share/ca-certificates")

# Settings a build inside a container needs to reach the same indexes through the same proxies. None is a secret by
# its nature, but an index URL may hold a password: they are given to processes, never written into an image.
_NETWORK_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INSECURE_HOST",
)


@dataclass(frozen=True)
class Cache:
    """The folders that foundry keeps between runs."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Cache:
        """`FOUNDRY_CACHE`, else `foundry` in the user's cache folder."""
        if chosen := environment.get("FOUNDRY_CACHE"):
            return cls(Path(chosen).absolute())
        base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
        return cls(Path(base).absolute() / "foundry")

    @property
    def bin(self) -> Path:
        """Programs for the user's PATH."""
        return self.root / "bin"

    @property
    def store(self) -> Path:
        """Finished outputs, one folder each, named by artefact and key."""
        return self.root / "store"

    @property
    def work(self) -> Path:
        """Scratch folders of running builds; everything in it may be deleted when none runs."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """One log an artefact, of its last build."""
        return self.root / "logs"

    @property
    def engine(self) -> Path:
        """The Docker engine's log, pid file and capability shim, where foundry started it."""
        return self.root / "engine"

    @property
    def go_mod(self) -> Path:
        """GOMODCACHE of all Go builds."""
        return self.root / "go" / "mod"

    @property
    def go_build(self) -> Path:
        """GOCACHE of all Go builds."""
        return self.root / "go" / "build"


def architecture() -> str:
    """`amd64` or `arm64`.

    Raises:
        FoundryError: on any other processor.
    """
    machine = platform.machine().lower()
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise FoundryError(f"no artefact is made for {machine} processors", "amd64 and arm64 are") from None


def ca_files(folder: Path = _CA_FOLDER) -> tuple[Path, ...]:
    """The certificates this machine's administrator added to the system's own (Debian's place for them)."""
    return tuple(sorted(folder.rglob("*.crt"))) if folder.is_dir() else ()


def ca_digest(files: tuple[Path, ...]) -> str:
    """A digest of the certificates themselves; their file names do not matter."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(f.read_bytes()).digest() for f in files))).hexdigest()


def network_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy and index settings to hand into build containers; pip's file settings become variables too."""
    found = {name: environment[name] for name in _NETWORK_VARIABLES if environment.get(name)}
    for variable, key in (("PIP_INDEX_URL", "index-url"), ("PIP_EXTRA_INDEX_URL", "extra-index-url")):
        if variable not in found and (value := _pip_setting(key, environment)):
            found[variable] = value
    # uv does not read pip's settings.
    if "PIP_INDEX_URL" in found and not found.keys() & {"UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL"}:
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    return found


def _pip_setting(key: str, environment: Mapping[str, str]) -> str:
    home = Path(environment.get("HOME") or Path.home())
    files = [
        Path(environment["PIP_CONFIG_FILE"]) if "PIP_CONFIG_FILE" in environment else None,
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
        home / ".pip" / "pip.conf",
        Path("/etc/pip.conf"),
    ]
    for file in files:
        if file and file.is_file() and (match := re.search(rf"(?m)^\s*{key}\s*=\s*(\S+)", file.read_text())):
            return match[1]
    return ""


def debian_uri(sources: Path = Path("/etc/apt")) -> str:
    """The mirror that apt uses for Debian's main archive, so that debootstrap asks the same one."""
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    for file in files:
        if not file.is_file() or file.suffix not in {".list", ".sources"}:
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            uris = re.findall(r"(?m)^URIs:\s*(\S+)", text)
        else:
            uris = re.findall(r"(?m)^deb\s+(?:\[[^\]]*\]\s*)?(\S+)", text)
        for uri in uris:
            if re.search(r"/debian/?$", uri):
                return str(uri)
    return _DEBIAN
