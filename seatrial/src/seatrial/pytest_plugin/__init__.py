"""Give tests on the host the fixtures, service names and variables that they have in the pod.

The plugin does nothing unless `seatrial.toml` (or `[tool.seatrial]`) is in pytest's rootdir or a parent directory. It
connects to the cluster once a test needs it, except for the variables of `[runner.env-from]`: they are read at the
start if the project has a kept environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seatrial.pod.fixtures.plugin_options import add_options

if TYPE_CHECKING:
    from seatrial.pytest_plugin.host_session import HostSession

__all__ = [
    "find_configuration",
    "pytest_addoption",
    "pytest_configure",
    "pytest_load_initial_conftests",
    "pytest_report_header",
]

_HOST: pytest.StashKey[HostSession] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    add_options(parser)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Set the variables before conftest files read them."""
    file = find_configuration(early_config.rootpath)
    if file is not None:
        from seatrial.pytest_plugin.host_session import HostSession  # noqa: PLC0415

        host = early_config.stash[_HOST] = HostSession(file, early_config)
        early_config.add_cleanup(host.close)
        host.start()
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures, unless the agent in the pod does."""
    host = config.stash.get(_HOST, None)
    if host is not None and not config.pluginmanager.has_plugin("seatrial-fixtures"):
        host.register_fixtures(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Report where the tests run, and the cluster that they use."""
    host = config.stash.get(_HOST, None)
    lines: list[str] = host.header() if host is not None else []
    return lines


def find_configuration(start: Path) -> Path | None:
    """Return the configuration file of a directory or its nearest parent; None if no parent has one.

    The file is not parsed: every pytest session of this Python environment calls this function.
    """
    for folder in (start, *start.parents):
        if (folder / "seatrial.toml").is_file():
            return folder / "seatrial.toml"
        project = folder / "pyproject.toml"
        try:
            if b"[tool.seatrial" in project.read_bytes():
                return project
        except OSError:
            continue
    return None
