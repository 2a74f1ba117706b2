"""Rules of this repository that no linter knows. Prints one line for each breach; exits 1 if there is one."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The tool and the foundry serve any project: neither knows its first user.
GENERAL = ("seatrial/src/", "foundry/src/")
FIRST_USER = re.compile(r"floe|polaris", re.IGNORECASE)

# Package indexes and mirrors are the machine's own settings, never ours. Their names must not stand here either: these
# are the first 16 digits of SHA-256 of each.
INDEX_HOSTS = frozenset(
    (
        "00a7dc5a0cc38858",
        "0dc11026ac75c015",
        "1ba4e37997a2e986",
        "2e97613f5a81eaa4",
        "317d2d52829b7812",
        "3d01f3609be82d98",
        "43c04ed1dabe979b",
        "9da5f32d96412512",
        "a4aa2ac280bb8d1a",
        "c899567ee9068517",
        "e680c440a2e92079",
        "eb7e11c7f9ecbcf4",
    )
)
HOST = re.compile(r"\b[a-z0-9]+(?:[.-][a-z0-9]+)*\.(?:org|com|io|net)\b")


STAGES = "seatrial/src/seatrial/stages/"
STAGE_FILES = frozenset(
    f"{name}.py"
    for name in (
        "__init__", "context",
        "preflight", "cluster", "build", "deliver", "install", "ready", "test", "collect", "teardown",
    )
)  # fmt: skip


def index_hosts(line: str) -> list[str]:
    """Return the package indexes that a line names."""
    return [host for host in HOST.findall(line) if hashlib.sha256(host.encode()).hexdigest()[:16] in INDEX_HOSTS]


def tracked(*patterns: str) -> list[str]:
    """Return the files that git tracks or would add, below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def lines_of(name: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file; nothing of a binary one."""
    data = (ROOT / name).read_bytes()
    if b"\0" not in data:
        yield from enumerate(data.decode("utf-8", "replace").splitlines(), 1)


def breaches() -> Iterator[str]:
    """Yield one line for each broken rule."""
    found = {name.removeprefix(STAGES) for name in tracked(STAGES)}
    for name in sorted(found ^ STAGE_FILES):
        yield f"{STAGES}{name}: this folder has one file a stage and context.py; helpers go to packages by subject"
    for name in tracked():
        general = name.startswith(GENERAL)
        if Path(name).name == "uv.lock":
            yield f"{name}: names hosts of package indexes; remove it, locks/ is what counts"
        for number, line in lines_of(name):
            if general and (word := FIRST_USER.search(line)):
                yield f"{name}:{number}: says {word.group()!r}; the tool and the foundry serve any project"
            for host in index_hosts(line):
                yield f"{name}:{number}: names the host {host!r}; take it from the machine's settings"


def shellcheck() -> bool:
    """Return whether all shell scripts are clean."""
    scripts = [
        name
        for name in tracked()
        if name.endswith(".sh")
        or next(lines_of(name), (0, ""))[1].startswith(("#!/usr/bin/env bash", "#!/bin/sh", "#!/bin/bash"))
    ]
    program = Path(sys.executable).parent / "shellcheck"
    return subprocess.run([program, *scripts], cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Check everything."""
    found = list(breaches())
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    clean = shellcheck()
    return 1 if found or not clean else 0


if __name__ == "__main__":
    sys.exit(main())
