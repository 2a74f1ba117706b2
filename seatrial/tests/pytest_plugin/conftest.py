"""A project, and a kept environment whose cluster is a fake API in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from adapters.fake_api import FakeApi, serving
from adapters.fake_pods import Pods, endpoint, endpoint_slice

CONFIGURATION = """
[cluster]
name = "shop"

[service.web]
port = 18090
ready = { http = "/ready" }

[service.db]
name = "pg"
namespace = "data"
port = 15432
scheme = "postgresql"

[runner]
image = "python:3.13"
namespace = "shop"

[runner.env]
STATIC = "from the file"

[runner.env-from]
PASSWORD = "secret/web/password"
MISSING = "secret/web/nothing"
PLAIN = "configmap/web/key"
WHERE = "namespace"
"""


@dataclass
class Project:
    """A project. `pytest(…)` runs its tests in a separate process and returns the output."""

    root: Path
    state: Path
    env: dict[str, str] = field(default_factory=dict)

    def write(self, text: str, name: str = "test_it.py") -> None:
        (self.root / name).write_text(text)

    def keep(self, port: int) -> None:
        """Create the record of a kept environment."""
        directory = self.state / "seatrial" / "sessions" / "0a1b2c3d"
        directory.mkdir(parents=True)
        session = {"session": "0a1b2c3d", "project": str(self.root), "command": "up", "provider": "kind",
                   "cluster": "shop", "created": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z",
                   "kept": True}  # fmt: skip
        (directory / "session.json").write_text(json.dumps(session))
        config = {
            "contexts": [{"name": "kind-shop", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        }
        (directory / "kubeconfig").write_text(json.dumps(config))

    def pytest(self, *args: str, code: int = 0, **env: str) -> str:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "SEATRIAL_", "COV_")) and name not in ("CI", "COLUMNS")
        }
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-W",
                "error",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:hypothesispytest",
                *args,
            ],
            cwd=self.root,
            env={**clean, "XDG_STATE_HOME": str(self.state), **self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "shop"
    root.mkdir()
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (root / "seatrial.toml").write_text(CONFIGURATION)
    return Project(root, tmp_path / "state")


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def pods(api, project):
    """The pods of the project's environment: `web-1` and `pg-1`."""
    for namespace, name, port in (("shop", "web", 18090), ("data", "pg", 15432)):
        base = f"/api/v1/namespaces/{namespace}/services/{name}"
        api.on("GET", base, (200, {"spec": {"ports": [{"port": port}]}}))
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        items = [endpoint_slice(name, endpoint(f"{name}-1"))]
        api.on("GET", slices, (200, {"metadata": {"resourceVersion": "5"}, "items": items}))
    secret = {"data": {"password": "c2VzYW1l"}}
    api.on("GET", "/api/v1/namespaces/shop/secrets/web", (200, secret))
    api.on("GET", "/api/v1/namespaces/shop/configmaps/web", (200, {"data": {"key": "plain"}}))
    with serving(api) as access:
        project.keep(access.port)
        yield Pods(api)
