"""Have a Docker engine: the one that answers, else one that foundry starts.

A started engine is detached, survives foundry, and can be started again after it or the machine died in any state.
`FOUNDRY_DOCKER_ROOT` puts all its files into one folder (for tests beside another engine).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foundry import capability_shim, leftovers, machine, process
from foundry.engine import Engine
from foundry.errors import CommandFailedError, FoundryError
from foundry.leftovers import Paths

START_SECONDS = 60.0
STOP_SECONDS = 20.0
RUNTIME = "foundry-runc"
PACKAGES = ("docker.io", "ca-certificates")


def ensure(engine: Engine, cache: machine.Cache, say: Callable[[str], None]) -> str:
    """Return the version of an engine that answers, having installed and started one if none did.

    Raises:
        FoundryError: there is none, and this machine is not one on which foundry can start one.
    """
    if version := engine.version():
        return version
    paths = Paths.from_environment()
    _refuse_elsewhere(engine, paths)
    cache.engine.mkdir(parents=True, exist_ok=True)
    log = cache.engine / "dockerd.log"

    def run(argv: object, **options: object) -> str:
        return process.run(argv, log=cache.engine / "install.log", **options)  # type: ignore[arg-type]

    if not (shutil.which("dockerd") and shutil.which("docker")):
        say(f"installing {PACKAGES[0]} (log: {cache.engine / 'install.log'})")
        machine.install(*PACKAGES, unless=None, run=run)
    if machine.systemd_runs() and not paths.flags:
        say("starting Docker by systemd")
        run(["systemctl", "start", "docker"])
        return _answer(engine, START_SECONDS, lambda: True) or _give_up(engine, Path("journalctl --unit docker"))
    say(f"starting dockerd (log: {log})")
    return Daemon(engine, paths, cache.engine, log, say).start()


def _refuse_elsewhere(engine: Engine, paths: Paths) -> None:
    """Explain, in one line of what to do, why no engine can be started here."""
    if paths.flags:
        return
    host = engine.host or os.environ.get("DOCKER_HOST", "")
    if host:
        raise FoundryError("no Docker engine answers", f"{host} was asked", "start that engine, or unset DOCKER_HOST")
    if sys.platform == "darwin":
        raise FoundryError("no Docker engine answers", "", "install and start Docker Desktop, Colima or OrbStack")
    if not machine.is_debian():
        raise FoundryError("no Docker engine answers", "", "install Docker Engine by your distribution and start it")
    if os.geteuid() != 0:
        try_ = "sudo apt-get install docker.io && sudo systemctl start docker, and join the group docker"
        raise FoundryError("no Docker engine answers", "foundry starts one only as root", try_)


def _answer(engine: Engine, seconds: float, alive: Callable[[], bool]) -> str:
    """Wait until the engine answers; empty when it does not, or when it is no longer alive."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if version := engine.version():
            return version
        if not alive():
            return ""
        time.sleep(0.1)
    return ""


def _give_up(engine: Engine, log: Path) -> str:
    tail = process.last_lines(log) if log.is_file() else ""
    raise FoundryError("the Docker engine does not start", tail, f"read its log: {log} ({' '.join(engine.argv)} info)")


@dataclass
class Daemon:
    """One dockerd that foundry starts."""

    engine: Engine
    paths: Paths
    folder: Path  # shim, decision about it
    log: Path
    say: Callable[[str], None]

    def start(self) -> str:
        """Start it, whatever an earlier one left behind, and prove that it can run a privileged container."""
        lacking = capability_shim.missing(*capability_shim.bounding_set())
        decision = self.folder / "shim.json"
        facts = {"lacking": sorted(lacking)}
        shim = False
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(decision.read_text())
            shim = known.pop("shim") and known == facts
        version = self._up(shim=shim)
        trouble = self._privileged()
        if trouble and lacking and not shim:
            self.say(
                f"privileged containers need what this machine lacks ({', '.join(sorted(lacking))}): using the shim"
            )
            self._stop()
            shim = True
            version = self._up(shim=True)
            trouble = self._privileged()
        if trouble:
            raise FoundryError(
                "the Docker engine runs no privileged container, and kind's nodes are such",
                trouble,
                f"read its log: {self.log}",
            )
        decision.write_text(json.dumps({**facts, "shim": shim}))
        return version

    def _up(self, *, shim: bool) -> str:
        leftovers.forget_dead(self.paths)
        if version := self._attempt(shim=shim):
            return version
        # What an earlier daemon left is in the way: end its processes, unmount, forget its sockets, and try once more.
        self.say("dockerd did not start: clearing what an earlier one left")
        leftovers.clear(self.paths)
        return self._attempt(shim=shim) or _give_up(self.engine, self.log)

    def _attempt(self, *, shim: bool) -> str:
        argv = [*self.paths.prefix, "dockerd", *self.paths.flags]
        if not configured("storage-driver"):
            argv.append("--storage-driver=overlay2")
        if shim:
            argv += [f"--add-runtime={RUNTIME}={self._write_shim()}", f"--default-runtime={RUNTIME}"]
        with self.log.open("ab") as log:
            log.write(f"# {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {' '.join(argv)}\n".encode())
            log.flush()
            # Nothing of this process may end it: its own session, no terminal, no working directory of the project's.
            daemon = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        if version := _answer(self.engine, START_SECONDS, lambda: daemon.poll() is None):
            daemon.returncode = 0  # it is meant to outlive this process: no warning that it does
            return version
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        return ""

    def _write_shim(self) -> Path:
        """The shim as a program of its own: the environment that foundry runs in may be gone tomorrow."""
        python = next(
            (path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(path, os.X_OK)),
            os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
        )
        source = Path(capability_shim.__file__).read_text()
        target = self.folder / "capability-shim"
        temporary = target.with_suffix(".new")
        temporary.write_text(f"#!{python} -IS\n{source}")
        temporary.chmod(0o755)
        temporary.replace(target)
        return target

    def _stop(self) -> None:
        if pid := leftovers.alive(self.paths.pid, "dockerd"):
            leftovers.end(pid, signal.SIGTERM, STOP_SECONDS)

    def _privileged(self) -> str:
        """Run a privileged container from nothing; returns what went wrong, empty for nothing."""
        image = ""
        try:
            image = self.engine.run("import", "-", stdin=archive("true", tiny_program(machine.architecture()))).strip()
            # No default network: an engine in a folder of its own has none.
            self.engine.run("run", "--rm", "--privileged", "--network=none", image, "/true", timeout=60)
        except CommandFailedError as error:
            return error.tail or error.what
        finally:
            if image:
                self.engine.remove_images([image])
        return ""


def archive(name: str, program: bytes) -> bytes:
    """A tar archive of one program, as `docker import` takes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
    return buffer.getvalue()


def tiny_program(arch: str) -> bytes:
    """A static Linux program that exits with status 0: what can be run where no image can be pulled.

    An ELF header, one loadable segment, and the system call `exit(0)` in machine code.
    """
    machine_id, code = {
        # mov eax, 60; xor edi, edi; syscall
        "amd64": (62, bytes.fromhex("b83c000000 31ff 0f05")),
        # mov x8, #93; mov x0, #0; svc #0
        "arm64": (183, bytes.fromhex("a80b80d2 000080d2 010000d4")),
    }[arch]
    base, headers = 0x400000, 64 + 56
    size = headers + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 2, machine_id, 1, base + headers, 64, 0, 0, 64, 56, 1, 64, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + segment + code


def configured(option: str, file: Path = Path("/etc/docker/daemon.json")) -> bool:
    """Whether the machine's own configuration sets an option: dockerd refuses to be told twice."""
    try:
        return option in json.loads(file.read_text())
    except (OSError, ValueError):
        return False
