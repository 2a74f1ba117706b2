"""Create Debian root file systems from the machine's mirror, verified by Debian's signatures."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from foundry import machine
from foundry.process import Run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Containers need no manuals. Without fsync after each file, dpkg takes half the time, and an incomplete build is
# discarded anyway.
_DPKG = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
"""
_APT = 'APT::Install-Recommends "false";\nAPT::Install-Suggests "false";\nAcquire::Languages "none";\n'


def debootstrap(root: Path, suite: str, packages: Sequence[str], *, arch: str, run: Run) -> None:
    """Create a minimal Debian system with additional `packages` in `root`.

    Raises:
        FoundryError: debootstrap is not installed, the mirror does not answer, or a signature is invalid.
    """
    machine.install(
        "debootstrap", "debian-archive-keyring", unless=shutil.which("debootstrap") and KEYRING.exists(), run=run
    )
    uri = machine.debian_uri("debian")
    (root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
    (root / "etc/dpkg/dpkg.cfg.d/foundry").write_text(_DPKG)
    argv: list[str | Path] = ["debootstrap", "--variant=minbase", f"--arch={arch}", f"--keyring={KEYRING}"]
    run([*argv, f"--include={','.join(packages)}", suite, root, uri], env={"DEBIAN_FRONTEND": "noninteractive"})
    (root / "etc/apt/apt.conf.d/90foundry").write_text(_APT)
    (root / "etc/apt/sources.list").write_text(sources(uri, suite, machine.debian_uri("debian-security")))
    for folder in ("var/lib/apt/lists", "var/cache/apt/archives", "var/cache/debconf", "var/log", "tmp", "run"):
        empty(root / folder)
    _slim(root)
    for left in ("var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin", "etc/resolv.conf", "etc/hostname"):
        (root / left).unlink(missing_ok=True)


def _slim(root: Path) -> None:
    """Remove manuals of essential packages, which debootstrap unpacks before dpkg's exclusions apply."""
    share = root / "usr/share"
    for name in ("man", "info", "locale", "lintian"):
        empty(share / name)
    for file in (share / "doc").rglob("*"):
        if file.name != "copyright" and (file.is_symlink() or file.is_file()):
            file.unlink()
    for folder in sorted((share / "doc").rglob("*"), reverse=True):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def sources(uri: str, suite: str, security: str) -> str:
    """Return the apt sources of a suite on a mirror, including security updates."""
    return f"deb {uri} {suite} main\ndeb {uri} {suite}-updates main\ndeb {security} {suite}-security main\n"


def trust(root: Path, ca_files: Sequence[Path], *, run: Run) -> None:
    """Make the programs of a root file system trust CA files. Requires ca-certificates in it."""
    if not ca_files:
        return
    folder = root / "usr/local/share/ca-certificates"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ca_files:
        shutil.copyfile(file, folder / file.name)
    run(["chroot", root, "update-ca-certificates"], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def empty(folder: Path) -> None:
    """Delete the contents of a folder, but not the folder."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
