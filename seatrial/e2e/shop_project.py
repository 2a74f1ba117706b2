"""Provide the small project of the e2e tests, with methods to run commands, edit files and query the cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent / "project"
NAME = "seatrial-e2e"
PATIENCE = 600
CACHE = Path(
    os.environ.get("FOUNDRY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foundry"
)
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SEATRIAL_")},
    "PATH": f"{CACHE / 'bin'}{os.pathsep}{os.environ['PATH']}",
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Shop:
    """A copy of the project that tests can change."""

    root: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands."""
        return ENVIRONMENT

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "seatrial", "-C", str(self.root), *argv]

    def start(self, *argv: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        # Under nohup or a shell's `&`, SIGINT is ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(self.command(*argv), env=self.env, cwd=self.root, stdout=pipe, stderr=pipe, text=True)

    def __call__(self, *argv: str, code: int = 0) -> Done:
        started = time.monotonic()
        done = subprocess.run(
            self.command(*argv),
            env=self.env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        seconds = time.monotonic() - started
        assert done.returncode == code, f"{argv} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr, seconds)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / ".seatrial" / "runs" / "latest" / "result.json").read_text())
        return found

    @property
    def environment(self) -> str:
        """The id of the environment of the last run."""
        return str(self.result["environment_id"])

    def stage(self, name: str) -> dict[str, Any]:
        return next(stage for stage in self.result["stages"] if stage["stage"] == name)

    def kubectl(self, *argv: str) -> str:
        values = json.loads(self("env", "--json").out)
        env = {**ENVIRONMENT, **values}
        return subprocess.run(["kubectl", *argv], env=env, capture_output=True, text=True, check=True).stdout


def docker(*argv: str) -> str:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, check=True).stdout


def containers(name: str) -> list[str]:
    """Return the names of a cluster's containers; `name` may be a prefix of the cluster's name."""
    listed = docker("ps", "--all", "--format", '{{.Names}} {{.Label "io.x-k8s.kind.cluster"}}').splitlines()
    return [line.split()[0] for line in listed if len(line.split()) > 1 and line.split()[1].startswith(name)]


def copy(tmp_path_factory: pytest.TempPathFactory, name: str) -> Shop:
    root = tmp_path_factory.mktemp(name) / "shop"
    shutil.copytree(
        PROJECT, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__", ".pytest_cache", ".coverage")
    )
    (root / "seatrial.toml").write_text((root / "seatrial.toml").read_text().replace(NAME, f"{NAME}-{name}"))
    return Shop(root)
