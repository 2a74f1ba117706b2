r"""The writer of the frame log.

The log is a file of frames, `SEQ LENGTH CRC JSON\n`: decimal number from 0, decimal length of the JSON, its CRC-32 in
eight hexadecimal digits, and a list of records in ASCII. A record is a list whose first element is its kind. What has
been written with `write(2)` is in the kernel's hands and survives the death of every process of the pod.
"""

from __future__ import annotations

import fcntl
import hashlib
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
        self._digest = hashlib.sha256()
        self._pid = os.getpid()
        self._lock = threading.RLock()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD)
            os.close(fd)
        except OSError:  # fewer descriptors than that are allowed
            self._fd = fd

    @property
    def waiting(self) -> bool:
        """Whether something was added since the last flush."""
        return bool(self._pending)

    def add(self, record: str, place: int | None = None) -> None:
        """Add a record, as JSON text, to the next frame: at its end, or at a place that was marked."""
        self._pending.insert(len(self._pending) if place is None else place, record)

    def alone(self, record: str) -> None:
        """Write a record in a frame of its own, before what has been added and not yet flushed."""
        pending, self._pending = self._pending, [record]
        self.flush()
        self._pending = pending

    def mark(self) -> int:
        """Return the place behind what has been added; good until the next flush."""
        return len(self._pending)

    def flush(self) -> None:
        """Write what was added."""
        if not self._pending or self.broken or os.getpid() != self._pid:
            # A fork that came back through pytest's hooks is not the session.
            return
        with self._lock:
            pending, self._pending = self._pending, []
            body = f"[{','.join(pending)}]".encode("ascii")
            data = b"%d %d %08x %b\n" % (self.frames, len(body), zlib.crc32(body), body)
            try:
                self._write(data)
            except OSError as error:
                self.broken = str(error)
                return
            except BaseException:
                # Ctrl-C may come between any two instructions; the file itself knows whether we had written.
                if os.fstat(self._fd).st_size >= self._size + len(data):
                    self._written(data)
                else:
                    self._pending = pending + self._pending
                raise
            self._written(data)

    def seal(self) -> tuple[int, str]:
        """Flush; return how many frames there are and the SHA-256 of all their bytes."""
        self.flush()
        return self.frames, self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _written(self, data: bytes) -> None:
        self.frames += 1
        self._size += len(data)
        self._digest.update(data)
