"""The pytest plugin of the host: what tests may use there as in the pod. Importing it costs nothing.

It does nothing at all unless a `seatrial.toml` (or `[tool.seatrial]`) is at pytest's rootdir or above it, and connects
to nothing before a test needs it; but the variables of `[runner.env-from]` are read at the start, if an environment is
up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from seatrial.pod.fixtures.plugin_options import add_options

if TYPE_CHECKING:
    from seatrial.pytest_plugin.host_session import Host

__all__ = ["pytest_addoption", "pytest_configure", "pytest_load_initial_conftests", "pytest_report_header"]

_HOST: pytest.StashKey[Host] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    add_options(parser)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Bring the variables in before conftest files look at them."""
    from seatrial.pytest_plugin.configuration_file import configuration_file  # noqa: PLC0415

    file = configuration_file(early_config.rootpath)
    if file is not None:
        from seatrial.pytest_plugin.host_session import Host  # noqa: PLC0415

        host = early_config.stash[_HOST] = Host(file, early_config)
        early_config.add_cleanup(host.close)
        host.start()
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Give the session its fixtures, unless the pod's agent does."""
    host = config.stash.get(_HOST, None)
    if host is not None and not config.pluginmanager.has_plugin("seatrial-fixtures"):
        host.give_fixtures(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say where the tests run, and beside what."""
    host = config.stash.get(_HOST, None)
    lines: list[str] = host.header() if host is not None else []
    return lines
