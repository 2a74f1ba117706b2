"""Build Docker 29, run it as a second engine and use it: see `docker29.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("docker29.py")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="dockerd runs as root on Linux only"
)


def test_docker_29_builds_pulls_pushes_and_delivers():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.partition(":")[0] for line in done.stdout.splitlines() if ": done in" in line]
    assert steps == ["engine", "builder", "foundry", "deliver"]
