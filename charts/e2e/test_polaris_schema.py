"""Test the script that runs one admin tool at a time on the catalog's schema, with a real PostgreSQL."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[1] / "floe-infrastructure" / "files"
IMAGE = "foundry.invalid/postgresql:17"

Script = Callable[..., subprocess.CompletedProcess[str]]


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Provide a container with PostgreSQL."""
    name = f"polaris-schema-{uuid.uuid4().hex[:8]}"
    started = docker(
        *("run", "--detach", "--rm", "--network=none", f"--name={name}", f"--volume={FILES}:/scripts:ro"),
        *("--env=POSTGRES_PASSWORD=secret", "--env=POSTGRES_DB=polaris", IMAGE, "-c", "fsync=off"),
    )
    assert started.returncode == 0, started.stderr
    end = time.monotonic() + 60
    while docker("exec", name, "psql", "--host=127.0.0.1", "-U", "postgres", "-c", "select 1", "polaris").returncode:
        assert time.monotonic() < end, docker("logs", name).stderr
        time.sleep(0.2)
    yield name
    docker("rm", "--force", "--volumes", name)


@pytest.fixture
def script(database: str) -> Script:
    """`script("wait", …)`: run a part of the script to its end, or in the background with `detach`."""

    def run(part: str, *, detach: bool = False, tool: str = "tool:1", **env: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "PGHOST": "127.0.0.1",
            "PGUSER": "postgres",
            "PGPASSWORD": "secret",
            "PGDATABASE": "polaris",
            "ADMIN_TOOL": tool,
            "SECONDS_TO_WAIT": "2",
            **env,
        }
        words = [*(["--detach"] if detach else []), *(f"--env={name}={value}" for name, value in variables.items())]
        return docker("exec", *words, database, "bash", "/scripts/polaris_schema.sh", part)

    return run


def appears(database: str, file: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while docker("exec", database, "test", "-f", file).returncode:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_wait_ends_once_admin_tool_of_version_succeeded(script):
    waited = script("wait")
    assert waited.returncode == 1
    assert "timed out after 2 s waiting for the catalog's schema" in waited.stderr

    assert script("record").returncode == 0
    assert script("record").returncode == 0, "an upgrade with the same tool"

    assert script("wait").returncode == 0
    assert script("wait", tool="tool:2").returncode == 1


def test_lock_is_free_once_first_admin_tool_is_gone(database, script):
    script("lock", detach=True, LOCKED="/tmp/first", PGAPPNAME="first")
    assert appears(database, "/tmp/first", 30)

    script("lock", detach=True, LOCKED="/tmp/second")
    assert not appears(database, "/tmp/second", 3)

    # Simulate the end of the first pod, which closes its connection.
    kill = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
    assert docker("exec", database, "psql", "-U", "postgres", "-c", kill, "polaris").returncode == 0
    assert appears(database, "/tmp/second", 30)
