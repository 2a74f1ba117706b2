"""Follow the log of a container.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from seatrial.model.errors import EnvironmentFailed

__all__ = ["ApiLines", "log_query"]

_PAUSE: Final = 0.5
_RETRY_SECONDS: Final = 20.0
"""Seconds for which a lost connection is retried."""

_ERROR: Final = 400

Open = Callable[[str, Mapping[str, str]], tuple[http.client.HTTPConnection, http.client.HTTPResponse]]


def log_query(
    container: str, *, tail: int | None, since: int | None, previous: bool = False, timestamps: bool = False
) -> dict[str, str]:
    """Return the query parameters of a log request."""
    query = {"container": container}
    if tail is not None:
        query["tailLines"] = str(tail)
    if since is not None:
        query["sinceSeconds"] = str(since)
    if previous:
        query["previous"] = "true"
    if timestamps:
        query["timestamps"] = "true"
    return query


class ApiLines:
    """The lines of one container until it terminates; a lost connection is resumed after the last line.

    Args:
        open_: sends a GET; returns the connection and the open response.
        path: API path of the pod's log.
        query: as `log_query` returns it.
    """

    def __init__(self, open_: Open, path: str, query: Mapping[str, str]) -> None:
        self._open = open_
        self._path = path
        self._query = {**query, "follow": "true", "timestamps": "true"}
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        last, since = b"", time.monotonic()
        while True:
            try:
                for line in self._lines(last):
                    stamp, _, text = line.partition(b" ")
                    since = time.monotonic()
                    # A resumed stream starts with lines that were received already.
                    if stamp > last:
                        last = stamp
                        yield text
            except (OSError, http.client.HTTPException) as error:
                if self._closed:
                    return
                if time.monotonic() - since > _RETRY_SECONDS:
                    raise EnvironmentFailed(
                        "the log stream was lost", reason=str(error), hint="seatrial status"
                    ) from error
                time.sleep(_PAUSE)
            else:
                return

    def close(self) -> None:
        """End the iteration, from any thread."""
        with self._lock:
            self._closed = True
            if self._connection and self._connection.sock:
                with suppress(OSError):
                    self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _lines(self, last: bytes) -> Iterator[bytes]:
        query = dict(self._query)
        if last:
            query = {"container": query["container"], "follow": "true", "timestamps": "true"}
            query["sinceTime"] = last.decode()
        connection, response = self._open(self._path, query)
        with self._lock:
            self._connection = connection
        try:
            if response.status < _ERROR and not self._closed:
                yield from response
        finally:
            connection.close()
