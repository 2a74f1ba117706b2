"""Read the machine's settings: architecture, cache folders, CA files, package indexes and proxies.

All settings are read at run time and never written into the project.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from foundry.errors import FoundryError
from foundry.process import Run

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CA_FOLDER = Path("/usr/local/share/ca-certificates")

_apt_lock = threading.Lock()

# Settings that a build container needs to reach the same indexes through the same proxies. An index URL may contain a
# password, so these variables are passed to processes and never written into an image.
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

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8")


@dataclass(frozen=True)
class Cache:
    """The cache folder and its subfolders."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Cache:
        """Return the cache in `FOUNDRY_CACHE`, or `foundry` in the user's cache folder."""
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
        """Finished outputs, one folder each, named after artifact and key."""
        return self.root / "store"

    @property
    def work(self) -> Path:
        """Scratch folders of running builds. Everything in it may be deleted when no build runs."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """The log of each artifact's last build."""
        return self.root / "logs"

    @property
    def engine(self) -> Path:
        """The log, pid file and capability shim of an engine that foundry started."""
        return self.root / "engine"

    @property
    def go_mod(self) -> Path:
        """GOMODCACHE of all Go builds."""
        return self.root / "go" / "mod"

    @property
    def go_build(self) -> Path:
        """GOCACHE of all Go builds."""
        return self.root / "go" / "build"

    def limit_build_cache(self, limit: int = 2_500_000_000) -> None:
        """Delete the Go build cache if it is larger than `limit` bytes. No build may use it meanwhile.

        Programs share little except the standard library, which takes half a minute to compile again.
        """
        if sum(file.stat().st_size for file in self.go_build.rglob("*") if file.is_file()) > limit:
            self.delete_build_cache()

    def delete_build_cache(self) -> None:
        """Delete the Go build cache: gigabytes that are unused until a recipe changes.

        Unpacked modules and their checksums are kept. Their archives are only needed for unpacking and are deleted.
        """
        shutil.rmtree(self.go_build, ignore_errors=True)
        for archive in (self.go_mod / "cache" / "download").rglob("*.zip"):
            archive.unlink(missing_ok=True)


def architecture() -> str:
    """Return `amd64` or `arm64`.

    Raises:
        FoundryError: the processor is neither.
    """
    machine = platform.machine().lower()
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise FoundryError(f"processor {machine} is not supported", "supported: amd64, arm64") from None


def ca_files(folder: Path = _CA_FOLDER) -> tuple[Path, ...]:
    """Return the certificates that the machine's administrator added, in Debian's folder for them."""
    return tuple(sorted(folder.rglob("*.crt"))) if folder.is_dir() else ()


def ca_digest(files: tuple[Path, ...]) -> str:
    """Return a digest of the certificates' contents; file names do not matter."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(f.read_bytes()).digest() for f in files))).hexdigest()


def network_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the proxy and index settings for build containers. Settings in pip's files become variables too."""
    found = {name: environment[name] for name in _NETWORK_VARIABLES if environment.get(name)}
    for variable, key in (("PIP_INDEX_URL", "index-url"), ("PIP_EXTRA_INDEX_URL", "extra-index-url")):
        if variable not in found and (value := _pip_setting(key, environment)):
            found[variable] = value
    # uv ignores pip's settings.
    if "PIP_INDEX_URL" in found and not found.keys() & {"UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL"}:
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    return found


def add_loopback_to_no_proxy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make this process and its children bypass the environment's proxy for loopback addresses."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    if not any(environment.get(name) for name in proxies):
        return
    upper, lower = environment.get("NO_PROXY", ""), environment.get("no_proxy", "")
    for name, given in (("NO_PROXY", upper or lower), ("no_proxy", lower or upper)):
        entries = [entry.strip() for entry in given.split(",") if entry.strip()]
        environment[name] = "*" if "*" in entries else ",".join(dict.fromkeys([*entries, *_LOOPBACK]))


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


def debian_uri(archive: str, sources: Path = Path("/etc/apt"), environment: Mapping[str, str] = os.environ) -> str:
    """Return the mirror of `debian` or `debian-security`: `FOUNDRY_DEBIAN_MIRROR`, or the one in apt's sources.

    Raises:
        FoundryError: apt's sources name no such mirror.
    """
    if mirror := environment.get("FOUNDRY_DEBIAN_MIRROR"):
        return f"{mirror.rstrip('/')}/{archive}"
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
            if re.search(rf"/{archive}/?$", uri):
                return str(uri)
    # Debian packages in Ubuntu's apt sources would break the system, so the mirror is configured for foundry only.
    raise FoundryError(
        f"no mirror of {archive} configured",
        f"images are built from Debian packages, also on Ubuntu, and no source in {sources} ends in /{archive}",
        f"set a mirror that has /{archive}: FOUNDRY_DEBIAN_MIRROR=http://HOST foundry up",
    )


def is_debian(release: Path = Path("/etc/os-release")) -> bool:
    """Return whether this is Debian or a derivative with its packages (Ubuntu)."""
    if not release.is_file():
        return False
    families = re.findall(r"(?m)^ID(?:_LIKE)?=\"?([^\"\n]*)", release.read_text())
    return "debian" in " ".join(families).split()


def why_no_root_file_system() -> str:
    """Return the reason why this machine cannot create a Debian root file system; empty if it can."""
    if not is_debian():
        return "a build requires Debian or Ubuntu, and root"
    if os.geteuid() != 0:
        return "a build requires root"
    try:
        for archive in ("debian", "debian-security"):
            debian_uri(archive)
    except FoundryError as error:
        return f"{error.message}; {error.hint}"
    return ""


def install(*packages: str, unless: object, run: Run) -> None:
    """Install Debian packages on this machine, unless `unless` is true.

    Raises:
        FoundryError: this is not Debian, or foundry does not run as root.
    """
    if unless:
        return
    names = " ".join(packages)
    if not is_debian() or os.geteuid() != 0:
        reason = (
            "foundry installs packages only as root"
            if is_debian()
            else "foundry installs packages only on Debian and Ubuntu"
        )
        raise FoundryError(
            f"{names} must be installed on this machine", reason, f"install {names}, then run foundry again"
        )
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "--quiet", "--option=DPkg::Lock::Timeout=600", "--option=Acquire::Retries=3"]
    with _apt_lock, _no_service_start():
        if not _has_candidates(packages, run=run):
            run([*apt, "update"], env=env)
        run([*apt, "install", "--yes", "--no-install-recommends", *packages], env=env)


def _has_candidates(packages: tuple[str, ...], *, run: Run) -> bool:
    """Return whether apt knows a version of each package. The package lists of a new machine are often empty."""
    told = run(["apt-cache", "policy", *packages])
    return told.count("Candidate: ") - told.count("Candidate: (none)") == len(packages)


@contextlib.contextmanager
def _no_service_start(policy: Path = Path("/usr/sbin/policy-rc.d")) -> Iterator[None]:
    """Prevent packages from starting services; foundry starts the services it needs.

    https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
    """
    if systemd_runs() or policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def systemd_runs() -> bool:
    """Return whether systemd is this machine's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()
