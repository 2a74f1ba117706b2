"""What a dockerd that died leaves behind, and how a new one gets past it.

dockerd itself copes with much of this. What it does not: a pid file whose number another process has by now, a socket
of a containerd that is gone (it waits for it), mounts and shims of containers that it no longer knows.
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
    """Where the files of a dockerd are."""

    data: Path
    run: Path  # exec root: containers' and containerd's sockets and pid files
    pid: Path
    socket: Path
    flags: tuple[str, ...] = ()  # what sets it apart from an engine in the usual places
    prefix: tuple[str, ...] = ()  # the command that it is started by

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Paths:
        """The usual places, or all in `FOUNDRY_DOCKER_ROOT`."""
        if not (root := environment.get("FOUNDRY_DOCKER_ROOT")):
            run = Path("/var/run")
            return cls(Path("/var/lib/docker"), run / "docker", run / "docker.pid", run / "docker.sock")
        base = Path(root).absolute()
        paths = cls(base / "data", base / "run", base / "docker.pid", base / "docker.sock")
        flags = [f"--data-root={paths.data}", f"--exec-root={paths.run}", f"--pidfile={paths.pid}"]
        flags += [f"--host=unix://{paths.socket}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        # In a network of its own: with `--bridge=none` a dockerd removes the machine's docker0, another engine's.
        return cls(paths.data, paths.run, paths.pid, paths.socket, tuple(flags), ("unshare", "--net"))


def alive(pid_file: Path, name: str) -> int:
    """The process of a pid file, if it lives and is what it should be; else 0."""
    try:
        pid = int(pid_file.read_text())
        named = Path(f"/proc/{pid}/comm").read_text().strip() == name
        return pid if named and not _is_zombie(pid) else 0
    except (OSError, ValueError):
        return 0


def end(pid: int, sign: int, seconds: float) -> None:
    """Signal a process, wait for its end, and kill it if that does not come."""
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


def forget_dead(paths: Paths, system_containerd: Path = SYSTEM_CONTAINERD) -> None:
    """Remove pid files and sockets that no longer mean anything; nothing that lives is touched."""
    if not alive(paths.pid, "dockerd"):
        paths.pid.unlink(missing_ok=True)
        if not listens(paths.socket):
            paths.socket.unlink(missing_ok=True)
    containerd = paths.run / "containerd"
    if not alive(containerd / "containerd.pid", "containerd"):
        for name in ("containerd.pid", "containerd.sock", "containerd.sock.ttrpc", "containerd-debug.sock"):
            (containerd / name).unlink(missing_ok=True)
    # dockerd uses the system's containerd when its socket exists, whether anybody listens or not.
    if not paths.flags and system_containerd.exists() and not listens(system_containerd):
        system_containerd.unlink()


def listens(path: Path) -> bool:
    """Whether somebody accepts connections on a Unix socket."""
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def clear(paths: Paths) -> None:
    """End every process of this engine, unmount what it mounted, and empty its run folder. Images and volumes stay."""
    for pid in _processes(paths):
        end(pid, signal.SIGKILL, 5)
    for target in reversed(mounts_below(Path("/proc/self/mountinfo").read_text(), [paths.data, paths.run])):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)
    shutil.rmtree(paths.run, ignore_errors=True)
    paths.pid.unlink(missing_ok=True)
    paths.socket.unlink(missing_ok=True)
    network = paths.data / "network" / "files" / "local-kv.db"
    if network.exists():
        # Half-written by a crash it keeps dockerd from starting; without it user-defined networks are made anew.
        network.replace(network.with_suffix(".broken"))


def _processes(paths: Paths) -> list[int]:
    """dockerd, containerd and the shims that belong to this engine, by the paths on their command lines."""
    folder = f"{paths.run}/containerd"
    folders = (folder, folder.removeprefix("/var"))  # /var/run is a link to /run, and both are written
    found = [alive(paths.pid, "dockerd")]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            name = (entry / "comm").read_text()
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if name.startswith("containerd") and any(word.rpartition("=")[2].startswith(folders) for word in words):
                found.append(int(entry.name))
    return [pid for pid in found if pid]


def mounts_below(mountinfo: str, folders: list[Path]) -> list[str]:
    """Mount points in or under some folders, in mounting order (proc(5), mountinfo: the fifth field)."""
    roots = [str(folder.resolve()) for folder in folders]
    points = [line.split()[4].replace("\\040", " ") for line in mountinfo.splitlines()]
    return [point for point in points if any(point.startswith(f"{root}/") for root in roots)]
