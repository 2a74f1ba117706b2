"""Coverage data that is written while tests run."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from seatrial.pod.agent import coverage_flush


class Collector:
    """Counts how often data are written."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written = 0
        self.error = error

    def flush_data(self) -> None:
        self.written += 1
        if self.error:
            raise self.error


def measure(monkeypatch: pytest.MonkeyPatch, collector: Any, *, version: tuple[int, int]) -> tuple[Any, list[Any]]:
    """Return the plugin in a process that measures with a collector, and the plugins that are registered."""
    plugins: list[Any] = []
    manager = SimpleNamespace(register=lambda plugin, _: plugins.append(plugin), unregister=plugins.remove)
    current = SimpleNamespace(_collector=collector) if collector else None
    coverage = SimpleNamespace(
        Coverage=SimpleNamespace(current=lambda: current), version_info=(*version, 0, "final", 0)
    )
    monkeypatch.setitem(sys.modules, "coverage", coverage)
    monkeypatch.setattr(coverage_flush, "_INTERVAL", 0.0)
    monkeypatch.setattr(coverage_flush, "_IDLE_FACTOR", 0.0)
    coverage_flush.flush_coverage(SimpleNamespace(pluginmanager=manager))
    plugin = plugins[0]
    plugin.pytest_sessionstart()
    return plugin, plugins


@pytest.mark.parametrize(("version", "written"), [((7, 14), 1), ((7, 13), 0)])
def test_old_coverage_is_written_only_without_threads(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], written: int
) -> None:
    collector, go = Collector(), threading.Event()
    plugin, _ = measure(monkeypatch, collector, version=version)
    thread = threading.Thread(target=go.wait)
    thread.start()

    plugin.pytest_runtest_logfinish()
    go.set()
    thread.join()

    assert collector.written == written


def test_data_is_written_once_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    plugin, _ = measure(monkeypatch, collector, version=(7, 14))
    monkeypatch.setattr(coverage_flush, "_INTERVAL", 60.0)

    plugin.pytest_runtest_logfinish()
    plugin.pytest_runtest_logfinish()

    assert collector.written == 1


def test_failed_write_unregisters_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, plugins = measure(monkeypatch, Collector(OSError("disk full")), version=(7, 14))

    plugin.pytest_runtest_logfinish()

    assert plugins == []


@pytest.mark.parametrize("collector", [None, object()], ids=["nothing-measures", "other-internals"])
def test_unknown_collector_unregisters_the_plugin(monkeypatch: pytest.MonkeyPatch, collector: Any) -> None:
    assert measure(monkeypatch, collector, version=(7, 14))[1] == []
