"""Describe the machine and the versions of the programs that take part."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.commands import Failed, Shell
from benchmarks.values import Machine

__all__ = ["commit_of", "describe", "load", "now", "settle"]


def describe(shell: Shell) -> Machine:
    """Return the description of this machine."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        cpu=_cpu(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=_system(),
        kernel=f"{platform.system()} {platform.release()}",
        versions={
            "Docker": _first(shell, "docker", "version", "--format", "{{.Server.Version}}"),
            "kind": _first(shell, "kind", "version", "-q"),
            "Helm": _first(shell, "helm", "version", "--short"),
            "kubectl": _kubectl(shell),
            "Python": platform.python_version(),
            "seatrial": _first(shell, sys.executable, "-m", "seatrial", "--version"),
        },
    )


def settle() -> None:
    """Flush pending writes, because the previous sample wrote gigabytes to nodes."""
    os.sync()


def load() -> float:
    """Return the load average of the last minute; 0 if it is unknown."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return 0.0


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def commit_of(shell: Shell) -> str:
    """Return the measured commit, with `+` if tracked files have changed; empty outside of a repository."""
    try:
        commit = shell.run("git", "rev-parse", "--short", "HEAD").text.strip()
        return commit + ("+" if shell.run("git", "status", "--porcelain", "-uno").text.strip() else "")
    except (Failed, OSError):
        return ""


def _first(shell: Shell, *argv: str) -> str:
    """Return the first version number in a program's output."""
    found = re.search(r"v?\d+\.[\w.+-]+", shell.run(*argv).text)
    return found.group() if found else "?"


def _kubectl(shell: Shell) -> str:
    return str(
        json.loads(shell.run("kubectl", "version", "--client", "-o", "json").text)["clientVersion"]["gitVersion"]
    )


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
