from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from seatrial.pod.agent.wire import AGENT_ENTRY
from seatrial.runner.agent_files import agent_argv, agent_files


def test_files_of_agent_fixtures_and_clients_are_listed() -> None:
    names = agent_files().keys()

    assert Path(AGENT_ENTRY).name in names
    assert {"wire.py", "frame_log.py", "plugin.py"} <= names


def test_files_fit_into_a_config_map() -> None:
    """Kubernetes refuses a ConfigMap of more than 1 MiB."""
    assert sum(len(name) + len(text.encode()) for name, text in agent_files().items()) < 1 << 20


def test_agent_starts_from_a_directory_with_only_these_files(tmp_path: Path) -> None:
    for name, text in agent_files().items():
        (tmp_path / name).write_text(text)
    argv = agent_argv("--help", python=sys.executable, entry=str(tmp_path / Path(AGENT_ENTRY).name))

    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "ImportError" not in done.stderr
    assert "ModuleNotFoundError" not in done.stderr


def test_agent_ignores_the_environment_and_the_site_packages_of_the_pod() -> None:
    assert agent_argv("serve", "x") == ("python3", "-I", "-S", AGENT_ENTRY, "serve", "x")
