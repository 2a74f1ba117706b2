"""An engine that foundry starts itself, beside the one that runs here, in a folder of its own."""

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
        """End some of its processes as a crash does."""
        files = {"dockerd": self.paths.pid, "containerd": self.paths.run / "containerd" / "containerd.pid"}
        for name in names:
            os.kill(int(files[name].read_text()), signal.SIGKILL)
        while any(leftovers.alive(files[name], name) for name in names):
            time.sleep(0.05)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    # Not in tmp_path: a socket's path has at most 107 characters (unix(7)).
    root = Path(tempfile.mkdtemp(prefix="foundry-"))
    monkeypatch.setenv("FOUNDRY_DOCKER_ROOT", str(root))
    monkeypatch.setenv("FOUNDRY_DOCKER_HOST", f"unix://{root}/docker.sock")
    found = Started(
        Engine.from_environment(), leftovers.Paths.from_environment(), machine.Cache(tmp_path / "cache"), []
    )
    yield found
    leftovers.clear(found.paths)
    subprocess.run(["umount", "--recursive", found.paths.data], check=False, capture_output=True)
    shutil.rmtree(root)


def test_an_engine_is_started_proven_and_started_again_after_every_kind_of_death(started):
    # A machine without one.
    assert started.ensure()
    lacking = capability_shim.missing(*capability_shim.bounding_set())
    assert any("using the shim" in line for line in started.said) is bool(lacking)
    assert not started.engine.images(["foundry.invalid/probe:1"])
    image = started.engine.run("import", "-", "sleeper:1", stdin=daemon.archive("true", b"")).strip()
    assert image

    # One that answers is used as it is.
    started.said.clear()
    assert started.ensure()
    assert started.said == []

    # The daemon died, its containerd lives.
    started.kill("dockerd")
    assert started.ensure()
    assert not any("using the shim" in line for line in started.said), "the decision about the shim is remembered"

    # Both died, and other processes have their numbers by now.
    started.kill("dockerd", "containerd")
    started.paths.pid.write_text(str(os.getpid()))
    (started.paths.run / "containerd" / "containerd.pid").write_text(str(os.getpid()))
    assert started.ensure()

    # Both died, and a file that dockerd needs was half written.
    started.kill("dockerd", "containerd")
    (started.paths.data / "network" / "files" / "local-kv.db").write_bytes(b"half")
    started.said.clear()
    assert started.ensure()
    assert any("clearing what an earlier one left" in line for line in started.said)
    assert started.engine.image("sleeper:1"), "images outlive it all"
