"""Run build steps, several at once where that helps."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence

from foundry import plan, process
from foundry.artefacts import Catalogue
from foundry.errors import FoundryError
from foundry.progress import Progress

WORKERS = 4
"""Builds at once: they wait for the network and the disk more than they compute."""

COMPILERS = 2
"""Of them, Go builds: one compiles, one downloads and then waits for its turn."""

LOOK = 1.0
"""Seconds until a signal is seen that came just before the main thread fell asleep: it wakes nobody."""

FAREWELL = 10.0
"""Seconds that interrupted builds get to put their containers and folders away."""


def run(
    catalogue: Catalogue, order: Sequence[str], work: Callable[[str], None], progress: Progress
) -> dict[str, FoundryError]:
    """Do the steps of `order`, inputs first; returns those that failed. What needs a failed one is not tried.

    When it is interrupted, all programs that steps have started are ended before the interruption goes on.
    """
    failed: dict[str, FoundryError] = {}
    done: set[str] = set()
    running: dict[concurrent.futures.Future[None], str] = {}
    pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
    try:
        while True:
            over = done | failed.keys() | plan.doomed(catalogue, order, failed)
            for name in plan.next_steps(catalogue, order, over, running.values()):
                if _has_room(catalogue, name, list(running.values())):
                    progress.start(name, f"building {catalogue[name].version}")
                    running[pool.submit(work, name)] = name
            if not running:
                return failed
            finished, _ = concurrent.futures.wait(running, timeout=LOOK, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                try:
                    future.result()
                except FoundryError as error:
                    failed[name] = error
                    progress.end(name, "failed")
                    progress.say("\n".join(error.lines()))
                else:
                    done.add(name)
                    progress.end(name, "built")
    except BaseException:
        process.stop_all()
        concurrent.futures.wait(running, timeout=FAREWELL)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _has_room(catalogue: Catalogue, name: str, running: Sequence[str]) -> bool:
    if len(running) >= WORKERS:
        return False
    compilers = sum(_compiles(catalogue, one) for one in running)
    return not _compiles(catalogue, name) or compilers < COMPILERS


def _compiles(catalogue: Catalogue, name: str) -> bool:
    return "go" in catalogue[name].inputs
