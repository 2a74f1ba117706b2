"""Calls between agent, fixtures and clients, which are one package in the pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.pod.agent.wire import PACKAGE
from seatrial.runner.agent_files import agent_files


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A directory with the package as it is in the pod."""
    (tmp_path / PACKAGE).mkdir()
    for name, text in agent_files().items():
        (tmp_path / PACKAGE / name).write_text(text)
    return tmp_path


def python(pod: Path, code: str, *arguments: str) -> str:
    argv = [sys.executable, "-c", f"import sys\nfrom {PACKAGE} import bundle\n{code}", *arguments]
    done = subprocess.run(argv, cwd=pod, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_client_programs_are_written_and_start_the_agent(pod: Path) -> None:
    python(pod, "bundle.write_client_programs(sys.argv[1], '/agent.py')", str(pod / "bin"))

    programs = sorted((pod / "bin").iterdir())
    assert programs
    assert all(os.access(each, os.X_OK) and "/agent.py" in each.read_text() for each in programs)


def test_run_client_returns_the_exit_code_of_the_client(pod: Path) -> None:
    code = "print(bundle.run_client('http', ['http://127.0.0.1:1/']))"

    assert python(pod, code).splitlines()[-1] == "1"


@pytest.mark.parametrize("settings", [None, {"namespace": "shop", "services": {}}], ids=["none", "settings"])
def test_fixtures_are_imported_only_with_settings(pod: Path, settings: dict[str, object] | None) -> None:
    """A session without fixtures does not pay for them."""
    code = (
        "import json\nfrom types import SimpleNamespace as N\n"
        "plugins = []\n"
        "manager = N(register=lambda plugin, name: plugins.append(name))\n"
        "config = N(stash={}, addinivalue_line=lambda *_: None, pluginmanager=manager)\n"
        "bundle.register_fixtures(config, json.loads(sys.argv[1]))\n"
        f"print(json.dumps([plugins, '{PACKAGE}.fixture_plugin' in sys.modules]))"
    )

    plugins, imported = json.loads(python(pod, code, json.dumps(settings)))

    assert (plugins, imported) == ((["seatrial-requested", "seatrial-fixtures"], True) if settings else ([], False))


def test_module_names_of_agent_and_fixtures_do_not_collide() -> None:
    from importlib.resources import files  # noqa: PLC0415

    agent, fixtures, clients = (
        {entry.name for entry in files(f"seatrial.pod.{package}").iterdir() if entry.name.endswith(".py")}
        for package in ("agent", "fixtures", "clients")
    )
    assert agent & fixtures == agent & clients == fixtures & clients == {"__init__.py"}
