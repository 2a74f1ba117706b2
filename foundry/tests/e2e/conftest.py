"""Tests against a real Docker engine: the one that answers here."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def inspect(ref: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("image", "inspect", ref))[0]
    return found


@pytest.fixture
def name() -> Iterator[str]:
    """A name for an artefact that no other test or project has; its images and containers are removed afterwards."""
    made = f"test-{uuid.uuid4().hex[:8]}"
    yield made
    for ref in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split():
        if made in ref:
            docker("image", "rm", "--force", ref, check=False)
    containers = docker("ps", "--all", "--quiet", "--filter", f"name={made}").split()
    if containers:
        docker("rm", "--force", "--volumes", *containers)


@pytest.fixture
def registry(name: str) -> Iterator[str]:
    """A private registry on a free port of this machine."""
    container = docker("run", "--detach", f"--name={name}-registry", "--publish=127.0.0.1::5000", "foundry/registry:2")
    port = docker("port", container, "5000").rpartition(":")[2]
    yield f"localhost:{port}"
    docker("rm", "--force", "--volumes", container)


Docker = Callable[..., str]
