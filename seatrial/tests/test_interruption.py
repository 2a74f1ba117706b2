from __future__ import annotations

import signal
import threading

import pytest
from seatrial.interruption import Terminated, defer_signals


@pytest.fixture(autouse=True)
def sigterm_raises():
    """Let SIGTERM raise, as the command line does."""

    def terminate(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_first_signal_sets_the_event_and_the_second_raises(number, kind):
    event = threading.Event()

    with defer_signals(event) as deferred:
        signal.raise_signal(number)
        assert (event.is_set(), deferred.count, deferred.first) == (True, 1, kind)
        with pytest.raises(kind):
            signal.raise_signal(signal.SIGTERM if kind is Terminated else signal.SIGINT)


def test_first_keeps_the_type_of_the_first_signal():
    with defer_signals(threading.Event(), limit=2) as deferred:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    assert (deferred.count, deferred.first) == (2, Terminated)


def test_all_signals_raise_if_the_event_is_set():
    event = threading.Event()
    event.set()

    with defer_signals(event) as deferred, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert deferred.count == 0


def test_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with defer_signals(threading.Event()):
        assert signal.getsignal(signal.SIGINT) is not before[0]

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_get_no_handler():
    found = []

    def work() -> None:
        with defer_signals(threading.Event()) as deferred:
            found.append((signal.getsignal(signal.SIGINT), deferred.count))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [(before, 0)]
