"""Watch objects as one stream among many: list, watch, resume, and report gaps.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from seatrial.adapters.http_reader import ResponseReader
from seatrial.adapters.stream import FORBIDDEN, GONE, NOT_FOUND, REFUSED, Stream, StreamReader, message_of
from seatrial.ports import Change, Missed, Object

__all__ = ["WatchStream"]

_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds before a lost watch is opened again; the last one repeats."""

_STABLE: Final = 5.0
"""Seconds after which a watch counts as working, and is opened again at once."""

_UNNOTICED: Final = 2.0
"""Seconds without a connection that are no gap if all changes arrive afterwards."""


class WatchStream(Stream):
    """Objects of one kind: a list, then its changes over the same connection.

    Args:
        streams: reads it.
        kind: kind with its apiVersion.
        namespace: empty: all namespaces.
        labels: label selector; empty: all objects.
        take: takes changes and gaps.
    """

    def __init__(
        self,
        streams: StreamReader,
        kind: str,
        namespace: str,
        labels: str,
        take: Callable[[Change | Missed], None],
    ) -> None:
        super().__init__(streams)
        self._api, _, self._bare = kind.rpartition("/")
        self._kind = kind
        self._namespace = namespace
        self._selector = {"labelSelector": labels} if labels else {}
        self._take = take
        self._version = ""
        """Resource version to continue from; empty: list."""
        self._listed = False
        self._pending: list[bytes] = []
        self._lists = True
        """Whether the response that is read is a list."""
        self._since: datetime | None = None
        """Start of an interruption."""
        self._reason = ""
        self._is_told = False
        """Whether this interruption was reported while it lasts."""

        self._opened = time.monotonic()
        self._attempts = 0

    def asked(self) -> tuple[str, dict[str, str]]:
        path = self.streams.requests.path(self._kind, self._namespace)
        self._lists = not self._version
        self._pending.clear()
        self._opened = time.monotonic()
        if self._lists:
            return path, self._selector
        changes = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._version}
        return path, {**self._selector, **changes}

    def received(self, status: int, body: bytes) -> None:
        if self._lists or status >= REFUSED:
            self._pending.append(body)
            return
        if self._since is not None:
            self._resumed()
        *lines, rest = body.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._pending, lines[0]))
            self._pending.clear()
        if rest:
            self._pending.append(rest)
        for line in lines:
            if not self.closed and line:
                self._take_line(line)

    def finished(self, status: int) -> None:
        if status == GONE:
            self._list_again("the server no longer has the changes")
        elif status >= REFUSED:
            self._refused(status)
        elif self._lists:
            self._take_list()
        else:
            # The server closes each watch after some minutes.
            self._again("closed by the server", quietly=True)

    def lost(self, reason: str) -> None:
        if not self.closed:
            self._again(reason)

    def _take_list(self) -> None:
        found = msgspec.json.decode(b"".join(self._pending), type=dict[str, Any])
        self._pending.clear()
        self._version = str(found["metadata"].get("resourceVersion", ""))
        if self._listed or self._is_told:
            since = self._since or datetime.now(UTC)
            self._take(Missed(since=since, reason=self._reason or "the server no longer has the changes"))
        self._since, self._listed, self._is_told = None, True, False
        objects = ({"apiVersion": self._api, "kind": self._bare, **item} for item in found.get("items") or ())
        self._take(Change(type="synced", objects=tuple(objects)))
        connection = self.connection
        if self.closed or connection is None:
            return
        self.reader = ResponseReader()
        try:
            connection.sendall(self.request())
        except OSError as error:
            self._again(str(error))

    def _take_line(self, line: bytes) -> None:
        event = msgspec.json.decode(line, type=dict[str, Any])
        obj: Object = event["object"]
        if event["type"] == "ERROR":
            self._list_again(str(obj.get("message") or "the server ended the watch"))
            return
        self._version = obj["metadata"]["resourceVersion"]
        if event["type"] != "BOOKMARK":
            self._take(Change(type=event["type"].lower(), objects=(obj,)))

    def _refused(self, status: int) -> None:
        reason = message_of(status, b"".join(self._pending))
        if status == NOT_FOUND and not self._listed:
            # A kind that the server does not have has no objects.
            self.close()
            return
        self._again(reason)
        # A server that starts refuses everything until it has read its roles, so the watch is tried again.
        if status == FORBIDDEN and not self._is_told and self._since is not None:
            self._is_told, self._reason = True, reason
            self._take(Missed(since=self._since, reason=reason, ended=False))

    def _list_again(self, reason: str) -> None:
        self._version = ""
        self._again(reason)

    def _again(self, reason: str, *, quietly: bool = False) -> None:
        """Open the watch again, after a pause if it was opened just before."""
        self.streams.forget(self)
        if self._since is None:
            self._since, self._reason = datetime.now(UTC), reason
        if time.monotonic() - self._opened > _STABLE or quietly:
            self._attempts = 0
        pause = _PAUSES[min(self._attempts, len(_PAUSES) - 1)]
        self._attempts += 1
        self.streams.call(self._open_again, after=pause)

    def _open_again(self) -> None:
        if not self.closed:
            self.streams.open(self)

    def _resumed(self) -> None:
        """Report an interruption that was long, although no change was lost."""
        since, self._since = self._since, None
        is_told, self._is_told = self._is_told, False
        if since is not None and (is_told or (datetime.now(UTC) - since).total_seconds() > _UNNOTICED):
            self._take(Missed(since=since, reason=self._reason))
