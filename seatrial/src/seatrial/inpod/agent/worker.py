"""The part of the plugin that lives in xdist's workers.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from .imports import WORKER, imported

__all__ = ["pytest_sessionfinish"]

_plugins = [name for name in os.environ.get("PYTEST_PLUGINS", "").split(",") if name and name != WORKER]
if _plugins:
    os.environ["PYTEST_PLUGINS"] = ",".join(_plugins)
else:
    os.environ.pop("PYTEST_PLUGINS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: Any) -> None:
    """Answer the controller's question."""
    asked = getattr(session.config, "workerinput", {}).get("seatrial_imports")
    if asked:
        session.config.workeroutput["seatrial_imports"] = imported(asked)
