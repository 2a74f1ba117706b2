"""The host's pytest session: no collection, no tests, every hook of a session with what the pod tells."""

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
from seatrial.runner.renderer.feed import Feed, Printed, StreamEnd, Told
from seatrial.runner.renderer.junit import Junit
from seatrial.runner.renderer.player import Player

__all__ = ["run_host_session"]

_QUIET_PLUGINS: Final = ("cacheprovider", "debugging", "doctest", "faulthandler", "junitxml", "logging", "pastebin",
                         "python_path", "stepwise", "threadexception", "tmpdir", "unraisableexception",
                         "warnings")  # fmt: skip
"""Plugins of pytest that would report about this process, write files, send what they see elsewhere or find code."""

_SHOWN_INI: Final = ("console_output_style", "verbosity_test_cases", "verbosity_subtests", "max_warnings")


def run_host_session(settings: dict[str, Any]) -> int:
    """Show a run from the settings' files until its end; return 0 if all of it was shown.

    Says so on `reply` too, with the number of frames: a process can end with 0 for other reasons.

    Settings: `frames`, `output` (paths), `directory` (for what pytest wants to write), `where` (a line for the header),
    `junit` (path or null), `junit_line` (the path to print, or empty), `reports` (path among collected files -> path
    here), `colour` (yes, no, auto), `arguments` (for this pytest only), `reply` (descriptor for words to the tool),
    `interactive` (the tool connects debuggers to a terminal).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    feed = Feed(Path(settings["frames"]), Path(settings["output"]), sys.stdin)
    events = iter(feed)
    for event in events:
        if isinstance(event, Printed):
            _print(event.data)
        elif isinstance(event, Told) and event.record[0] == "session":
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
    """Play a session; return 0 if it was played to its end."""
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
    options += ["--assert=plain", "--no-header", "-s", "--color", settings["colour"]]
    code = int(pytest.main([*options, *quiet, *settings["arguments"]], plugins=[plugin]))
    return code or int(not plugin.played)


class _RendererPlugin:
    """Runs the session in place of pytest's own main."""

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
        """Play the session from its start to its end."""
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
        """Register the JUnit writer before the terminal, as pytest does: it then sees what showing made of a report."""
        if self.settings["junit"]:
            self.junit = Junit(self.session, self.settings["junit"], self.settings["junit_line"])
            config.pluginmanager.register(self.junit.writer, "seatrial-junit")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        """Run nothing; pytest's terminal writes the last percentage around it."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        """Let happen to a report what happened to it in the pod at this point."""
        changed = (self.player.reports.change(report) if self.player else None) or {}
        if "outcome" in changed:
            report.outcome, report.longrepr = changed["outcome"], changed["longrepr"]
        if "status" not in changed:
            return None
        category, letter, word = changed["status"]
        return category, letter, tuple(word) if isinstance(word, list) else word

    @pytest.hookimpl(hookwrapper=True)
    def pytest_report_collectionfinish(self) -> Any:
        """Show the pod's lines and not the host's."""
        outcome = yield
        outcome.force_result(self.player.lines if self.player else [])

    def pytest_terminal_summary(self) -> None:
        """Show what plugins in the pod wrote into the summary."""
        if self.player:
            self.player.write_summary()

    def _adopt(self, config: pytest.Config) -> None:
        """Make the options and directories those of the pod: what pytest shows depends on them."""
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
