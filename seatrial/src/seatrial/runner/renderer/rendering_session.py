"""Run pytest on the host without collection and tests: a plugin calls its hooks with the results of the pod."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from seatrial.runner.protocol import CI_VARIABLES
from seatrial.runner.renderer.feed import Feed, Output, SessionRecord, StreamEnd
from seatrial.runner.renderer.junit import Junit
from seatrial.runner.renderer.player import Player

__all__ = ["run_host_session"]

_QUIET_PLUGINS: Final = ("cacheprovider", "debugging", "doctest", "faulthandler", "junitxml", "logging", "pastebin",
                         "python_path", "stepwise", "threadexception", "tmpdir", "unraisableexception",
                         "warnings")  # fmt: skip
"""Plugins of pytest that would report about this process, write files, send data or import code."""

_SHOWN_INI: Final = ("console_output_style", "verbosity_test_cases", "verbosity_subtests", "max_warnings")


def run_host_session(settings: dict[str, Any]) -> int:
    """Show a run until its end; return 0 if it was shown completely.

    Says so on `reply` too, with the number of frames: a process can end with 0 for other reasons.

    Settings: `frames`, `output` (paths), `directory` (for what pytest wants to write), `where` (a line for the header),
    `junit` (path or null), `junit_line` (the path to print, or empty), `reports` (path among collected files -> path
    here), `color` (yes, no, auto), `arguments` (for this pytest only), `reply` (descriptor for words to the tool),
    `interactive` (the tool connects debuggers to a terminal).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    feed = Feed(Path(settings["frames"]), Path(settings["output"]), sys.stdin)
    events = iter(feed)
    for event in events:
        if isinstance(event, Output):
            _print(event.data)
        elif isinstance(event, SessionRecord) and event.record[0] == "session":
            if code := _session(settings, event.record[1], feed, events):
                return code
        elif isinstance(event, StreamEnd):
            break
    sys.stdout.flush()
    os.write(settings["reply"], b"shown %d\n" % feed.frames)
    return 0


def _print(data: bytes) -> None:
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _session(settings: dict[str, Any], session: dict[str, Any], feed: Feed, events: Iterator[Any]) -> int:
    """Show a pytest session; return 0 if it was shown to its end."""
    directory = Path(settings["directory"])
    ini = directory / "renderer.ini"
    lines = [f"{name} = {value}" for name, value in session["ini"].items() if name in _SHOWN_INI and value is not None]
    ini.write_text("\n".join(["[pytest]", *lines, ""]))
    for name in [name for name in os.environ if name.startswith("PYTEST_") or name in CI_VARIABLES]:
        del os.environ[name]
    if session["ci"]:
        os.environ["CI"] = "true"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    quiet = [part for name in _QUIET_PLUGINS for part in ("-p", f"no:{name}")]
    plugin = _RendererPlugin(settings, session, feed, events)
    options = ["-c", str(ini), "--rootdir", str(directory), "--confcutdir", str(directory), "--noconftest"]
    options += ["--assert=plain", "--no-header", "-s", "--color", settings["color"]]
    code = int(pytest.main([*options, *quiet, *settings["arguments"]], plugins=[plugin]))
    return code or int(not plugin.played)


class _RendererPlugin:
    """Replaces pytest's main loop by the records of the pod."""

    def __init__(self, settings: dict[str, Any], session: dict[str, Any], feed: Feed, events: Iterator[Any]) -> None:
        self.settings = settings
        self.session = session
        self.feed = feed
        self.events = events
        self.player: Player | None = None
        self.junit: Junit | None = None
        self.played = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Call the hooks of the session, from its start to its end."""
        self._adopt(config)
        session = pytest.Session.from_config(config)
        config._do_configure()
        terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._adopt_terminal(terminal)
        player = self.player = Player(
            config,
            session,
            self.session,
            terminal=terminal,
            feed=self.feed,
            junit=self.junit,
            where=self.settings["where"],
            files=self.settings["reports"],
            reply=self.settings["reply"] if self.settings["interactive"] else None,
        )
        try:
            for event in self.events:
                if player.play(event):
                    self.played = True
                    break
        finally:
            config._ensure_unconfigure()
            player.after()
        return 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Register the JUnit writer before the terminal, as pytest does: so it sees changes that the terminal makes."""
        if self.settings["junit"]:
            self.junit = Junit(self.session, self.settings["junit"], self.settings["junit_line"])
            config.pluginmanager.register(self.junit.writer, "seatrial-junit")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        """Run no tests; pytest's terminal reporter prints the last percentage around this hook."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        """Apply the changes that plugins in the pod made to a report in this hook."""
        changed = (self.player.reports.change(report) if self.player else None) or {}
        if "outcome" in changed:
            report.outcome, report.longrepr = changed["outcome"], changed["longrepr"]
        if "status" not in changed:
            return None
        category, letter, word = changed["status"]
        return category, letter, tuple(word) if isinstance(word, list) else word

    @pytest.hookimpl(hookwrapper=True)
    def pytest_report_collectionfinish(self) -> Any:
        """Return the lines of the pod instead of those of the host."""
        outcome = yield
        outcome.force_result(self.player.lines if self.player else [])

    def pytest_terminal_summary(self) -> None:
        """Write the texts that plugins in the pod wrote into the summary."""
        if self.player:
            self.player.write_summary()

    def _adopt(self, config: pytest.Config) -> None:
        """Set the options and directories of the pod's pytest, because the output depends on them."""
        for name, value in self.session["options"].items():
            if name != "color" and hasattr(config.option, name):
                setattr(config.option, name, value)
        config.option.no_header = True
        directory = Path(self.session["directory"])
        config.invocation_params = pytest.Config.InvocationParams(args=(), plugins=None, dir=directory)
        config._rootpath = Path(self.session["rootdir"])

    def _adopt_terminal(self, terminal: Any) -> None:
        if not self.session["terminal"] or self.session["verbatim"]:
            terminal._tw._file = Path(os.devnull).open("w")  # noqa: SIM115
        if self.session["showfspath"] is not None and self.session["showfspath"] != terminal.showfspath:
            terminal.showfspath = self.session["showfspath"]
