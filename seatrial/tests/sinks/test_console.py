"""The live region as a terminal emulator shows it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pyte
import pytest
from seatrial.model import event as e
from seatrial.model.result import Outcome, Stage
from seatrial.sinks.console import Console

from .composed import green

START = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)


class Screen(io.StringIO):
    """A terminal; `shown` has its lines."""

    encoding = "utf-8"

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self._screen = pyte.Screen(columns, lines)
        self._screen.set_mode(pyte.modes.LNM)  # a line feed returns the carriage too, as the tty's ONLCR does
        self._stream = pyte.Stream(self._screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._stream.feed(text)
        return super().write(text)

    @property
    def shown(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    def resize(self, columns: int) -> None:
        self._screen.resize(columns=columns)


class Watched:
    """A console on a screen, with a clock that the test sets."""

    def __init__(self, *, columns: int = 80, lines: int = 24, shares_terminal: bool = True) -> None:
        self.screen = Screen(columns, lines)
        self.seconds = 0.0
        self.console = Console(
            self.screen,
            color=True,
            shares_terminal=shares_terminal,
            width=columns,
            now=lambda: START + timedelta(seconds=self.seconds),
        )

    def show(self, events, until: float = 1e9) -> list[str]:
        for event in events:
            if (event.at - START).total_seconds() <= until:
                self.console(event)
        self.seconds = until
        if self.console._live is not None:
            self.console._live.refresh()
        return self.screen.shown


def test_live_region_shows_running_stages_with_their_times(events):
    watched = Watched()

    assert watched.show(events(*green()), until=9.5) == [
        "seatrial run",
        "✓ preflight       0.31 s  engine 28.1",
        "= build            8.1 s  orders-tests 4f1c02d7",
        "… cluster            9 s  starting control-plane",
    ]
    watched.console.close()


def test_live_region_shows_what_services_wait_for(events):
    watched = Watched()

    assert watched.show(events(*green()), until=29)[-3:] == [
        "… ready              1 s",
        "    postgresql  image docker.io/library/postgres:17",
        "    orders      0 of 1 pods ready",
    ]
    watched.console.close()


def test_live_region_shows_running_tests_if_pytest_writes_elsewhere(events):
    watched = Watched(shares_terminal=False)

    assert watched.show(events(*green()), until=39.2)[-2:] == [
        "… test               4 s  1 of 3",
        "    tests/test_orders.py::test_create",
    ]
    watched.console.close()


def test_live_region_is_hidden_while_pytest_writes_to_the_terminal(events):
    watched = Watched()
    events = events(*green())
    after_tests = next(
        event for event in events if isinstance(event.body, e.StageEnded) and event.body.stage is Stage.TEST
    )
    collected = next(event for event in events if isinstance(event.body, e.TestsCollected))
    for event in events[: collected.seq]:
        watched.console(event)
    watched.screen.write("collected 3 items\n\ntests/test_orders.py ")
    for event in events[collected.seq : after_tests.seq]:
        watched.console(event)
    watched.console(
        e.Event(run=collected.run, seq=0, at=after_tests.at, body=e.Note(level="warning", text="held back"))
    )
    watched.screen.write("...\n")

    assert watched.screen.shown[-3:] == [
        "  starting pod test-runner",
        "collected 3 items",
        "tests/test_orders.py ...",
    ]
    assert not watched.screen.cursor_hidden

    watched.console(after_tests)
    assert watched.screen.shown[-2:] == ["! held back", "✓ test             4.9 s  sent 0"]
    watched.console.close()


@pytest.mark.parametrize("name", ["green", "up", "failed", "image_missing", "build_failed", "interrupted"])
@pytest.mark.parametrize("columns", [80, 120, 40])
def test_live_region_leaves_nothing_at_the_end(recorded, name, columns):
    live, still = Watched(columns=columns, lines=60), Screen(columns, 60)
    past = Console(still, color=True, live=False, width=columns, shares_terminal=False)
    for event in recorded(name):
        live.console(event)
        if live.console._live is not None:
            live.console._live.refresh()
        past(event)
    live.console.close()

    # The live display also shows progress while pytest has the terminal.
    kept = [line for line in live.screen.shown if line in still.shown]
    assert kept == still.shown
    assert not live.screen.cursor_hidden


def test_live_region_fits_a_low_window(events):
    waiting = [(1, e.ServiceSeen(name=f"service-{n}", ready=False, waits_for="x" * 200)) for n in range(30)]
    watched = Watched(lines=12)

    shown = watched.show(events((0, e.StageStarted(stage=Stage.READY)), *waiting), until=2)
    assert len(shown) == 10
    assert shown[0] == "… ready              2 s"
    assert shown[-1] == "    and 22 more"
    watched.console.close()
    assert watched.screen.shown == []


def test_live_region_fits_a_smaller_window_at_the_next_repaint(events):
    watched = Watched(columns=100)
    watched.show(events(*green()), until=29)
    watched.screen.resize(60)
    watched.console._rich.width = 60

    assert all(len(line) <= 60 for line in watched.show([], until=30))
    watched.console.close()
    assert not watched.screen.cursor_hidden


def test_live_region_is_repainted_once_a_second(events):
    """Between two events nothing is written but one repaint a second."""
    watched = Watched()
    watched.show(events(*green()), until=9.5)
    assert watched.console._live is not None

    assert watched.console._live.refresh_per_second == 1
    watched.console.close()


def test_live_region_is_removed_when_a_run_is_cut_short(events):
    watched = Watched()
    watched.show(events(*green()), until=29)
    watched.console.close()

    assert not watched.screen.cursor_hidden
    assert watched.screen.shown[-1].startswith("✓ install")


def test_service_that_is_no_longer_ready_is_shown_again(events):
    watched = Watched()
    shown = watched.show(
        events(
            (0, e.StageStarted(stage=Stage.READY)),
            (1, e.ServiceSeen(name="db", ready=True)),
            (2, e.ServiceSeen(name="db", ready=False, waits_for="restarting")),
        ),
        until=3,
    )

    assert shown == ["… ready              3 s", "    db  restarting"]
    watched.console(events((4, e.StageEnded(stage=Stage.READY, outcome=Outcome.DONE, seconds=4)))[0])
    assert watched.screen.shown == ["✓ ready            4.0 s"]
    watched.console.close()
