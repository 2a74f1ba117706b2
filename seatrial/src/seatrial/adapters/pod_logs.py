"""What a container prints, while it prints it.

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
_PATIENCE: Final = 20.0
"""Seconds for which a connection that broke is tried again."""

_ERROR: Final = 400

Open = Callable[[str, Mapping[str, str]], tuple[http.client.HTTPConnection, http.client.HTTPResponse]]


def log_query(container: str, *, tail: int | None, since: int | None, previous: bool = False) -> dict[str, str]:
    """Return the query of a request for logs."""
    query = {"container": container}
    if tail is not None:
        query["tailLines"] = str(tail)
    if since is not None:
        query["sinceSeconds"] = str(since)
    if previous:
        query["previous"] = "true"
    return query


class ApiLines:
    """The lines of one container from now on, until it ends; a connection that breaks is resumed where it broke.

    Args:
        open_: sends a GET and returns its open response.
        path: of the pod's log.
        query: as `log_query` makes it.
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
                    # Asked again for what came since, the server begins with what was told already.
                    if stamp > last:
                        last = stamp
                        yield text
            except (OSError, http.client.HTTPException) as error:
                if self._closed:
                    return
                if time.monotonic() - since > _PATIENCE:
                    raise EnvironmentFailed(
                        "the stream of logs broke", reason=str(error), hint="seatrial status"
                    ) from error
                time.sleep(_PAUSE)
            else:
                return

    def close(self) -> None:
        """End the iteration, from whatever thread."""
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
