r"""The writer of the frame log.

The log is a file of frames, `SEQ LENGTH CRC JSON\n`: decimal number from 0, decimal length of the JSON, a CRC-32 in
eight hexadecimal digits, and a list of records in ASCII. A record is a list whose first element is its kind. The CRC is
that of the JSON of this frame and all frames before it, so each frame proves that none is missing. What has been
written with `write(2)` is in the kernel's hands and survives the death of every process of the pod.

Tests replace functions of the standard library, in its modules and in all that have imported them. So what is needed
while tests run is bound to the writer when it is made.
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
    """Appends records; what was added since the last flush goes into one frame.

    Attributes:
        frames: how many frames have been written.
        broken: why nothing can be written any more; empty while all is well.
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
        except OSError:  # fewer descriptors than that are allowed
            self._fd = fd
        # A fork that comes back through pytest's hooks is not the session.
        os.register_at_fork(after_in_child=self._disown)
        self.add = self._pending.append
        """Add a record, as JSON text, to the next frame."""

    @property
    def waiting(self) -> bool:
        """Whether something was added since the last flush."""
        return bool(self._pending)

    def flush(self) -> None:
        """Write what was added."""
        pending = self._pending
        if not pending or self.broken:
            return
        with self._lock:
            count = len(pending)
            text = ",".join(pending)
            if len(pending) != count:  # another thread was quicker
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
                # Ctrl-C may come between any two instructions; the file itself knows whether we had written.
                if self._stat(self._fd).st_size >= self._size + size:
                    self._written(count, size, crc)
                raise
            self._written(count, size, crc)

    def alone(self, record: str) -> None:
        """Write a record in a frame of its own, before what has been added and not yet flushed."""
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
        self.broken = "this is a child"
