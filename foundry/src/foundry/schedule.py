"""Run build steps in the order of their inputs, several at a time."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence

from foundry import plan, process
from foundry.artifacts import Catalog
from foundry.errors import FoundryError
from foundry.progress import Progress

WORKERS = 4
"""Concurrent builds. They wait for network and disk more than for the processor."""

COMPILERS = 2
"""Concurrent Go builds: one compiles while the other downloads."""

POLL_SECONDS = 1.0
"""Seconds between checks for a signal that arrived just before the main thread began to wait."""

CLEANUP_SECONDS = 10.0
"""Seconds that interrupted builds get to remove their containers and folders."""


def run(
    catalog: Catalog, order: Sequence[str], work: Callable[[str], None], progress: Progress
) -> dict[str, FoundryError]:
    """Run the steps of `order`, inputs first. Return the failed ones; steps that need them are skipped.

    An interruption first kills all programs of the steps, then propagates.
    """
    failed: dict[str, FoundryError] = {}
    done: set[str] = set()
    running: dict[concurrent.futures.Future[None], str] = {}
    pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
    try:
        while True:
            over = done | failed.keys() | plan.blocked(catalog, order, failed)
            for name in plan.next_steps(catalog, order, over, running.values()):
                if _has_room(catalog, name, list(running.values())):
                    progress.start(name, f"building {catalog[name].version}")
                    running[pool.submit(work, name)] = name
            if not running:
                return failed
            finished, _ = concurrent.futures.wait(
                running, timeout=POLL_SECONDS, return_when=concurrent.futures.FIRST_COMPLETED
            )
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
        concurrent.futures.wait(running, timeout=CLEANUP_SECONDS)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _has_room(catalog: Catalog, name: str, running: Sequence[str]) -> bool:
    if len(running) >= WORKERS:
        return False
    compilers = sum(_compiles(catalog, one) for one in running)
    return not _compiles(catalog, name) or compilers < COMPILERS


def _compiles(catalog: Catalog, name: str) -> bool:
    return "go" in catalog[name].inputs
