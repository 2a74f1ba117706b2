"""Reports as records: short ones for what passed with nothing to tell, pytest's own serialisation for all others.

The second part of a long record may have
outcome, longrepr   what became of the report while it was shown: pytest then fails a test for its failed subtests
status              category, letter and word, if a plugin other than pytest's own decided them

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import collections
import io
from collections.abc import Generator
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import pytest
from _pytest.config import create_terminal_writer

from .frames import FrameWriter
from .records import safe_json

__all__ = ["Reports", "Statuses", "report_json"]

_NOBODY: list[Any] = ["", None, -1]
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


def _location(location: Any) -> str:
    path, line, domain = location
    if isinstance(path, str) and isinstance(line, int) and isinstance(domain, str):
        return f"[{quoted(path)},{line},{quoted(domain)}]"
    return safe_json(location)


class Reports:
    """Writes records of tests.

    Attributes:
        tally: how many reports of each phase, outcome and kind have been written.
    """

    def __init__(self, config: pytest.Config, out: FrameWriter) -> None:
        self.tally: collections.Counter[str] = collections.Counter()
        self._blobs = 0
        make: Any = pytest.TestReport
        plain = make("a", ("a", 0, "a"), {}, "passed", None, "call")
        self._attributes = len(plain.__dict__)
        self._failed_subtests: set[str] = set()
        self._config = config
        self._out = out
        self._tests: dict[str, list[Any]] = {}
        self._test = _NOBODY
        self._workers: set[str] = set()

    def start(self, nodeid: str, location: Any) -> str:
        """Return the record of a test that begins."""
        name = quoted(nodeid)
        self._test = self._tests[nodeid] = [name, location, -1]
        return f'["s",{name},{_location(location)}]'

    def finish(self, nodeid: str) -> str:
        """Return the record of a test that ended."""
        self._tests.pop(nodeid, None)
        return f'["f",{quoted(nodeid)}]'

    def short(self, report: Any) -> str:
        """Return the short record of a report without anything to tell; empty if it needs the long one.

        Runs three times a test: it has to be quick.
        """
        if (
            report.outcome != "passed"
            or report.sections
            or report.user_properties
            or report.longrepr is not None
            or len(report.__dict__) != self._attributes
            or type(report) is not pytest.TestReport
        ):
            return ""
        test = self._test
        if report.location is not test[1]:
            test = self._tests.get(report.nodeid, _NOBODY)
            if report.location != test[1]:
                return ""
        when, keywords = report.when, report.keywords
        if when == "setup":
            test[2] = len(keywords)
            self.tally["setup/passed/"] += 1
            return (
                f'["R",{test[0]},[{",".join(map(quoted, keywords))}],'
                f"{report.duration!r},{getattr(report, 'start', 0)!r}]"
            )
        if len(keywords) != test[2]:
            return ""
        if when == "call":
            self.tally["call/passed/"] += 1
            return f'["r",{test[0]},"c",{report.duration!r},{getattr(report, "start", 0)!r}]'
        self.tally["teardown/passed/"] += 1
        return f'["r",{test[0]},"t",{report.duration!r},{getattr(report, "start", 0)!r}]'

    def long(self, report: Any, status: Any) -> list[str]:
        """Return the long record of a report, behind what it refers to."""
        data = report_json(self._config, report)
        more: dict[str, Any] = {"status": status} if status else {}
        if data.get("_report_type") == "SubTestReport":
            self._failed_subtests.add(report.nodeid) if report.failed else None
        elif report.nodeid in self._failed_subtests and report.when == "call" and isinstance(report.longrepr, str):
            # pytest fails a test for its subtests at the moment when its result is shown; so will the host's.
            more.update(outcome=report.outcome, longrepr=report.longrepr)
            data.update(outcome="passed", longrepr=None)
        key = f"{report.when}/{data['outcome']}/{'x' if hasattr(report, 'wasxfail') else ''}"
        self.tally[key] += 1
        node, records = data.get("node"), []
        if node and node not in self._workers:
            self._workers.add(node)
            records.append(safe_json(("worker", node, getattr(report.node, "workerinfo", None))))
        data["sections"] = [[name, self._content(content)] for name, content in data.get("sections") or ()]
        records.append(safe_json(("report", data, more) if more else ("report", data)))
        return records

    def _content(self, content: Any) -> Any:
        if not isinstance(content, str) or len(content) <= _LONG:
            return content
        self._blobs += 1
        for start in range(0, len(content), _PIECE):
            # Each in a frame of its own, which only whoever shows it has to decode.
            self._out.alone(safe_json(("blob", self._blobs, content[start : start + _PIECE])))
        return {"$blob": self._blobs}


class Statuses:
    """What plugins of the user call a result: `pytest_report_teststatus`.

    Attributes:
        quiet: whether it is known that there are none.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.quiet = False
        self._config = config
        self._watch: _Watch | None = None

    def pytest_plugin_registered(self) -> None:
        """A plugin or a conftest came: look again whether somebody has a say."""
        self.quiet = False

    def of(self, report: Any) -> Any:
        """Return category, letter and word of a report that has been shown, if anybody but pytest had a say in it."""
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
    """Notes the last status; only there if somebody has a say."""

    def __init__(self) -> None:
        self._last: tuple[int, Any] = (0, None)

    def of(self, report: Any) -> Any:
        shown, status = self._last
        return status if shown == id(report) else None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Generator[None, Any, None]:
        outcome = yield
        self._last = (id(report), outcome.get_result())
