"""Where the suites run: a place with an agent, reached by a PodExec, and nothing else."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seatrial.ports import Completed, ContainerState, PodExec

__all__ = ["Transport"]

_UNPACK = """
import os, shutil, sys, tarfile
shutil.rmtree(sys.argv[1], ignore_errors=True)
os.makedirs(sys.argv[1])
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(sys.argv[1])
"""
_PLAIN = """
import json, os, subprocess, sys
directory, env, argv = json.loads(sys.stdin.read())
for name in list(os.environ):
    if name.startswith(("PYTEST_", "COV_", "COVERAGE_")):
        del os.environ[name]
done = subprocess.run(argv, cwd=directory, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
sys.stdout.buffer.write(done.stdout)
sys.exit(done.returncode)
"""
_FETCH = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """A place where pytest runs.

    Attributes:
        exec_: commands there.
        state: asks for container `tests`.
        python: an interpreter with pytest, pytest-xdist and pytest-cov there.
        agent_python: the one of the agent.
        entry: the agent's `agent.py` there.
        base: a directory there that may be written to.
    """

    exec_: PodExec
    state: Callable[[], ContainerState]
    python: str
    agent_python: str
    entry: str
    base: str

    def place(self, name: str, files: Mapping[str, str]) -> str:
        """Write a suite and return its directory."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(path)
                content = text.encode()
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        directory = f"{self.base}/{name}"
        done = self.exec_.run([self.python, "-c", _UNPACK, directory], stdin=buffer.getvalue(), timeout=60)
        assert done.code == 0, done.stderr
        return directory

    def plain(self, directory: str, argv: list[str], env: Mapping[str, str]) -> Completed:
        """Run a command there without us: what everything is compared with."""
        stdin = json.dumps([directory, dict(env), argv]).encode()
        return self.exec_.run([self.python, "-c", _PLAIN], stdin=stdin, timeout=300)

    def read(self, path: str) -> bytes:
        """Return a file from there."""
        return self.exec_.run([self.python, "-c", _FETCH, path], timeout=60).stdout
