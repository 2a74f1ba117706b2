"""Provide fixtures for tests with a real Docker engine."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
import time
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from docker_cli import docker


@pytest.fixture
def name() -> Iterator[str]:
    """Provide a unique artifact name; remove its images and containers afterwards."""
    made = f"test-{uuid.uuid4().hex[:8]}"
    yield made
    for ref in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split():
        if made in ref:
            docker("image", "rm", "--force", ref, check=False)
    containers = docker("ps", "--all", "--quiet", "--filter", f"name={made}").split()
    if containers:
        docker("rm", "--force", "--volumes", *containers)


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """Provide a private registry on a free port, shared by all tests."""
    name = f"test-registry-{uuid.uuid4().hex[:8]}"
    container = docker("run", "--detach", f"--name={name}", "--publish=127.0.0.1::5000", "foundry.invalid/registry:2")
    port = docker("port", container, "5000").rpartition(":")[2]
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5):
            break
        assert time.monotonic() < end, docker("logs", container)
        time.sleep(0.1)
    yield f"localhost:{port}"
    docker("rm", "--force", "--volumes", container)


@pytest.fixture(scope="session")
def small_image() -> Iterator[str]:
    """Provide the name of an image of a few bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"upstream-{uuid.uuid4().hex}"))
    ref = f"test-upstream-{uuid.uuid4().hex[:8]}:1"
    subprocess.run(["docker", "import", "-", ref], input=packed.getvalue(), capture_output=True, check=True)
    yield ref
    docker("image", "rm", ref)
