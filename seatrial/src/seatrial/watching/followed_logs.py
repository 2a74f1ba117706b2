"""Follow the log of every container from its start into a file. One thread runs all of this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from seatrial.model.timeline import ContainerRecord, GapRecord, LogRecord, Record
from seatrial.ports import LogRequest, Streams
from seatrial.watching.log_files import LogFile, LogFiles

__all__ = ["FollowedLogs"]

_FLUSH: Final = 0.4
"""Seconds after which received lines are in the file at the latest."""

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds before a failed request is tried again; the last one repeats."""

_STABLE: Final = timedelta(seconds=5)
"""A connection that was lost later is no failed attempt: load balancers close connections of silent containers."""

_READ_AGAIN: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between reads of a log that is not followed; the pause grows while the container prints nothing."""

_ATTEMPTS: Final = 20
"""Failed attempts after which a log is given up."""

_MOST_HELD: Final = 256 * 1024
_LEAD: Final = timedelta(seconds=2)
_OK: Final = 200
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


@dataclass(slots=True, kw_only=True)
class _Log:
    """The log of one run of a container."""

    container: ContainerRecord
    restarts: int
    container_id: str
    file: LogFile
    since: str
    previous: bool
    ended: bool
    """Whether the container terminated."""

    is_whole: bool
    """Whether the file begins with the start of the container."""

    state: Literal["opened", "ended", "cut", "lost"] = "opened"
    is_done: bool = False
    deleted: bool = False
    is_open: bool = False
    follows: bool = False
    read_to_end: bool = False
    """Whether the log was followed until the container terminated, as far as the last connection knows."""

    resuming: bytes = b""
    """Lines up to this time were received before the connection was lost."""

    head: bytes = b""
    """Begin of a line, while `resuming`."""

    opened: datetime
    """When the log was last requested."""

    failures: int = 0
    silent: int = 0
    """Reads without a line."""

    close: Callable[[], None] = field(default=lambda: None)

    @property
    def is_missing(self) -> bool:
        """Whether it was given up, or the last attempt to read it failed."""
        return self.state == "lost" or (self.failures > 0 and not self.is_done)


class FollowedLogs:
    """The logs of all containers that are seen.

    Args:
        streams: reads the logs.
        files: writes them.
        record: takes records of the timeline.
        now: returns the current time.
        started: start of the recording.
        is_new: whether the environment is new: then all logs are read from their start. In a kept one, those of
            containers that ran before are read from the start of the recording.
        most: most logs that are followed at a time. Others are read from time to time, and followed once their
            container or pod ends.
    """

    def __init__(
        self,
        streams: Streams,
        files: LogFiles,
        record: Callable[[Record], None],
        now: Callable[[], datetime],
        *,
        started: datetime,
        is_new: bool,
        most: int,
    ) -> None:
        self._streams = streams
        self._files = files
        self._record = record
        self._now = now
        self._started = started
        self._is_new = is_new
        self._most = most
        self._following = 0
        self._logs: dict[tuple[str, str], dict[int, _Log]] = {}
        self._forbidden: set[str] = set()
        self._flushing = False
        self.progressed = False
        """Whether data came in since this was last reset."""

    def see(self, record: ContainerRecord) -> None:
        """Take the state of a container: follow a new run of it, and note that earlier ones ended."""
        earlier = self._logs.setdefault((record.uid, record.container), {})
        if record.seen == "deleted":
            for log in earlier.values():
                log.deleted = True
                self._end(log)
            return
        for log in earlier.values():
            if log.restarts < record.restarts:
                self._end(log)
        last = record.last
        if last is not None and last.container_id != record.container_id and record.restarts:
            self._start(record, record.restarts - 1, last.container_id, last.started, last.finished, previous=True)
        if record.container_id and (record.state != "waiting" or last is not None):
            ends = last if record.state == "waiting" and last is not None else record
            finished = ends.finished if record.state != "running" else None
            self._start(record, record.restarts, record.container_id, ends.started, finished)

    def covers(self, uid: str, container: str, restarts: int, *, whole: bool) -> bool:
        """Return whether a file has the log of one run of a container, as far as the container printed it.

        Args:
            uid: uid of the pod.
            container: name of the container.
            restarts: restarts before this run of the container.
            whole: require the log from the start of the container.
        """
        log = self._logs.get((uid, container), {}).get(restarts)
        return log is not None and not log.is_missing and (log.is_whole or not whole)

    def is_cut(self, uid: str, container: str, restarts: int) -> bool:
        """Return whether the log of one run of a container exceeded a size limit."""
        log = self._logs.get((uid, container), {}).get(restarts)
        return log is not None and log.state == "cut"

    @property
    def has_lost(self) -> bool:
        """Whether the log of a container could not be read to its end, or not at all."""
        return any(log.is_missing for log in self._all())

    @property
    def count(self) -> int:
        """How many files were written."""
        return sum(bool(log.file.size) for log in self._all())

    def sizes(self) -> dict[tuple[str, str], int]:
        """Return pod and container to the bytes of the file of its last run; 0 if it printed nothing."""
        logs = sorted(self._all(), key=lambda log: log.restarts)
        return {(log.container.pod, log.container.container): log.file.size for log in logs if not log.is_missing}

    def read_rest(self) -> None:
        """Read the logs that are not followed once more: up to now."""
        for log in self._all():
            if not log.is_done and not log.follows:
                self._open(log, follow=False)

    @property
    def is_reading(self) -> bool:
        """Whether a log is being read that is not followed."""
        return any(log.is_open and not log.follows for log in self._all())

    def end(self) -> None:
        """Write what was received, and state the size of files whose containers still run.

        Raises:
            OSError: a file cannot be written.
        """
        for log in self._all():
            if not log.is_done:
                log.close()
                # A log that is still being read is incomplete.
                log.failures += log.is_open and not log.follows
                self._write(log, whole=True)
                if log.file.size and log.state == "opened":
                    self._tell(log)
            self._files.redact_again(log.file)

    def _start(
        self,
        record: ContainerRecord,
        restarts: int,
        container_id: str,
        started: datetime | None,
        finished: datetime | None,
        *,
        previous: bool = False,
    ) -> None:
        logs = self._logs[record.uid, record.container]
        if (known := logs.get(restarts)) is not None:
            if finished is not None:
                self._end(known)
            elif known.state == "lost":
                # The node may be back.
                known.is_done, known.state, known.failures = False, "opened", 0
                self._open(known)
            return
        is_old = not self._is_new and started is not None and started < self._started - _LEAD
        if is_old and finished is not None and finished < self._started - _LEAD:
            return
        path = self._files.path(record.namespace, record.pod, record.uid, record.container, restarts)
        log = _Log(
            container=record,
            restarts=restarts,
            container_id=container_id,
            file=LogFile(path),
            since=f"{self._started:%Y-%m-%dT%H:%M:%SZ}" if is_old else "",
            previous=previous,
            ended=finished is not None,
            is_whole=not is_old,
            opened=self._now(),
        )
        logs[restarts] = log
        self._open(log)

    def _all(self) -> Iterator[_Log]:
        for logs in self._logs.values():
            yield from logs.values()

    def _open(self, log: _Log, *, follow: bool = True) -> None:
        if log.is_done or log.is_open:
            return
        log.is_open = True
        log.follows = follow and (self._following < self._most or log.ended)
        self._following += log.follows
        log.read_to_end = False
        log.opened = self._now()
        self._write(log)
        log.file.drop()
        log.resuming, log.head = log.file.last, b""
        container = log.container
        request = LogRequest(
            pod=container.pod,
            namespace=container.namespace,
            container=container.container,
            since=log.file.last.decode() or log.since,
            previous=log.previous,
            follow=log.follows,
        )
        log.close = self._streams.log(request, data=partial(self._take, log), ended=partial(self._closed, log))

    def _close(self, log: _Log) -> None:
        log.close()
        self._following -= log.follows
        log.is_open = log.follows = False

    def _take(self, log: _Log, data: bytes) -> None:
        self.progressed = True
        log.failures = log.silent = 0
        log.file.add(_after(log, data) if log.resuming else data)
        if len(data) > _MOST_HELD:
            self._write(log)
        elif not self._flushing:
            self._flushing = True
            self._streams.call(self._flush, after=_FLUSH)

    def _flush(self) -> None:
        self._flushing = False
        for log in self._all():
            if log.file.is_dirty and not log.is_done:
                self._write(log)

    def _write(self, log: _Log, *, whole: bool = False) -> None:
        if self._files.write(log.file, whole=whole):
            self._tell(log, just_created=True)
        if log.file.cut is not None and not log.is_done:
            self._close(log)
            self._finish(log, "cut", "size limit")

    def _closed(self, log: _Log, status: int, reason: str) -> None:
        """Take the end of a response: the container ended, the log was read up to now, or the connection was lost."""
        was_followed = log.follows
        self._following -= log.follows
        log.is_open = log.follows = False
        if status == _OK or self._now() - log.opened > _STABLE:
            log.failures = 0
        if status == _OK:
            log.read_to_end = was_followed
            if log.ended and was_followed:
                self._finish(log, "ended")
                return
            # The state of the container arrives soon. If its log is not followed, it is read again.
            pause = _READ_AGAIN[0 if was_followed else min(log.silent, len(_READ_AGAIN) - 1)]
            log.silent += 1
            self._streams.call(partial(self._open, log), after=pause)
            return
        if status == _FORBIDDEN:
            # A server that starts refuses everything until it has read its roles, so the log is tried again.
            self._note_forbidden(log.container.namespace, reason)
        if status == _NOT_FOUND or log.failures >= _ATTEMPTS or (log.deleted and status):
            self._finish(log, "lost", reason)
        else:
            pause = _PAUSES[min(log.failures, len(_PAUSES) - 1)]
            log.failures += 1
            self._streams.call(partial(self._open, log), after=pause)

    def _note_forbidden(self, namespace: str, reason: str) -> None:
        if namespace not in self._forbidden:
            self._forbidden.add(namespace)
            now = self._now()
            self._record(
                GapRecord(at=now, started=now, resource="log", namespace=namespace, ended=False, reason=reason)
            )

    def _end(self, log: _Log) -> None:
        """Note that the container terminated. A log that is not followed is read to its end now."""
        if log.ended or log.is_done:
            return
        log.ended = True
        if log.read_to_end:
            self._finish(log, "ended")
        elif not log.follows:
            self._close(log)
            self._open(log)

    def _finish(self, log: _Log, state: Literal["ended", "cut", "lost"], reason: str = "") -> None:
        if state != "cut" and self._files.write(log.file, whole=True):
            self._tell(log, just_created=True)
        log.is_done = True
        log.state = state if log.file.cut is None else "cut"
        if log.file.size or state == "lost":
            self._tell(log, reason=reason)

    def _tell(self, log: _Log, *, reason: str = "", just_created: bool = False) -> None:
        container = log.container
        self._record(
            LogRecord(
                at=self._now(),
                namespace=container.namespace,
                pod=container.pod,
                uid=container.uid,
                container=container.container,
                restarts=log.restarts,
                container_id=log.container_id,
                file=str(log.file.path),
                state=log.state,
                bytes=0 if just_created else log.file.size,
                limit=log.file.cut or 0,
                reason=reason,
            )
        )


def _after(log: _Log, data: bytes) -> bytes:
    """Return the part of a resumed log that was not received before; a stream resumes with a second of old lines."""
    *lines, log.head = (log.head + data).split(b"\n")
    for number, line in enumerate(lines):
        if line.partition(b" ")[0] > log.resuming:
            rest = b"\n".join((*lines[number:], log.head))
            log.resuming, log.head = b"", b""
            return rest
    return b""
