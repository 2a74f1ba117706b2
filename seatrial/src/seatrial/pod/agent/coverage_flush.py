"""Write coverage data during the run, because a killed process never writes it.

coverage.py writes its data when the process exits.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

__all__ = ["flush_coverage"]

_INTERVAL = 1.0
"""Seconds between two writes, at least."""
_IDLE_FACTOR = 30
"""The interval is at least this many times the duration of the last write."""
_SAFE_WITH_THREADS = (7, 14)
"""Older versions may lose lines that another thread runs during a write: https://github.com/coveragepy/coveragepy/pull/2165"""


def flush_coverage(config: Any) -> None:
    """Write coverage data periodically, if coverage.py is measuring."""
    if "coverage" in sys.modules:
        config.pluginmanager.register(_CoverageFlush(config), "seatrial-measured")


class _CoverageFlush:
    def __init__(self, config: Any) -> None:
        self._config = config
        self._collector: Any = None
        self._with_threads = False
        self._due = 0.0

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Find the active collector: pytest-cov or `coverage run` has started it by now."""
        coverage: Any = sys.modules["coverage"]
        # There is no public API: public methods warn about files without data.
        self._collector = getattr(coverage.Coverage.current(), "_collector", None)
        if not hasattr(self._collector, "flush_data"):
            self._leave()
        self._with_threads = coverage.version_info[:2] >= _SAFE_WITH_THREADS
        self._due = time.monotonic() + _INTERVAL

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """Write the data if the interval has passed."""
        began = time.monotonic()
        if began < self._due or not (self._with_threads or threading.active_count() == 1):
            return
        try:
            self._collector.flush_data()
        except Exception:  # noqa: BLE001  # coverage.py reports the same error at its end
            self._leave()
        ended = time.monotonic()
        self._due = ended + max(_INTERVAL, _IDLE_FACTOR * (ended - began))

    def _leave(self) -> None:
        self._config.pluginmanager.unregister(self)
