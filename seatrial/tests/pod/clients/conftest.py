"""A fixture that runs the clients as programs, as in a debug pod."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from seatrial.pod.agent.wire import PACKAGE, STATE_VARIABLE
from seatrial.runner.agent_files import agent_files


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """Return a function that runs a client by its name."""
    root = tmp_path_factory.mktemp("pod")
    agent = root / PACKAGE
    agent.mkdir()
    for name, text in agent_files().items():
        (agent / name).write_text(text)
    argv = [sys.executable, "-I", "-S", str(agent / "agent.py"), "clients", str(root / "bin")]
    writer = subprocess.Popen(argv, env={STATE_VARIABLE: str(root)})
    while not (root / "bin").exists():
        assert writer.poll() is None
        time.sleep(0.01)

    def run(*argv, **env):
        program, *arguments = argv
        path = str(root / "bin" / program)
        return subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": "/bin:/usr/bin", **env},
        )

    yield run
    writer.terminate()
    assert writer.wait(10) == 0
