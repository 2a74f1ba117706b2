r"""Write a pytest session to the frame log: the plugin that runs in the pod, with pytest 7 or newer.

`PYTEST_PLUGINS` loads the plugin, which removes itself from the environment at once. So it does not report pytest runs
that tests start, nor xdist workers: their reports come through the controller. PYTEST_DONT_REWRITE

Records, in the order of a plain run (`…` is pytest's serialization of reports):
["session", {…}]                    settings that the host needs to render the session: options, versions, directories
["header", [line | [line, …], …]]   lines of `pytest_report_header`
["collecting"]
["collect", {…}, items]             a CollectReport and its number of items
["deselected", count]
["collected", count, distinct ids, tree, lines]  for --collect-only: of each item the [repr, nodeid, doc] of its nodes
["verbose", level]
["count", count, distinct ids]      the number of tests, which xdist knows later
["s", "nodeid\0path\0domain", line]     a test starts
["p", "keyword\0…", duration, start, duration, start]   set-up and call of the last "s" passed, without output;
                                    durations in nanoseconds, starts in microseconds
["t", duration, start]              its tear-down passed, and the test is finished
["report", {…}, {…}]                any other report, with additions: see `result_records.py`
["worker", name, {…}]               an xdist worker, before its first report
["f", nodeid]                       a test is finished
["blob", id, text]                  a piece of long captured output; a later report refers to the id
["warning", {…}]  ["text", text, phase, place]  ["interrupt", {…}]  ["internal", text]  ["o", size of `output`]
["debugger"]                        a debugger waits for a terminal
["property", name, value]  ["attribute", nodeid, name, value]   for JUnit
["imports", {module: [file, sha256]}]
["looped"]                          all tests have run
["finishing", exit status, shouldfail, shouldstop]
["end", {…}]                        in a separate frame: counts, exit status, number of frames before
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Generator
from typing import Any, Callable

import pytest

from .bundle import add_options, register_fixtures
from .coverage_flush import flush_coverage
from .failure_context import FailureContext
from .frame_log import FrameWriter
from .path_arguments import choose_paths
from .report_json import report_json
from .report_paths import redirect
from .result_records import Tests
from .session_records import collected_tree, junit_recorder, options, safe_json, warning_record
from .tee import Tee
from .wire import (
    COLLECTED_DIRECTORY,
    COLLECTED_MARK,
    DEBUGGER_FILE,
    FRAMES_FILE,
    ORIGINAL_ENVIRONMENT_VARIABLE,
    OUTPUT_FILE,
    REQUEST_FILE,
    RUN_DIRECTORY_VARIABLE,
    TERMINAL_VARIABLE,
    WORKER_PLUGIN,
    RecordKind,
)

__all__ = ["pytest_addoption", "pytest_configure"]

_AFTER_RESULT = -2
"""Value of `currentfspath` in pytest's terminal reporter after a complete line with a result."""

_directory = os.environ.pop(RUN_DIRECTORY_VARIABLE, "")
_terminal = os.environ.pop(TERMINAL_VARIABLE, "")

if _directory:
    # One line for each pytest session that the command starts. Only the first one writes the log.
    with open(os.path.join(_directory, "claims"), "a+", encoding="ascii") as _claims:
        _claims.write(f"{os.getpid()}\n")
        _claims.seek(0)
        _first = _claims.readline() == f"{os.getpid()}\n"
    for _name, _value in json.loads(os.environ.pop(ORIGINAL_ENVIRONMENT_VARIABLE)).items():
        if _value is None:
            os.environ.pop(_name, None)
        else:
            os.environ[_name] = _value


def _skip_final_garbage_collection(
    collect: Callable[[], object] = gc.collect, freeze: Callable[[], object] = gc.freeze
) -> None:
    """Collect garbage now and skip the collection at interpreter exit, which takes a second with large libraries.

    Python does not guarantee `__del__` for objects that exist at interpreter exit. https://docs.python.org/3/library/gc.html#gc.freeze
    """
    collect()
    freeze()


if _directory and _first:
    # Registered first, so called last.
    atexit.register(_skip_final_garbage_collection)


def pytest_addoption(parser: Any) -> None:
    """Add the options of the fixtures."""
    if _directory and _first:
        add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the reporter, in the first pytest session of the run only."""
    if _directory and _first and not hasattr(config, "workerinput"):
        reporter = _Reporter(config)
        choose_paths(config, reporter.request)
        redirect(config, reporter.request.get("reports") or [], reporter.collected)
        config.pluginmanager.register(reporter, "seatrial-pod")
        config.pluginmanager.register(reporter.tests, "seatrial-tests")
        config.pluginmanager.register(reporter.tests.statuses, "seatrial-statuses")
        config.pluginmanager.register(FailureContext(config), "seatrial-context")
        flush_coverage(config)


def _flush_output() -> None:
    """Flush `sys.stdout`, which a test may have replaced or closed."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()


class _Reporter:
    """Convert hook calls to records. Functions are bound before tests run: see `frame_log.py`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        with open(os.path.join(_directory, REQUEST_FILE), encoding="ascii") as file:
            self.request = json.load(file)
        with open(os.path.join(_directory, "interpreter.json"), "w", encoding="ascii") as file:
            json.dump({"executable": sys.executable}, file)
        self.out = FrameWriter(os.path.join(_directory, FRAMES_FILE))
        self.session: Any = None
        self.terminal: Any = None
        self.counted = self.distinct = 0
        self.clock, self.size_of, self.output = time.perf_counter, os.stat, os.path.join(_directory, OUTPUT_FILE)
        self.collected = os.path.join(_directory, COLLECTED_DIRECTORY)
        self.coverage_xml = os.path.join(self.collected, "coverage", "coverage.xml")
        self.began = self.clock()
        self.phase = 0
        self.verbose = config.option.verbose
        self.stopped = False
        self.distributed = getattr(config.option, "dist", "no") != "no"
        self.fds: list[int] = []
        self.follow_output = config.getoption("capture", "fd") == "no"
        self.flush = self.flush_behind_output if self.follow_output else self.out.flush
        self.tests = Tests(config, self.out, self.flush, self.news)
        if self.request.get("junit"):
            junit_recorder(config, self.out.add)
        if self.request.get("imports"):
            from .imported_modules import Imports

            config.pluginmanager.register(Imports(self.request["imports"], self.record), "seatrial-imports")

        register_fixtures(config, self.request.get("fixtures"))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_setupnodes(self) -> None:
        """Load the worker plugin through the environment, which it removes there."""
        before = os.environ.get("PYTEST_PLUGINS")
        os.environ["PYTEST_PLUGINS"] = f"{before},{WORKER_PLUGIN}" if before else WORKER_PLUGIN

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send fixture settings and path arguments to an xdist worker."""
        node.workerinput["seatrial_fixtures"] = self.request.get("fixtures")
        # A worker parses the arguments again.
        asked = ("unsure", "paths_given", "cwd")
        node.workerinput["seatrial_paths"] = {name: self.request[name] for name in asked if name in self.request}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Count the distinct node ids."""
        self.distinct = len(set(ids))

    def record(self, *parts: Any) -> None:
        self.out.add(safe_json(parts))

    def flush_behind_output(self) -> None:
        """Flush, with the size of the output so far, so that the host shows both in order."""
        if self.out.waiting:
            _flush_output()
            self.out.add(f'["{RecordKind.OUTPUT_SIZE}",{self.size_of(self.output).st_size}]')
        self.out.flush()

    # Session start.

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        terminal = self.terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        verbatim = False
        if terminal is not None:
            verbatim = type(terminal).__module__ != "_pytest.terminal"
            self.take_terminal(terminal, verbatim=verbatim)
        self.record(RecordKind.SESSION, options(self.config, terminal, verbatim=verbatim))
        if self.follow_output and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)
        self.flush()

    def take_terminal(self, terminal: Any, *, verbatim: bool) -> None:
        writer = terminal._tw
        tee = writer._file = Tee(os.path.join(_directory, "log"), self.text, self.flush, verbatim=verbatim)
        atexit.register(tee.flush)
        color = self.config.getoption("color", "auto")
        writer.hasmarkup = self.request["color"] if color == "auto" else color == "yes"
        terminal.hasmarkup = writer.hasmarkup
        if self.request.get("width"):
            writer.fullwidth = self.request["width"]
            terminal._screen_width = self.request["width"]

    def text(self, text: str, *, showing: bool) -> None:
        # The host knows where it puts the file that a plugin names here.
        text = text.replace(self.collected, COLLECTED_MARK)
        place = getattr(self.terminal, "currentfspath", 0)
        record = safe_json((RecordKind.TEXT, text, self.phase, place if place in (None, _AFTER_RESULT) else 0))
        if showing:
            self.tests.behind.append(record)
        else:
            # After the results before it.
            self.tests.settle()
            self.out.add(record)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_report_header(self) -> Generator[None, Any, None]:
        outcome = yield
        lines = [lines for lines in outcome.get_result() if not str(lines).startswith("cachedir: ")]
        if self.config.option.verbose > 0:
            lines.append("cachedir: .pytest_cache")
        self.record(RecordKind.HEADER, lines)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, Any, None]:
        if not self.distributed:
            # The controller of xdist collects no tests.
            self.record(RecordKind.COLLECTING)
            self.flush()
        if self.request.get("width"):
            self.widen_coverage(self.request["width"])
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: Any) -> None:
        items = sum(isinstance(node, pytest.Item) for node in report.result or ())
        if items or report.outcome != "passed":
            self.record(RecordKind.COLLECT_REPORT, report_json(self.config, report), items)
            self.flush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_deselected(self, items: Any) -> None:
        self.record(RecordKind.DESELECTED, len(items))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_report_collectionfinish(self) -> Generator[None, Any, None]:
        outcome = yield
        items = self.session.items
        # `session.testscollected` is set after this hook.
        self.counted = len(items)
        tree = collected_tree(items) if self.config.option.collectonly else []
        distinct = len({item.nodeid for item in items})
        self.record(RecordKind.COLLECTED, self.counted, distinct, tree, outcome.get_result())
        self.flush()

    def news(self) -> None:
        """Record values that are known when the tests start: their number, and the verbosity of live logging."""
        if self.session.testscollected != self.counted:
            self.counted = self.session.testscollected
            self.record(RecordKind.COUNT, self.counted, self.distinct or self.counted)
        if self.config.option.verbose != self.verbose:
            self.verbose = self.config.option.verbose
            self.record(RecordKind.VERBOSITY, self.verbose)

    # Other events.

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        self.record(RecordKind.WARNING, warning_record(warning_message, when, nodeid, location))

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self.stopped = True
        self.tests.settle()
        shown = excinfo.getrepr(funcargs=True)
        crash = shown.reprcrash
        self.record(
            RecordKind.INTERRUPT,
            {
                "type": excinfo.typename,
                "text": str(shown),
                "path": str(crash.path) if crash else "",
                "line": crash.lineno if crash else 0,
                "message": crash.message if crash else excinfo.typename,
            },
        )
        self.leave_debugger()
        self.flush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        self.stopped = True
        self.tests.settle()
        self.record(RecordKind.INTERNAL_ERROR, str(excrepr))
        self.flush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_enter_pdb(self) -> None:
        """Connect the debugger to the pseudo-terminal that the host attaches to."""
        if not _terminal and not self.config.option.usepdb:
            self.refuse_debugger()
        if not _terminal or self.fds:
            return
        _flush_output()
        with open(os.path.join(_directory, DEBUGGER_FILE), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        terminal = os.open(_terminal, os.O_RDWR | os.O_NOCTTY)
        self.fds = [os.dup(fd) for fd in (0, 1, 2)]
        for fd in (0, 1, 2):
            os.dup2(terminal, fd)
        os.close(terminal)
        self.record(RecordKind.DEBUGGER)
        self.out.flush()

    def refuse_debugger(self) -> None:
        """Fail a test that starts a debugger without a terminal: the debugger would quit without a message."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        if capture is not None:
            # pytest has suspended capturing for the debugger.
            capture.resume()
        pytest.fail("breakpoint() needs a terminal; hint: run seatrial in a terminal, without redirection")

    @pytest.hookimpl(trylast=True)
    def pytest_leave_pdb(self) -> None:
        self.leave_debugger()

    def leave_debugger(self) -> None:
        if self.fds:
            _flush_output()
            for fd, before in enumerate(self.fds):
                os.dup2(before, fd)
                os.close(before)
            self.fds = []
            os.remove(os.path.join(_directory, DEBUGGER_FILE))

    # Session end.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: Any) -> Generator[None, Any, None]:
        self.tests.settle()
        self.leave_debugger()
        session = self.session
        if not (self.stopped or session.shouldfail or session.shouldstop):
            self.record(RecordKind.LOOP_FINISHED)
        self.finishing(exitstatus)
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, exitstatus: Any) -> Generator[None, Any, None]:
        self.finishing(exitstatus)
        self.phase = 1
        if self.request.get("junit") and self.terminal is not None:
            # On the host, the line about the JUnit file comes first and ends the line of results.
            self.terminal.currentfspath = None
        yield
        self.phase = 2

    def finishing(self, exitstatus: Any) -> None:
        shown = [str(value) if value else "" for value in (self.session.shouldfail, self.session.shouldstop)]
        self.record(RecordKind.FINISHING, int(exitstatus), *shown)
        self.flush()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self.session is None:
            return
        self.coverage()
        if self.follow_output:
            _flush_output()
        self.flush()
        self.record(
            RecordKind.END,
            {
                "frames": self.out.frames,
                "exit": int(self.session.exitstatus),
                "collected": self.session.testscollected,
                "collect_only": bool(self.config.option.collectonly),
                "tally": self.tests.counts(),
                "seconds": self.clock() - self.began,
            },
        )
        self.out.flush()

    def widen_coverage(self, width: int) -> None:
        """Give the headline of pytest-cov the width of all others: it asks the terminal, and here is none."""
        controller = getattr(self.config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
        if controller is not None and hasattr(controller, "get_width"):
            controller.get_width = lambda: width

    def coverage(self) -> None:
        """Write coverage.xml with the sources and the coverage.py of the tests, if pytest-cov measured coverage."""
        plugin = self.config.pluginmanager.get_plugin("_cov")
        measured = getattr(getattr(plugin, "cov_controller", None), "cov", None)
        if measured is None:
            return
        try:
            measured.xml_report(outfile=self.coverage_xml, ignore_errors=True)
        except Exception as error:  # noqa: BLE001  # usually there is no data, which the host reports
            self.record(RecordKind.TEXT, f"coverage.xml: {error}\n", 2)
