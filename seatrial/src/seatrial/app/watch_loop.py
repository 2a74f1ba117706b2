"""Rerun the tests on every save and on keys: the loop of `seatrial watch`."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

from seatrial.model.errors import ExitCode, SeatrialError
from seatrial.model.spec import Project

__all__ = ["Trigger", "loop", "next_trigger", "watch"]

_QUIET: Final = 100
"""Milliseconds without another save before the tests start: editors write several files, some of them twice."""

_LONGEST: Final = 5000
"""Milliseconds after which the tests start although files are still being saved, for example by a formatter."""

_IGNORED_FOLDERS: Final = (".seatrial", ".foundry", ".ruff_cache", "test-results")
_IGNORED_FILES: Final = (r"^\.coverage", r"^coverage\.xml$", r"^junit\.xml$")


class Trigger(Enum):
    """The reason of the next run, or the end."""

    CHANGED = "changed"
    ALL = "all"
    FAILED = "failed"
    QUIT = "quit"


_KEYS: Final = {
    b"\r": Trigger.ALL,
    b"\n": Trigger.ALL,
    b"a": Trigger.ALL,
    b"f": Trigger.FAILED,
    b"q": Trigger.QUIT,
    b"\x04": Trigger.QUIT,
}

_ARGUMENTS: Final[dict[Trigger, tuple[str, ...]]] = {
    Trigger.CHANGED: ("--failed-first",),
    Trigger.ALL: (),
    Trigger.FAILED: ("--last-failed",),
}


def watch(
    run: Callable[[tuple[str, ...]], ExitCode], read: Callable[[], Project], *, root: Path, say: Callable[[str], None]
) -> ExitCode:
    """Run the tests on every save of a relevant file and on keys, until the user quits.

    Args:
        run: runs the tests with additional arguments of pytest, and returns their exit code.
        read: reads the configuration. Called after each burst of saves, because the configuration may have been saved.
        root: directory of the project.
        say: prints a line for the user.

    Returns:
        the exit code of the last run.
    """
    saved, tell_saved = os.pipe()
    stop = Flag()
    watcher = Thread(target=_watch, args=(root, read, tell_saved, stop), daemon=True)
    watcher.start()
    try:
        return loop(run, lambda: next_trigger(saved), say=say)
    finally:
        stop.set()
        watcher.join()
        os.close(saved)
        os.close(tell_saved)


def loop(
    run: Callable[[tuple[str, ...]], ExitCode], trigger: Callable[[], Trigger], *, say: Callable[[str], None]
) -> ExitCode:
    """Run all tests, then rerun them after each trigger, until the user quits.

    Args:
        run: runs the tests with additional arguments of pytest, and returns their exit code.
        trigger: waits for the next trigger.
        say: prints a line for the user.

    Returns:
        the exit code of the last run.
    """
    wanted = Trigger.ALL
    code = ExitCode.PASSED
    while True:
        try:
            code = run(_ARGUMENTS[wanted])
        except KeyboardInterrupt as interrupt:
            if type(interrupt) is not KeyboardInterrupt:
                raise  # SIGTERM ends the loop
            code = ExitCode.INTERRUPTED
        say("watching for changes; Enter: all, f: failed, q: quit")
        try:
            wanted = trigger()
        except KeyboardInterrupt:
            wanted = Trigger.QUIT
        if wanted is Trigger.QUIT:
            return code


def next_trigger(saved: int) -> Trigger:
    """Wait for a key, or for bytes in the pipe `saved`, which report saves. Several saves are one trigger."""
    with _keyboard() as keyboard:
        listening = [saved] if keyboard is None else [saved, keyboard]
        while True:
            ready, _, _ = select.select(listening, [], [])
            if saved in ready:
                os.read(saved, 65536)
                return Trigger.CHANGED
            pressed = os.read(ready[0], 1)
            trigger = _KEYS.get(pressed, Trigger.QUIT if not pressed else None)
            if trigger is not None:
                return trigger


@contextmanager
def _keyboard() -> Iterator[int | None]:
    """Yield a descriptor that delivers single keys, None without a terminal. Restores the terminal, for a debugger."""
    if not sys.stdin.isatty():
        yield None
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        # Not flushed: a key that was pressed during the run counts.
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _watch(project: Path, read: Callable[[], Project], tell_saved: int, stop: Flag) -> None:
    import watchfiles  # noqa: PLC0415 - keeps --help quick

    from seatrial.images.relevant_files import relevance_of  # noqa: PLC0415

    root = project.resolve()
    usual = watchfiles.DefaultFilter
    ignore = usual(
        ignore_dirs=(*usual.ignore_dirs, *_IGNORED_FOLDERS),
        ignore_entity_patterns=(*usual.ignore_entity_patterns, *_IGNORED_FILES),
    )
    for changes in watchfiles.watch(root, watch_filter=ignore, debounce=_LONGEST, step=_QUIET, stop_event=stop):
        paths = [project / Path(path).relative_to(root) for _, path in changes]
        try:
            wanted = any(map(relevance_of(read()), paths))
        except SeatrialError:
            # The run that follows reports the error.
            wanted = True
        if wanted:
            os.write(tell_saved, b".")
