"""Read the log of a container as one stream among many.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

from collections.abc import Callable

from seatrial.adapters.stream import REFUSED, Stream, StreamReader, message_of
from seatrial.ports import LogRequest

__all__ = ["LogStream"]


class LogStream(Stream):
    """The log of one run of a container.

    Args:
        streams: reads it.
        wanted: what to read.
        data: takes the log in pieces of any size.
        ended: takes the HTTP status, 0 if the connection was lost, and the reason.
    """

    def __init__(
        self,
        streams: StreamReader,
        wanted: LogRequest,
        data: Callable[[bytes], None],
        ended: Callable[[int, str], None],
    ) -> None:
        super().__init__(streams)
        self._wanted = wanted
        self._data = data
        self._ended = ended
        self._refusal = b""

    def asked(self) -> tuple[str, dict[str, str]]:
        wanted = self._wanted
        query = {"container": wanted.container, "timestamps": "true"}
        if wanted.follow:
            query["follow"] = "true"
        if wanted.since:
            query["sinceTime"] = wanted.since
        if wanted.previous:
            query["previous"] = "true"
        return self.streams.requests.path("v1/Pod", wanted.namespace, wanted.pod) + "/log", query

    def received(self, status: int, body: bytes) -> None:
        if status >= REFUSED:
            self._refusal += body
        elif body:
            self._data(body)

    def finished(self, status: int) -> None:
        if not self._wanted.follow:
            self.streams.release(self)
        self.close()
        self._ended(status, message_of(status, self._refusal) if status >= REFUSED else "")

    def lost(self, reason: str) -> None:
        if not self.closed:
            self.close()
            self._ended(0, reason)
