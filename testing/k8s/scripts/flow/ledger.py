"""What a run makes on the host, written down before it is made, so that a killed run can be tidied up after."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flow.errors import USAGE, Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cluster and what belongs to it; `nodes` are the ids of its node containers, once they are known."""

    cluster: str
    registry: str
    started: str
    owner: int
    folder: str
    network_made: bool = False
    nodes: tuple[str, ...] = ()
    kept: bool = False


class Ledger:
    """The entry of one cluster name on this host, and the lock that says that its owner lives.

    The kernel releases the lock however the owner ends, so nobody has to guess from process ids.
    """

    def __init__(self, folder: Path, cluster: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{cluster}.json"
        self._lock = folder / f"{cluster}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Become the only run that may make or remove this cluster.

        Raises:
            Failure: another run is at it.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            entry = self.read()
            by = f" by process {entry.owner} in {entry.folder}, since {entry.started}" if entry else ""
            raise Failure(
                f"{self._path.stem} is in use{by}", hint="wait for that run, or set CLUSTER_NAME", code=USAGE
            ) from None
        self._descriptor = descriptor

    def read(self) -> Entry | None:
        """Return what an earlier run left behind, if anything."""
        try:
            found = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        return Entry(**{**found, "nodes": tuple(found["nodes"])})

    def write(self, entry: Entry) -> None:
        """Replace the entry; it is on the disk when this returns."""
        draft = self._path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(asdict(entry), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def clear(self) -> None:
        """Forget the entry: nothing of it is left."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def new_entry(*, cluster: str, registry: str, folder: Path, network_made: bool) -> Entry:
    """Return the entry of a cluster that this process is about to make."""
    return Entry(
        cluster=cluster,
        registry=registry,
        started=time.strftime("%Y-%m-%d %H:%M:%S"),
        owner=os.getpid(),
        folder=str(folder),
        network_made=network_made,
    )


def taken_over(entry: Entry) -> Entry:
    """Return the entry of a cluster that stayed and that this process goes on with."""
    return replace(entry, owner=os.getpid(), kept=False)
