"""Write what coverage.py measured of the tests that have ended while others still run.

coverage.py writes its data when the process ends. One that is killed for memory never gets there.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

__all__ = ["keep_measured"]

_EVERY = 1.0
"""Seconds between two writes."""
_SHARE = 30
"""How many times as long as the last write took the tests run before the next one."""
_SAFE_WITH_THREADS = (7, 14)
"""Before that version, lines that another thread runs meanwhile may be lost: https://github.com/coveragepy/coveragepy/pull/2165"""


def keep_measured(config: Any) -> None:
    """Write coverage's data from time to time, if something measures."""
    if "coverage" in sys.modules:
        config.pluginmanager.register(_Measured(config), "seatrial-measured")


class _Measured:
    def __init__(self, config: Any) -> None:
        self._config = config
        self._collector: Any = None
        self._with_threads = False
        self._due = 0.0

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Find what measures: pytest-cov has started it by now, `coverage run` long ago."""
        coverage: Any = sys.modules["coverage"]
        # There is no public way: what others write the data, but warn about files not measured yet.
        self._collector = getattr(coverage.Coverage.current(), "_collector", None)
        if not hasattr(self._collector, "flush_data"):
            self._leave()
        self._with_threads = coverage.version_info[:2] >= _SAFE_WITH_THREADS
        self._due = time.monotonic() + _EVERY

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """Write, if it is time."""
        began = time.monotonic()
        if began < self._due or not (self._with_threads or threading.active_count() == 1):
            return
        try:
            self._collector.flush_data()
        except Exception:  # noqa: BLE001  # coverage.py meets the same at its end, and says so
            self._leave()
        ended = time.monotonic()
        self._due = ended + max(_EVERY, _SHARE * (ended - began))

    def _leave(self) -> None:
        self._config.pluginmanager.unregister(self)
