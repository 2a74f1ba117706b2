"""Run the tests again on every save and on keys: the loop of `seatrial watch`."""

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

__all__ = ["Wish", "loop", "next_wish", "watch"]

_QUIET: Final = 100
"""Milliseconds without another save before the tests start; editors write several files, and some of them twice."""

_LONGEST: Final = 5000
"""Milliseconds after which they start although saves still come: a formatter over all files, a change of branch."""

_IGNORED_FOLDERS: Final = (".seatrial", ".foundry", ".ruff_cache", "test-results")
_IGNORED_FILES: Final = (r"^\.coverage", r"^coverage\.xml$", r"^junit\.xml$")


class Wish(Enum):
    """What is to happen next."""

    CHANGED = "changed"
    ALL = "all"
    FAILED = "failed"
    QUIT = "quit"


_KEYS: Final = {
    b"\r": Wish.ALL,
    b"\n": Wish.ALL,
    b"a": Wish.ALL,
    b"f": Wish.FAILED,
    b"q": Wish.QUIT,
    b"\x04": Wish.QUIT,
}

_ARGUMENTS: Final[dict[Wish, tuple[str, ...]]] = {
    Wish.CHANGED: ("--failed-first",),
    Wish.ALL: (),
    Wish.FAILED: ("--last-failed",),
}


def watch(
    run: Callable[[tuple[str, ...]], ExitCode], read: Callable[[], Project], *, root: Path, say: Callable[[str], None]
) -> ExitCode:
    """Run the tests on every save of a file that matters, and on a key, until the user quits.

    Args:
        run: runs the tests with these arguments more, and tells how they ended.
        read: reads the configuration. Called for each burst of saves: it may be what was saved.
        root: directory of the project.
        say: tells the person at the keyboard.

    Returns:
        how the last run ended.
    """
    saved, tell_saved = os.pipe()
    stop = Flag()
    watcher = Thread(target=_watch, args=(root, read, tell_saved, stop), daemon=True)
    watcher.start()
    try:
        return loop(run, lambda: next_wish(saved), say=say)
    finally:
        stop.set()
        watcher.join()
        os.close(saved)
        os.close(tell_saved)


def loop(
    run: Callable[[tuple[str, ...]], ExitCode], wish: Callable[[], Wish], *, say: Callable[[str], None]
) -> ExitCode:
    """Run all tests, then as wished, until quitting is.

    Args:
        run: runs the tests with these arguments more, and tells how they ended.
        wish: waits for what is to happen next.
        say: tells the person at the keyboard.

    Returns:
        how the last run ended.
    """
    wanted = Wish.ALL
    code = ExitCode.PASSED
    while True:
        try:
            code = run(_ARGUMENTS[wanted])
        except KeyboardInterrupt as interrupt:
            if type(interrupt) is not KeyboardInterrupt:
                raise  # SIGTERM: that is meant for us
            code = ExitCode.INTERRUPTED
        say("watching for changes; Enter: all, f: failed, q: quit")
        try:
            wanted = wish()
        except KeyboardInterrupt:
            wanted = Wish.QUIT
        if wanted is Wish.QUIT:
            return code


def next_wish(saved: int) -> Wish:
    """Wait for a save, told by bytes in the pipe `saved`, or a key. Several saves since the last run are one."""
    with _keyboard() as keyboard:
        listening = [saved] if keyboard is None else [saved, keyboard]
        while True:
            ready, _, _ = select.select(listening, [], [])
            if saved in ready:
                os.read(saved, 65536)
                return Wish.CHANGED
            pressed = os.read(ready[0], 1)
            wish = _KEYS.get(pressed, Wish.QUIT if not pressed else None)
            if wish is not None:
                return wish


@contextmanager
def _keyboard() -> Iterator[int | None]:
    """Yield where keys can be read one by one. The terminal is as before afterwards: a debugger may want it."""
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
            # The command that follows tells what is wrong.
            wanted = True
        if wanted:
            os.write(tell_saved, b".")
