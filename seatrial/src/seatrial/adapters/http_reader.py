"""Parse an HTTP/1.1 response from the pieces that a non-blocking socket yields.

`http.client` blocks until a whole line or chunk has arrived, so one thread could not read several responses.
Format: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

from typing import Final

__all__ = ["ResponseReader"]

_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_LINE: Final = 4096
_FINAL_STATUS: Final = 200
_WITHOUT_BODY: Final = (204, 304)


class ResponseReader:
    """One response.

    Attributes:
        status: status code; 0 until the headers have arrived.
        done: whether the whole body has arrived.
    """

    def __init__(self) -> None:
        self.status = 0
        self.done = False
        self._buffer = b""
        self._chunked = False
        self._left: int | None = None
        """Bytes of the body or the chunk that have not arrived; None: the body ends with the connection."""
        self._at_chunk_end = False
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        """Take received bytes; return the part of the body in them.

        Raises:
            ValueError: they are no HTTP response.
        """
        self._buffer += data
        if not self.status and not self._read_head():
            return b""
        if self._chunked:
            return self._read_chunks()
        if self._left is None:
            body, self._buffer = self._buffer, b""
            return body
        body, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(body)
        self.done = not self._left
        return body

    def closed(self) -> bool:
        """Return whether the response is complete, now that the connection is closed."""
        return self.done or bool(self.status and not self._chunked and self._left is None)

    def _read_head(self) -> bool:
        """Read status and headers, if they have arrived."""
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                if len(head) > _LONGEST_HEAD:
                    raise ValueError("the headers are too long")
                return False
            first, *lines = head.split(b"\r\n")
            protocol, _, status = first.partition(b" ")
            if not protocol.startswith(b"HTTP/1."):
                raise ValueError(f"not an HTTP/1.1 response: {first[:80]!r}")
            self._buffer, self.status = rest, int(status[:3])
            # 1xx responses precede the final one.
            if self.status >= _FINAL_STATUS:
                break
            self.status = 0
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            self._chunked, self._left = True, 0
        elif b"content-length" in headers or self.status in _WITHOUT_BODY:
            self._left = int(headers.get(b"content-length", b"0"))
            self.done = not self._left
        return True

    def _read_chunks(self) -> bytes:
        body = []
        while not self.done:
            if self._left:
                part, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
                self._left -= len(part)
                body.append(part)
                if self._left:
                    break
                self._at_chunk_end = True
            line, end, rest = self._buffer.partition(b"\r\n")
            if not end:
                if len(line) > _LONGEST_LINE:
                    raise ValueError("the chunk has no size")
                break
            self._buffer = rest
            if self._at_chunk_end:
                self._at_chunk_end = False
            elif self._in_trailer:
                self.done = not line
            else:
                self._left = int(line.partition(b";")[0], 16)
                self._in_trailer = not self._left
        return b"".join(body)
