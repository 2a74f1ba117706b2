"""The part of the plugin that lives in xdist's workers.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from typing import Any

import pytest

from .imports import imported

__all__ = ["pytest_sessionfinish"]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: Any) -> None:
    """Answer the controller's question."""
    asked = getattr(session.config, "workerinput", {}).get("seatrial_imports")
    if asked:
        session.config.workeroutput["seatrial_imports"] = imported(asked)
