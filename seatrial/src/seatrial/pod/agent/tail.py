r"""Implement `tail`: print frames and output of a run from any offset to its end. The host may reconnect at any byte.

The output is a sequence of chunks, `#KIND OFFSET LENGTH\n` followed by LENGTH bytes:

F  frames            bytes of the file `frames` from OFFSET
O  output            bytes of the file `output` from OFFSET: output of processes that pytest did not capture
T  tick              sizes of both files in JSON. `output` is measured before `frames`, so no frame after this tick was
                     written before the output in it
B  begun             begin.json
X  exited            exit.json; all frames and output have been sent
L  lost              the supervisor has died: no frames or output follow, and files are collected by this process
D  done              all chunks have been sent; content: why no files were collected, empty if they were
.  heartbeat         every half second, so that the host can distinguish a lost connection from a quiet test

It exits when its stdin is closed, because the host has disconnected. Failed writes would not show that: after a client
dies, the exec continues to accept output for hours.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time

from .state_files import Lock, read_json, run_path, state
from .wire import BEGIN_FILE, CHANNELS, COLLECTED_FILE, EXIT_FILE, REQUEST_FILE, ChunkKind

__all__ = ["tail"]

_ACTIVE, _IDLE = 0.01, 0.04
_QUIET = 0.5
_CHECK = 0.2
_CHUNK = 1 << 18


def tail(run: str, offsets: dict[str, str]) -> int:
    """Print the chunks of a run; wait for its start. Return 1 if the host disconnects."""
    return _Tail(run, {kind: int(offsets.get(kind, 0)) for kind in CHANNELS}).follow()


class _Tail:
    def __init__(self, run: str, offsets: dict[str, int]) -> None:
        self.run = run
        self.offsets = offsets
        self.written_at = self.touched_at = 0.0
        self.begun = False

    def follow(self) -> int:
        alive = Lock(state("alive"))
        checked = time.monotonic()
        while True:
            if not self.begun and (begin := _whole(run_path(self.run, BEGIN_FILE))):
                self.begun = True
                self.chunk(ChunkKind.BEGUN, 0, begin)
            ended = read_json(run_path(self.run, EXIT_FILE))
            moved = self.send_new(ended["sizes"] if ended else None)
            now = time.monotonic()
            if ended:
                self.chunk(ChunkKind.EXITED, 0, json.dumps(ended).encode())
                return self.send_collected(alive)
            if now - checked > _CHECK:
                checked = now
                # Check the lock first: a supervisor that dies may write exit.json as its last action.
                if not alive.held() and read_json(run_path(self.run, EXIT_FILE)) is None:
                    self.send_new(None)
                    self.chunk(ChunkKind.LOST, 0, b"")
                    return self.send_collected(alive)
            self.pulse(now)
            if self.is_disconnected(_ACTIVE if moved or not self.begun else _IDLE):
                return 1

    def send_new(self, sizes: dict[str, int] | None) -> bool:
        """Send new data of both files, up to the final `sizes` if they are known; return whether there was any."""
        output = self.size(ChunkKind.OUTPUT) if sizes is None else sizes.get("output", 0)
        frames = self.size(ChunkKind.FRAMES) if sizes is None else sizes.get("frames", 0)
        moved = self.send(ChunkKind.OUTPUT, output)
        moved = self.send(ChunkKind.FRAMES, frames) or moved
        if moved:
            told = {"frames": self.offsets[ChunkKind.FRAMES], "output": self.offsets[ChunkKind.OUTPUT]}
            self.chunk(ChunkKind.TICK, 0, json.dumps(told).encode())
        return moved

    def send_collected(self, alive: Lock) -> int:
        """Send the archive once it is complete. If the supervisor dies before, pack the files on volumes here."""
        packer = _Packer(self.run)
        while not os.path.exists(run_path(self.run, COLLECTED_FILE)):
            self.pulse(time.monotonic())
            if packer.failed:
                self.chunk(ChunkKind.DONE, 0, packer.failed.encode())
                return 0
            if not packer.is_alive() and not alive.held() and not os.path.exists(run_path(self.run, COLLECTED_FILE)):
                packer.start()
            if self.is_disconnected(_ACTIVE):
                return 1
        self.send(ChunkKind.COLLECTED, self.size(ChunkKind.COLLECTED))
        self.chunk(ChunkKind.DONE, 0, b"")
        return 0

    def is_disconnected(self, seconds: float) -> bool:
        """Wait some seconds; return True as soon as the host disconnects."""
        return bool(select.select([0], [], [], seconds)[0]) and not os.read(0, 1)

    def size(self, kind: str) -> int:
        try:
            return os.stat(run_path(self.run, CHANNELS[kind])).st_size
        except FileNotFoundError:
            return 0

    def send(self, kind: str, upto: int) -> bool:
        offset = self.offsets[kind]
        if offset >= upto:
            return False
        with open(run_path(self.run, CHANNELS[kind]), "rb", buffering=0) as file:
            file.seek(offset)
            while offset < upto:
                data = file.read(min(_CHUNK, upto - offset))
                if not data:
                    break
                self.chunk(kind, offset, data)
                offset += len(data)
        self.offsets[kind] = offset
        return True

    def pulse(self, now: float) -> None:
        if now - self.written_at > _QUIET:
            self.chunk(ChunkKind.HEARTBEAT, 0, b"")
        if now - self.touched_at > _QUIET:
            self.touched_at = now
            # The modification time shows that a host follows the run: see `submit`.
            with contextlib.suppress(OSError):
                os.utime(run_path(self.run, REQUEST_FILE))

    def chunk(self, kind: str, offset: int, data: bytes) -> None:
        self.written_at = time.monotonic()
        view = memoryview(b"#%s %d %d\n%s" % (kind.encode(), offset, len(data), data))
        while view:
            view = view[os.write(1, view) :]


class _Packer(threading.Thread):
    """Pack the collected files of a run whose supervisor died, while the main thread sends heartbeats.

    Attributes:
        failed: why packing failed; empty if it did not.
    """

    def __init__(self, run: str) -> None:
        super().__init__(daemon=True)
        self.id = run
        self.failed = ""

    def run(self) -> None:
        from . import collected_files

        try:
            # The tail of a lost connection may still be packing.
            Lock(run_path(self.id, "packing")).take(wait=True)
            if not os.path.exists(run_path(self.id, COLLECTED_FILE)):
                collected_files.pack(
                    read_json(run_path(self.id, REQUEST_FILE)), run_path(self.id), killed=True, keeper=True
                )
        except Exception as error:  # noqa: BLE001  # the results are valid without these files
            self.failed = f"{type(error).__name__}: {error}"


def _whole(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
