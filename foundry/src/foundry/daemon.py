"""Ensure that a Docker engine runs: use the one that answers, else install and start dockerd.

A started engine is detached and outlives foundry. It can be started again after a crash of dockerd or of the machine.
`FOUNDRY_DOCKER_ROOT` puts all its files into one folder, for tests that run next to another engine.
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
    """Return the version of the running engine; install and start one if none answers.

    Raises:
        FoundryError: no engine answers, and foundry cannot start one on this machine.
    """
    if version := engine.version():
        return version
    paths = Paths.from_environment()
    _check_startable(engine, paths)
    cache.engine.mkdir(parents=True, exist_ok=True)
    log = cache.engine / "dockerd.log"

    def run(argv: object, **options: object) -> str:
        return process.run(argv, log=cache.engine / "install.log", **options)  # type: ignore[arg-type]

    if not (shutil.which("dockerd") and shutil.which("docker")):
        say(f"installing {PACKAGES[0]} (log: {cache.engine / 'install.log'})")
        machine.install(*PACKAGES, unless=None, run=run)
    if machine.systemd_runs() and not paths.flags:
        say("starting Docker with systemd")
        run(["systemctl", "start", "docker"])
        return _wait_for_engine(engine, START_SECONDS, lambda: True) or _fail_start(
            engine, Path("journalctl --unit docker")
        )
    say(f"starting dockerd (log: {log})")
    return Daemon(engine, paths, cache.engine, log, say).start()


def _check_startable(engine: Engine, paths: Paths) -> None:
    """Raise an error with a hint if foundry cannot start an engine here."""
    if paths.flags:
        return
    host = engine.host or os.environ.get("DOCKER_HOST", "")
    if host:
        raise FoundryError("no Docker engine answers", f"tried {host}", "start this engine, or unset DOCKER_HOST")
    if sys.platform == "darwin":
        raise FoundryError("no Docker engine answers", "", "install and start Docker Desktop, Colima or OrbStack")
    if not machine.is_debian():
        raise FoundryError("no Docker engine answers", "", "install and start Docker Engine from your distribution")
    if os.geteuid() != 0:
        hint = "sudo apt-get install docker.io && sudo systemctl start docker && sudo usermod -aG docker $USER"
        raise FoundryError("no Docker engine answers", "foundry starts an engine only as root", hint)


def _wait_for_engine(engine: Engine, seconds: float, alive: Callable[[], bool]) -> str:
    """Wait for the engine to answer. Return its version; empty on timeout or once `alive` returns False."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if version := engine.version():
            return version
        if not alive():
            return ""
        time.sleep(0.1)
    return ""


def _fail_start(engine: Engine, log: Path) -> str:
    tail = process.last_lines(log) if log.is_file() else ""
    raise FoundryError("the Docker engine failed to start", tail, f"read the log: {log} ({' '.join(engine.argv)} info)")


@dataclass
class Daemon:
    """A dockerd process that foundry starts."""

    engine: Engine
    paths: Paths
    folder: Path  # contains the shim and the decision whether to use it
    log: Path
    say: Callable[[str], None]

    def start(self) -> str:
        """Start dockerd after any earlier failure, and verify that it runs a privileged container."""
        lacking = capability_shim.missing(*capability_shim.bounding_set())
        decision = self.folder / "shim.json"
        facts = {"lacking": sorted(lacking)}
        shim = False
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(decision.read_text())
            shim = known.pop("shim") and known == facts
        version = self._start_dockerd(shim=shim)
        trouble = self._privileged_failure()
        if trouble and lacking and not shim:
            self.say(f"this machine lacks {', '.join(sorted(lacking))}; using the capability shim")
            self._stop()
            shim = True
            version = self._start_dockerd(shim=True)
            trouble = self._privileged_failure()
        if trouble:
            raise FoundryError(
                "the Docker engine cannot run privileged containers, which kind nodes require",
                trouble,
                f"read the log: {self.log}",
            )
        decision.write_text(json.dumps({**facts, "shim": shim}))
        return version

    def _start_dockerd(self, *, shim: bool) -> str:
        leftovers.remove_stale_files(self.paths)
        if version := self._attempt(shim=shim):
            return version
        # Leftovers of an earlier daemon block the start. Remove its processes, mounts and sockets, and retry once.
        self.say("dockerd did not start; removing leftovers of an earlier dockerd")
        leftovers.clean_up(self.paths)
        return self._attempt(shim=shim) or _fail_start(self.engine, self.log)

    def _attempt(self, *, shim: bool) -> str:
        argv = [*self.paths.prefix, "dockerd", *self.paths.flags]
        if not is_configured("storage-driver"):
            argv.append("--storage-driver=overlay2")
        if shim:
            argv += [f"--add-runtime={RUNTIME}={self._write_shim()}", f"--default-runtime={RUNTIME}"]
        with self.log.open("ab") as log:
            log.write(f"# {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {' '.join(argv)}\n".encode())
            log.flush()
            # No signal to this process may reach dockerd: new session, no terminal, no working directory of the
            # project.
            daemon = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        if version := _wait_for_engine(self.engine, START_SECONDS, lambda: daemon.poll() is None):
            daemon.returncode = 0  # dockerd outlives this process on purpose; suppress the ResourceWarning
            return version
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        return ""

    def _write_shim(self) -> Path:
        """Write the shim as a standalone program. It must survive the removal of foundry's virtual environment."""
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
        if pid := leftovers.live_pid(self.paths.pid, "dockerd"):
            leftovers.terminate(pid, signal.SIGTERM, STOP_SECONDS)

    def _privileged_failure(self) -> str:
        """Run a privileged container that needs no image pull. Return the failure, or an empty string."""
        image = ""
        try:
            image = self.engine.run("import", "-", stdin=archive("true", tiny_program(machine.architecture()))).strip()
            # An engine in its own folder has no default network.
            self.engine.run("run", "--rm", "--privileged", "--network=none", image, "/true", timeout=60)
        except CommandFailedError as error:
            return error.tail or error.message
        finally:
            if image:
                self.engine.remove_images([image])
        return ""


def archive(name: str, program: bytes) -> bytes:
    """Return a tar archive of one program, in the format of `docker import`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
    return buffer.getvalue()


def tiny_program(arch: str) -> bytes:
    """Return a static Linux program that exits with code 0, for machines that cannot pull an image.

    It consists of an ELF header, one loadable segment, and the system call `exit(0)` in machine code.
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


def is_configured(option: str, file: Path = Path("/etc/docker/daemon.json")) -> bool:
    """Return whether the machine's configuration sets an option. dockerd rejects an option that is set twice."""
    try:
        return option in json.loads(file.read_text())
    except (OSError, ValueError):
        return False
