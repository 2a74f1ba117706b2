"""Call the docker command in tests."""

from __future__ import annotations

import json
import subprocess
from typing import Any


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def inspect(ref: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("image", "inspect", ref))[0]
    return found
