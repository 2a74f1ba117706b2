"""Record what happens in the cluster during a run: objects to `timeline.jsonl`, logs to files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from seatrial.model.names import LABEL_ISOLATED_FOR, LABEL_PROJECT
from seatrial.model.redaction import safe_struct
from seatrial.model.timeline import (
    TIMELINE_FILE,
    TIMELINE_SCHEMA,
    ContainerRecord,
    GapRecord,
    Record,
    RecordingRecord,
    encode_record,
)
from seatrial.ports import Change, Clock, Missed, Streams
from seatrial.watching.followed_logs import FollowedLogs
from seatrial.watching.log_files import LogFiles
from seatrial.watching.object_records import KINDS, ObjectRecords

__all__ = ["ClusterRecorder", "Scope"]

_NAMESPACE: Final = "v1/Namespace"
_CLUSTER_SCOPED: Final = ("v1/Node",)
_SYSTEM: Final = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
"""Namespaces of a new cluster whose objects are recorded and whose logs are not followed."""

_LATER: Final = 0.05
"""Seconds between the starts of two watches: a test run starts at the same time and needs the processor."""

_QUIET: Final = 0.05
"""Seconds without a line after which logs count as read up to now."""

_REST_SECONDS: Final = 5.0
"""Seconds to read the rest of logs that are not followed."""

_END_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is recorded.

    Attributes:
        namespaces: namespaces of the environment.
        whole_cluster: record all namespaces: the cluster belongs to the environment.
        isolated_for: namespace for which tests create further ones; empty if they cannot.
        project: value of the project label on those namespaces.
    """

    namespaces: tuple[str, ...]
    whole_cluster: bool
    isolated_for: str = ""
    project: str = ""

    @property
    def selector(self) -> str:
        """The label selector of namespaces that tests create."""
        return f"{LABEL_PROJECT}={self.project},{LABEL_ISOLATED_FOR}={self.isolated_for}"

    def has_logs(self, namespace: str) -> bool:
        """Whether logs of a namespace are followed."""
        return namespace in self.namespaces or namespace not in _SYSTEM


class ClusterRecorder:
    """Records from its creation until `stop`. It never waits for the cluster.

    Args:
        streams: reads watches and logs; closed by `stop`.
        run_dir: the run directory.
        scope: what is recorded.
        clock: the clock of this machine.
        is_new: whether the environment is new.
        followed_logs: how many logs may be followed at a time. Others are read from time to time.
    """

    def __init__(
        self, streams: Streams, run_dir: Path, scope: Scope, clock: Clock, *, is_new: bool, followed_logs: int = 64
    ) -> None:
        self._streams = streams
        self._scope = scope
        self._clock = clock
        self._started = self._now()
        self._objects = ObjectRecords(self._started)
        self.files = LogFiles(run_dir)
        self.logs = FollowedLogs(
            streams, self.files, self._write_now, self._now, started=self._started, is_new=is_new, most=followed_logs
        )
        self._lines: list[bytes] = []
        self._watches: dict[str, list[Callable[[], None]]] = {}
        self._unsynced: set[tuple[str, str]] = set()
        self._has_gaps = False
        self._file = run_dir / TIMELINE_FILE
        self._stopped = threading.Event()
        self._is_stopping = False
        self._problem: Exception | None = None
        streams.call(self._start)

    @property
    def is_complete(self) -> bool:
        """Whether the log of every container is in a file. Call it after `stop`."""
        pods = [key for key in self._unsynced if key[0] == "v1/Pod"]
        ended_well = self._problem is None and self._stopped.is_set()
        return ended_well and not pods and not self._has_gaps and not self.logs.has_lost

    def stop(self, *, drain: float = 0.0) -> Exception | None:
        """Write the rest and end; return the error that ended the recording before.

        Args:
            drain: seconds to wait at most for lines that containers printed just before.
        """
        if not self._is_stopping:
            self._is_stopping = True
            latest = time.monotonic() + drain
            self._streams.call(partial(self._read_rest, drain))
            while not self._stopped.wait(_QUIET) and self._streams.is_running:
                if time.monotonic() > latest + _REST_SECONDS + _END_SECONDS:
                    break
            self._problem = self._streams.close()
            if not self._stopped.is_set() and not self._streams.is_running:
                # The error did not let `_finish` redact the logs.
                with suppress(OSError):
                    self.logs.end()
        return self._problem

    def _start(self) -> None:
        scope = self._scope
        self._write(
            RecordingRecord(
                at=self._started,
                state="started",
                schema=TIMELINE_SCHEMA,
                namespaces=() if scope.whole_cluster else scope.namespaces,
                isolated_for=scope.isolated_for,
            )
        )
        self._flush()
        for number, start in enumerate(self._first_watches()):
            self._streams.call(start, after=number * _LATER)

    def _first_watches(self) -> Iterator[Callable[[], None]]:
        """Yield what starts the watches, the most important ones first."""
        scope = self._scope
        namespaces = ("",) if scope.whole_cluster else scope.namespaces
        for kind in KINDS:
            for namespace in namespaces if kind not in _CLUSTER_SCOPED else ("",):
                self._unsynced.add((kind, namespace))
                yield partial(self._watch, kind, namespace)
        if scope.isolated_for and not scope.whole_cluster:
            yield lambda: self._watches.setdefault("", []).append(
                self._streams.watch(_NAMESPACE, "", labels=scope.selector, take=self._take_namespaces)
            )

    def _watch(self, kind: str, namespace: str) -> None:
        if not self._is_stopping:
            close = self._streams.watch(kind, namespace, take=partial(self._take, kind, namespace))
            self._watches.setdefault(namespace, []).append(close)

    def _take(self, kind: str, namespace: str, item: Change | Missed) -> None:
        if isinstance(item, Missed):
            self._note_gap(kind, namespace, item)
        else:
            if item.type == "synced":
                self._unsynced.discard((kind, namespace))
            for record in self._objects.take(kind, namespace, item, self._now()):
                self._write(record)
                if isinstance(record, ContainerRecord) and self._scope.has_logs(record.namespace):
                    self.logs.see(record)
        self._flush()

    def _take_namespaces(self, item: Change | Missed) -> None:
        """Start and end the watches of namespaces that tests create and delete in a shared cluster."""
        if isinstance(item, Missed):
            self._note_gap(_NAMESPACE, "", item)
            self._flush()
            return
        names = {obj["metadata"]["name"] for obj in item.objects}
        if item.type == "deleted":
            for name in names:
                for close in self._watches.pop(name, ()):
                    close()
            return
        for name in names - self._watches.keys():
            for kind in KINDS:
                if kind not in _CLUSTER_SCOPED:
                    self._watch(kind, name)

    def _note_gap(self, kind: str, namespace: str, missed: Missed) -> None:
        self._has_gaps = self._has_gaps or kind == "v1/Pod"
        self._write(
            GapRecord(
                at=self._now(),
                started=missed.since,
                resource=kind,
                namespace=namespace,
                ended=missed.ended,
                reason=missed.reason,
            )
        )

    def _read_rest(self, drain: float) -> None:
        """Read logs that are not followed a last time, and wait for lines that arrive now."""
        self.logs.read_rest()
        if drain or self.logs.is_reading:
            self._drain(time.monotonic() + (_REST_SECONDS if self.logs.is_reading else drain))
        else:
            self._finish()

    def _drain(self, latest: float) -> None:
        """End once no line came in for a moment, or at `latest` of the monotonic clock."""
        self.logs.progressed = False
        self._streams.call(partial(self._finish_if_quiet, latest), after=_QUIET)

    def _finish_if_quiet(self, latest: float) -> None:
        if (self.logs.progressed or self.logs.is_reading) and time.monotonic() < latest:
            self._drain(latest)
        else:
            self._finish()

    def _finish(self) -> None:
        self.logs.end()
        self._write(RecordingRecord(at=self._now(), state="ended", schema=TIMELINE_SCHEMA))
        self._flush()
        self._stopped.set()

    def _write(self, record: Record) -> None:
        self._lines.append(encode_record(safe_struct(record)))

    def _write_now(self, record: Record) -> None:
        self._write(record)
        self._flush()

    def _flush(self) -> None:
        if self._lines:
            with self._file.open("ab") as out:
                out.write(b"\n".join((*self._lines, b"")))
            self._lines.clear()

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)
