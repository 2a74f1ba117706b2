"""Reports as records: short ones for what passed with nothing to tell, pytest's own serialisation for all others.

The second part of a long record may have
outcome, longrepr   what became of the report while it was shown: pytest then fails a test for its failed subtests
status              category, letter and word, if a plugin other than pytest's own decided them

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import io
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import pytest
from _pytest.config import create_terminal_writer

from .frames import FrameWriter
from .records import safe_json

__all__ = ["Reports", "Statuses", "report_json"]

_PLAIN = frozenset(
    ("_id", "nodeid", "location", "keywords", "outcome", "longrepr", "when", "user_properties", "sections", "duration",
     "start", "stop")
)  # fmt: skip
_LONG = 1 << 14
_PIECE = 1 << 17


def report_json(config: pytest.Config, report: Any) -> dict[str, Any]:
    """Return a report as pytest serialises it.

    pytest turns representations that it does not know by heart into text, without their colours; they are kept in
    `$shown`.
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


class Reports:
    """Writes records of tests.

    Attributes:
        blobs: how many pieces of long output have been written.
    """

    def __init__(self, config: pytest.Config, out: FrameWriter) -> None:
        self.blobs = 0
        self._config = config
        self._out = out
        self._tests: dict[str, tuple[str, Any, Any]] = {}
        self._workers: set[str] = set()

    def start(self, nodeid: str, location: Any) -> str:
        """Return the record of a test that begins."""
        return f'["s",{quoted(nodeid)},{safe_json(location)}]'

    def finish(self, nodeid: str) -> str:
        """Return the record of a test that ended."""
        self._tests.pop(nodeid, None)
        return f'["f",{quoted(nodeid)}]'

    def short(self, report: Any) -> str:
        """Return the short record of a report without anything to tell; empty if it needs the long one."""
        if (
            report.outcome != "passed"
            or report.longrepr is not None
            or report.sections
            or report.user_properties
            or not report.__dict__.keys() <= _PLAIN
        ):
            return ""
        nodeid, when = report.nodeid, report.when
        times = f"{report.duration!r},{getattr(report, 'start', 0)!r},{getattr(report, 'stop', 0)!r}]"
        if when == "setup":
            name = quoted(nodeid)
            self._tests[nodeid] = (name, report.location, report.keywords)
            return f'["R",{name},{safe_json(report.location)},{safe_json(list(report.keywords))},{times}'
        name, location, keywords = self._tests.get(nodeid, ("", None, None))
        if not name or report.location != location or report.keywords != keywords:
            return ""
        return f'["r",{name},"{when[0]}",{times}'

    def long(self, report: Any, outcome: str, longrepr: Any, status: Any) -> list[str]:
        """Return the long record of a report that had this outcome before it was shown, behind what it refers to."""
        data = report_json(self._config, report)
        node = data.get("node")
        records = []
        if node and node not in self._workers:
            self._workers.add(node)
            records.append(safe_json(("worker", node, getattr(report.node, "workerinfo", None))))
        more: dict[str, Any] = {"status": status} if status else {}
        if report.outcome != outcome:
            more.update(outcome=report.outcome, longrepr=str(report.longrepr))
            data.update(outcome=outcome, longrepr=longrepr)
        data["sections"] = [[name, self._content(content)] for name, content in data.get("sections") or ()]
        records.append(safe_json(("report", data, more) if more else ("report", data)))
        return records

    def _content(self, content: Any) -> Any:
        if not isinstance(content, str) or len(content) <= _LONG:
            return content
        self.blobs += 1
        for start in range(0, len(content), _PIECE):
            # Each in a frame of its own, which only whoever shows it has to decode.
            self._out.alone(safe_json(("blob", self.blobs, content[start : start + _PIECE])))
        return {"$blob": self.blobs}


class Statuses:
    """What plugins of the user call a result: `pytest_report_teststatus`."""

    def __init__(self, config: pytest.Config) -> None:
        self._hook = config.hook.pytest_report_teststatus
        self._config = config
        self._known = 0
        self._last: tuple[int, Any] = (0, None)

    def of(self, report: Any) -> Any:
        """Return category, letter and word of a report that has been shown, if anybody but pytest had a say in it."""
        implementations = self._hook.get_hookimpls()
        if len(implementations) != self._known:
            self._known = len(implementations)
            if not self._config.pluginmanager.has_plugin("seatrial-status") and any(
                not implementation.function.__module__.startswith("_pytest.") for implementation in implementations
            ):
                self._config.pluginmanager.register(self, "seatrial-status")
                self._known += 1
                return self._hook(report=report, config=self._config)
        shown, status = self._last
        return status if shown == id(report) else None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        """Note what it came to."""
        outcome = yield
        self._last = (id(report), outcome.get_result())
