"""The part of the plugin that lives in xdist's workers.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from .bundle import add_options, register_fixtures
from .coverage_flush import keep_measured
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
    """Know the options that the controller knows."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    """Give the tests of this worker the fixtures."""
    given = getattr(config, "workerinput", {})
    choose_paths(config, given.get("seatrial_paths") or {})
    register_fixtures(config, given.get("seatrial_fixtures"))
    keep_measured(config)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: Any) -> None:
    """Answer the controller's question."""
    asked = getattr(session.config, "workerinput", {}).get("seatrial_imports")
    if asked:
        session.config.workeroutput["seatrial_imports"] = imported(asked)
