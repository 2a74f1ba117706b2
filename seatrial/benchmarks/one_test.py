"""Take samples of one changed test of the platform: by seatrial, by plain commands, and of pytest alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from benchmarks import plain
from benchmarks.commands import Shell
from benchmarks.marks import Lifetime, lifetime_in
from benchmarks.outcome import last_result, lifetime_of_pytest, proven, stages_of
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, SELECTED, change_test
from benchmarks.scenarios import Side, Taken
from benchmarks.values import OURS, Figure, SideInfo

__all__ = ["ALONE", "SELECTION", "plainly", "sides"]


SELECTION: Final = ("-k", SELECTED)
"""The options of pytest that select the changed test."""

ALONE: Final = (*SELECTION, "-o", "cache_dir=/tmp/alone")
"""The same for pytest alone: without the cache, which belongs to seatrial in the kept environment."""


def sides(place: Place, shell: Shell, *options: str, plain_side: Side, alone: plain.Argv) -> tuple[Side, ...]:
    """Return seatrial, the plain commands and pytest alone, after a first run, which reads files from disk.

    Args:
        place: the folder of the platform.
        shell: runs `alone`.
        options: for `seatrial test`.
        plain_side: the plain commands.
        alone: runs pytest in seatrial's warm environment.
    """
    args = (*options, *SELECTION)
    _by_seatrial(place, *args)
    plain_side.take()
    return (
        Side(
            SideInfo(name=OURS, commands=(f"seatrial test {' '.join(args)}",)),
            lambda: _by_seatrial(place, *args),
        ),
        plain_side,
        Side(
            SideInfo(name="pytest alone", commands=(plain.typed(alone),), notes=("in seatrial's warm environment",)),
            lambda: _by_pytest(shell, alone),
        ),
    )


def _by_seatrial(place: Place, *args: str) -> Taken:
    """Change the test and run `seatrial test`."""
    folder = place.folder(PLATFORM)
    change_test(folder)
    done = place.seatrial(PLATFORM, "test", *args)
    result = last_result(folder)
    proven(done, result, sent=1)
    return Taken(_seconds(done.seconds, done.ended, lifetime_of_pytest(folder)), stages_of(result))


def plainly(place: Place, shell: Shell, steps: Sequence[Sequence[str]], *, reports: bool = True) -> Taken:
    """Change the test and run plain commands, of which the last one prints the output of pytest.

    Args:
        place: the folder of the platform.
        shell: runs the commands.
        steps: the commands.
        reports: whether the output has the lifetime of pytest; not if the container ends with pytest.
    """
    change_test(place.folder(PLATFORM))
    began = time.monotonic()
    ran = [shell.run(*step) for step in steps]
    whole, ended = time.monotonic() - began, time.time()
    parts = {" ".join(done.argv[:2]): done.seconds for done in ran}
    if not reports:
        return Taken({Figure.WHOLE: whole}, parts)
    return Taken(_seconds(whole, ended, lifetime_in(f"{ran[-1].text}\n{ran[-1].said}")), parts)


def _by_pytest(shell: Shell, command: Sequence[str]) -> Taken:
    """Run pytest by one command in the warm environment of the tests."""
    done = shell.run(*command)
    return Taken({Figure.PYTEST: lifetime_in(f"{done.text}\n{done.said}").seconds})


def _seconds(whole: float, ended: float, life: Lifetime) -> dict[Figure, float]:
    return {
        Figure.WHOLE: whole,
        Figure.PYTEST: life.seconds,
        Figure.BESIDES: whole - life.seconds,
        Figure.AFTER: ended - life.ended,
    }
