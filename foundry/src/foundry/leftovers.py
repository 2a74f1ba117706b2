"""Remove the leftovers of a crashed dockerd that block a new one.

dockerd handles most of them itself. It does not handle a pid file whose pid now belongs to another process, a socket of
a dead containerd (it waits for it), and mounts and shims of containers that it no longer knows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_CONTAINERD = Path("/run/containerd/containerd.sock")


@dataclass(frozen=True)
class Paths:
    """The file locations of one dockerd."""

    data: Path
    run: Path  # exec root: sockets and pid files of containers and containerd
    pid: Path
    socket: Path
    flags: tuple[str, ...] = ()  # flags for an engine outside of the default locations
    prefix: tuple[str, ...] = ()  # the command that starts it

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Paths:
        """Return the default locations, or locations in `FOUNDRY_DOCKER_ROOT`."""
        if not (root := environment.get("FOUNDRY_DOCKER_ROOT")):
            run = Path("/var/run")
            return cls(Path("/var/lib/docker"), run / "docker", run / "docker.pid", run / "docker.sock")
        base = Path(root).absolute()
        paths = cls(base / "data", base / "run", base / "docker.pid", base / "docker.sock")
        flags = [f"--data-root={paths.data}", f"--exec-root={paths.run}", f"--pidfile={paths.pid}"]
        flags += [f"--host=unix://{paths.socket}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        # Use a separate network namespace: with `--bridge=none`, dockerd deletes docker0, which belongs to another
        # engine.
        return cls(paths.data, paths.run, paths.pid, paths.socket, tuple(flags), ("unshare", "--net"))


def live_pid(pid_file: Path, name: str) -> int:
    """Return the pid in a pid file if that process is alive and has the given name, else 0."""
    try:
        pid = int(pid_file.read_text())
        named = Path(f"/proc/{pid}/comm").read_text().strip() == name
        return pid if named and not _is_zombie(pid) else 0
    except (OSError, ValueError):
        return 0


def terminate(pid: int, sign: int, seconds: float) -> None:
    """Signal a process and wait for its end. Kill it after `seconds`."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not Path(f"/proc/{pid}").exists() or _is_zombie(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def remove_stale_files(paths: Paths, system_containerd: Path = SYSTEM_CONTAINERD) -> None:
    """Remove stale pid files and sockets; files of live processes are kept."""
    if not live_pid(paths.pid, "dockerd"):
        paths.pid.unlink(missing_ok=True)
        if not listens(paths.socket):
            paths.socket.unlink(missing_ok=True)
    containerd = paths.run / "containerd"
    if not live_pid(containerd / "containerd.pid", "containerd"):
        for name in ("containerd.pid", "containerd.sock", "containerd.sock.ttrpc", "containerd-debug.sock"):
            (containerd / name).unlink(missing_ok=True)
    # dockerd uses the system's containerd if its socket exists, even if no process listens on it.
    if not paths.flags and system_containerd.exists() and not listens(system_containerd):
        system_containerd.unlink()


def listens(path: Path) -> bool:
    """Return whether a process accepts connections on a Unix socket."""
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def clean_up(paths: Paths) -> None:
    """Kill every process of this engine, unmount its mounts and delete its run folder. Images and volumes are kept."""
    for pid in _processes(paths):
        terminate(pid, signal.SIGKILL, 5)
    for target in reversed(mount_points_below(Path("/proc/self/mountinfo").read_text(), [paths.data, paths.run])):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)
    shutil.rmtree(paths.run, ignore_errors=True)
    paths.pid.unlink(missing_ok=True)
    paths.socket.unlink(missing_ok=True)
    network = paths.data / "network" / "files" / "local-kv.db"
    if network.exists():
        # A half-written database blocks the start of dockerd. Without it, user-defined networks are recreated.
        network.replace(network.with_suffix(".broken"))


def _processes(paths: Paths) -> list[int]:
    """Find dockerd, containerd and the shims of this engine by the paths in their command lines."""
    folder = f"{paths.run}/containerd"
    folders = (folder, folder.removeprefix("/var"))  # /var/run is a link to /run; both spellings occur
    found = [live_pid(paths.pid, "dockerd")]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            name = (entry / "comm").read_text()
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if name.startswith("containerd") and any(word.rpartition("=")[2].startswith(folders) for word in words):
                found.append(int(entry.name))
    return [pid for pid in found if pid]


def mount_points_below(mountinfo: str, folders: list[Path]) -> list[str]:
    """Return the mount points in or below folders, in mount order (proc(5), mountinfo: the fifth field)."""
    roots = [str(folder.resolve()) for folder in folders]
    points = [line.split()[4].replace("\\040", " ") for line in mountinfo.splitlines()]
    return [point for point in points if any(point.startswith(f"{root}/") for root in roots)]
