"""Convert pytest reports to JSON, and read the status that plugins give them.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import Any

import pytest
from _pytest.config import create_terminal_writer

__all__ = ["Statuses", "report_json"]


def report_json(config: pytest.Config, report: Any) -> dict[str, Any]:
    """Return a report as pytest serializes it.

    pytest converts unknown representations to text without colors. The colored text is in `$shown`.
    """
    node = getattr(report, "node", None)
    data: dict[str, Any] = config.hook.pytest_report_to_serializable(config=config, report=report)
    if node is not None:
        data["node"] = node.gateway.id
    if hasattr(report.longrepr, "toterminal") and isinstance(data.get("longrepr"), str):
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        buffer = io.StringIO()
        writer = create_terminal_writer(config, buffer)
        writer.hasmarkup = bool(getattr(terminal, "hasmarkup", False))
        if terminal is not None:
            writer.fullwidth = terminal._tw.fullwidth
        report.longrepr.toterminal(writer)
        data["$shown"] = buffer.getvalue()
    return data


class Statuses:
    """The status of results according to plugins of the user: `pytest_report_teststatus`.

    Attributes:
        quiet: whether no plugin implements the hook.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.quiet = False
        self._config = config
        self._watch: _Watch | None = None

    def pytest_plugin_registered(self) -> None:
        """Check for implementations of the hook again: a plugin or conftest was added."""
        self.quiet = False

    def of(self, report: Any) -> Any:
        """Return category, letter and word of a report that was shown, if a plugin implements the hook; else None."""
        if self._watch is None:
            hook = self._config.hook.pytest_report_teststatus
            if any(
                not implementation.function.__module__.startswith("_pytest.") for implementation in hook.get_hookimpls()
            ):
                self._watch = _Watch()
                self._config.pluginmanager.register(self._watch, "seatrial-watch")
                return hook(report=report, config=self._config)
            self.quiet = True
            return None
        return self._watch.of(report)


class _Watch:
    """Record the last status. Registered only if a plugin implements the hook."""

    def __init__(self) -> None:
        self._last: tuple[int, Any] = (0, None)

    def of(self, report: Any) -> Any:
        shown, status = self._last
        return status if shown == id(report) else None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Generator[None, Any, None]:
        outcome = yield
        self._last = (id(report), outcome.get_result())
