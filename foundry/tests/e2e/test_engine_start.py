"""Test an engine that foundry starts in its own folder, next to the machine's engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foundry import capability_shim, daemon, leftovers, machine
from foundry.engine import Engine

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="dockerd runs as root on Linux only"
)


@dataclass
class Started:
    """The engine under test."""

    engine: Engine
    paths: leftovers.Paths
    cache: machine.Cache
    said: list[str]

    def ensure(self) -> str:
        return daemon.ensure(self.engine, self.cache, self.said.append)

    def kill(self, *names: str) -> None:
        """Kill some of its processes, as a crash does."""
        files = {"dockerd": self.paths.pid, "containerd": self.paths.run / "containerd" / "containerd.pid"}
        for name in names:
            os.kill(int(files[name].read_text()), signal.SIGKILL)
        while any(leftovers.live_pid(files[name], name) for name in names):
            time.sleep(0.05)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    # Not in tmp_path, because a socket's path has at most 107 characters (unix(7)).
    root = Path(tempfile.mkdtemp(prefix="foundry-"))
    monkeypatch.setenv("FOUNDRY_DOCKER_ROOT", str(root))
    monkeypatch.setenv("FOUNDRY_DOCKER_HOST", f"unix://{root}/docker.sock")
    found = Started(
        Engine.from_environment(), leftovers.Paths.from_environment(), machine.Cache(tmp_path / "cache"), []
    )
    yield found
    leftovers.clean_up(found.paths)
    subprocess.run(["umount", "--recursive", found.paths.data], check=False, capture_output=True)
    shutil.rmtree(root)


def test_ensure_engine_restarts_after_every_kind_of_crash(started):
    # A machine without a decision file.
    assert started.ensure()
    lacking = capability_shim.missing(*capability_shim.bounding_set())
    assert any("using the capability shim" in line for line in started.said) is bool(lacking)
    assert not started.engine.images(["foundry.invalid/probe:1"])
    image = started.engine.run("import", "-", "sleeper:1", stdin=daemon.archive("true", b"")).strip()
    assert image

    # A running engine is reused.
    started.said.clear()
    assert started.ensure()
    assert started.said == []

    # dockerd crashed, its containerd is alive.
    started.kill("dockerd")
    assert started.ensure()
    assert not any("using the capability shim" in line for line in started.said), "the decision about the shim is saved"

    # Both crashed, and their pids belong to other processes.
    started.kill("dockerd", "containerd")
    started.paths.pid.write_text(str(os.getpid()))
    (started.paths.run / "containerd" / "containerd.pid").write_text(str(os.getpid()))
    assert started.ensure()

    # Both crashed, and one of dockerd's files is half written.
    started.kill("dockerd", "containerd")
    (started.paths.data / "network" / "files" / "local-kv.db").write_bytes(b"half")
    started.said.clear()
    assert started.ensure()
    assert any("removing leftovers of an earlier dockerd" in line for line in started.said)
    assert started.engine.image("sleeper:1"), "images are kept"
