"""The agent runs in images that are older than we are: Python 3.9, pytest 7.0."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode
from seatrial.model.names import RunId
from seatrial.runner.agent_files import agent_files
from seatrial.runner.request import Request
from seatrial.runner.run_tests import run_tests

from runner.local_pod import LocalPod

TEST = """
import warnings
import pytest

@pytest.mark.parametrize("i", range(3))
def test_some(i):
    print("printed")
    assert i != 1

@pytest.mark.xfail
def test_xfail(): assert 0

@pytest.mark.skip(reason="no")
def test_skip(): pass

def test_warns(): warnings.warn("look")

def test_service(service):
    assert (service("web", check=False).url, service.location.where) == ("http://web:1", "pod")
    assert "refused" in service.probe("here", http="/")

def test_namespace(isolated_namespace): pass
"""

FIXTURES = {
    "namespace": "shop",
    "labels": {},
    "rights": None,
    "services": {
        "web": {"service": "web", "namespace": "shop", "port": 1, "scheme": "http", "ready": None},
        "here": {"service": "127.0.0.1", "namespace": "shop", "port": 1, "scheme": "http", "ready": None},
    },
}


@pytest.mark.parametrize("name", sorted(agent_files()))
def test_agent_has_the_grammar_and_imports_of_old_pythons(name: str) -> None:
    """Python 3.9, the standard library, pytest and its requirements."""
    tree = ast.parse(agent_files()[name], feature_version=(3, 9))
    allowed = {*sys.stdlib_module_names, "pytest", "_pytest", "pluggy"}

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").partition(".")[0] in allowed


def _python_3_9() -> str | None:
    """Return an interpreter: on PATH, or one of pyenv's that is not the chosen one."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (shutil.which("python3.9"), *map(str, versions.glob("3.9.*/bin/python3.9"))):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def test_run_under_python_3_9_and_pytest_7_is_complete(tmp_path: Path) -> None:
    """All outcomes are the same as with new versions."""
    base = _python_3_9()
    if base is None:
        pytest.skip("no Python 3.9 on this machine")
    environment = tmp_path / "environment"
    subprocess.run([base, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "pytest==7.0.1", "pytest-xdist==2.5.0"], check=True)
    pod = LocalPod(tmp_path / "pod", python)
    pod.wait_ready()
    (pod.workdir / "test_a.py").write_text(TEST)
    for number, workers in enumerate(((), ("-n", "1"))):
        out = io.StringIO()
        request = Request(
            run=RunId(f"20260101-00000{number}-0000"), argv=(python, "-m", "pytest", "-v", *workers), root=tmp_path,
            directory=str(pod.workdir), where="old", deadline=Deadline.after(60), cache=False, python=python,
            entry=pod.entry, fixtures=FIXTURES, env={"SEATRIAL_LOCATION": "pod"},
        )  # fmt: skip
        ran = run_tests(pod, request, emit=lambda _: None, state=pod.state, run_dir=tmp_path / f"run{number}", out=out)
        counts = ran.counts
        assert (ran.verdict.exit, ran.verdict.proven) == (ExitCode.TESTS_FAILED, True), out.getvalue()
        assert (counts.passed, counts.failed, counts.skipped, counts.xfailed) == (4, 1, 1, 1), out.getvalue()
        assert counts.errors == 1
        assert "cannot create namespaces: no ServiceAccount is mounted" in out.getvalue()
        assert "pytest-7.0.1" in out.getvalue()
        assert (tmp_path / f"run{number}" / "renderer-errors.log").read_text() == ""
    pod.close()
