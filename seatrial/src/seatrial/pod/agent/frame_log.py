r"""Write the frame log of a run.

The log consists of frames, `SEQ LENGTH CRC JSON\n`: decimal number from 0, decimal length of the JSON, a CRC-32 in
eight hexadecimal digits, and a list of records in ASCII. A record is a list whose first element is its kind. The CRC
covers the JSON of this frame and of all frames before it, so each frame proves that none is missing. Data that was
written with `write(2)` survives the end of all processes in the pod.

Tests may replace functions of the standard library. So the functions that are needed while tests run are bound when
the writer is created.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib

__all__ = ["FrameWriter"]

_HIGH_FD = 400
"""Tests that close "all" file descriptors usually stop at 256."""


class FrameWriter:
    """Append records. The records since the last flush are one frame.

    Attributes:
        frames: number of frames that were written.
        broken: why frames cannot be written any more; empty if they can.
    """

    def __init__(self, path: str) -> None:
        self.frames = 0
        self.broken = ""
        self._pending: list[str] = []
        self._size = 0
        self._crc = 0
        self._lock = threading.RLock()
        self._write, self._stat, self._checksum = os.write, os.fstat, zlib.crc32
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD)
            os.close(fd)
        except OSError:  # the limit of file descriptors is lower
            self._fd = fd
        # A forked child may return through pytest's hooks, but must not write to the log.
        os.register_at_fork(after_in_child=self._disown)
        self.add = self._pending.append
        """Add a record to the next frame, as JSON text."""

    @property
    def waiting(self) -> bool:
        """Whether records were added since the last flush."""
        return bool(self._pending)

    def flush(self) -> None:
        """Write the added records as a frame."""
        pending = self._pending
        if not pending or self.broken:
            return
        with self._lock:
            count = len(pending)
            text = ",".join(pending)
            if len(pending) != count:  # another thread added a record
                text = ",".join(pending[:count])
            text = f"[{text}]"
            crc = self._checksum(text.encode(), self._crc)
            data = f"{self.frames} {len(text)} {crc:08x} {text}\n".encode()
            size = len(data)
            try:
                written = self._write(self._fd, data)
                while written < size:
                    written += self._write(self._fd, data[written:])
            except OSError as error:
                self.broken = str(error)
                return
            except BaseException:
                # Ctrl-C may interrupt after the write. The size of the file shows whether the frame was written.
                if self._stat(self._fd).st_size >= self._size + size:
                    self._written(count, size, crc)
                raise
            self._written(count, size, crc)

    def alone(self, record: str) -> None:
        """Write a record in a separate frame, before the records that were added and not flushed."""
        with self._lock:
            waiting = self._pending[:]
            self._pending[:] = [record]
            self.flush()
            self._pending += waiting

    def _written(self, count: int, size: int, crc: int) -> None:
        del self._pending[:count]
        self.frames += 1
        self._size += size
        self._crc = crc

    def _disown(self) -> None:
        self.broken = "this process is a forked child"
