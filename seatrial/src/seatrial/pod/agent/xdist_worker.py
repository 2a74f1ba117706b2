"""Register paths and fixtures in xdist workers, and report imported modules to the controller.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from .bundle import add_options, register_fixtures
from .coverage_flush import flush_coverage
from .failure_context import FailureContext
from .imported_modules import imported
from .path_arguments import choose_paths
from .wire import WORKER_PLUGIN

__all__ = ["pytest_addoption", "pytest_configure", "pytest_sessionfinish"]

_plugins = [name for name in os.environ.get("PYTEST_PLUGINS", "").split(",") if name and name != WORKER_PLUGIN]
if _plugins:
    os.environ["PYTEST_PLUGINS"] = ",".join(_plugins)
else:
    os.environ.pop("PYTEST_PLUGINS", None)


def pytest_addoption(parser: Any) -> None:
    """Add the options of the controller."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    """Choose the path arguments, and register the fixtures and the context of failures."""
    given = getattr(config, "workerinput", {})
    choose_paths(config, given.get("seatrial_paths") or {})
    register_fixtures(config, given.get("seatrial_fixtures"))
    flush_coverage(config)
    config.pluginmanager.register(FailureContext(config), "seatrial-context")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: Any) -> None:
    """Send the imported modules to the controller."""
    packages = getattr(session.config, "workerinput", {}).get("seatrial_imports")
    if packages:
        session.config.workeroutput["seatrial_imports"] = imported(packages)
