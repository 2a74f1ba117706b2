r"""`tail`: everything a run has to say, from any offset to its end, over one pipe that may break at any byte.

What it prints is a sequence of chunks, `#KIND OFFSET LENGTH\n` and then LENGTH bytes:

F  frames            bytes of the file `frames` from OFFSET
O  output            bytes of the file `output` from OFFSET: what the run's processes printed past pytest
T  tick              what came before is complete: `output` had its size before `frames` had, so no frame of the next
                     tick was written before a byte of output of this one; its content: both sizes, in JSON
B  begun             begin.json
X  exit              exit.json; all frames and output have been sent
L  lost              the supervisor is dead: there will be no exit.json, and what comes home is gathered here
H  home              bytes of home.tar from OFFSET
D  done              all has been sent; its content: why nothing comes home, empty if it did
.  nothing new       every half second, so that a dead connection can be told from a quiet test

It ends when its input does: nobody is left who listens. Output alone would not tell: when its client dies, an exec goes
on to write into a pipe that nobody reads, for hours.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time

from .state_files import Lock, read_json, run_path, state
from .wire import CHANNELS, COLLECTED_FILE, EXIT_FILE, ChunkKind

__all__ = ["tail"]

_ACTIVE, _IDLE = 0.01, 0.04
_QUIET = 0.5
_CHECK = 0.2
_CHUNK = 1 << 18


def tail(run: str, offsets: dict[str, str]) -> int:
    """Print the chunks of a run; wait for it if it is not there yet."""
    return _Tail(run, {kind: int(offsets.get(kind, 0)) for kind in CHANNELS}).to_the_end()


class _Tail:
    def __init__(self, run: str, offsets: dict[str, int]) -> None:
        self.run = run
        self.offsets = offsets
        self.spoke = self.owned = 0.0
        self.begun = False

    def to_the_end(self) -> int:
        alive = Lock(state("alive"))
        checked = time.monotonic()
        while True:
            if not self.begun and (begin := _whole(run_path(self.run, "begin.json"))):
                self.begun = True
                self.chunk(ChunkKind.BEGUN, 0, begin)
            ended = read_json(run_path(self.run, EXIT_FILE))
            moved = self.send_news(ended["sizes"] if ended else None)
            now = time.monotonic()
            if ended:
                self.chunk(ChunkKind.EXITED, 0, json.dumps(ended).encode())
                return self.bring_home(alive)
            if now - checked > _CHECK:
                checked = now
                # The order matters: the last thing a dying supervisor may have done is to write exit.json.
                if not alive.held() and read_json(run_path(self.run, EXIT_FILE)) is None:
                    self.send_news(None)
                    self.chunk(ChunkKind.LOST, 0, b"")
                    return self.bring_home(alive)
            self.pulse(now)
            if self.alone(_ACTIVE if moved or not self.begun else _IDLE):
                return 1

    def send_news(self, sizes: dict[str, int] | None) -> bool:
        """Send what the two files got since the last time; `sizes`: up to there, and that is all there will be."""
        output = self.size(ChunkKind.OUTPUT) if sizes is None else sizes.get("output", 0)
        frames = self.size(ChunkKind.FRAMES) if sizes is None else sizes.get("frames", 0)
        moved = self.send(ChunkKind.OUTPUT, output)
        moved = self.send(ChunkKind.FRAMES, frames) or moved
        if moved:
            told = {"frames": self.offsets[ChunkKind.FRAMES], "output": self.offsets[ChunkKind.OUTPUT]}
            self.chunk(ChunkKind.TICK, 0, json.dumps(told).encode())
        return moved

    def bring_home(self, alive: Lock) -> int:
        """Send the archive once it is whole. If the supervisor dies before, make it here of what is on the volumes."""
        packer = _Packer(self.run)
        while not os.path.exists(run_path(self.run, COLLECTED_FILE)):
            self.pulse(time.monotonic())
            if packer.failed:
                self.chunk(ChunkKind.DONE, 0, packer.failed.encode())
                return 0
            if not packer.is_alive() and not alive.held() and not os.path.exists(run_path(self.run, COLLECTED_FILE)):
                packer.start()
            if self.alone(_ACTIVE):
                return 1
        self.send(ChunkKind.COLLECTED, self.size(ChunkKind.COLLECTED))
        self.chunk(ChunkKind.DONE, 0, b"")
        return 0

    def alone(self, seconds: float) -> bool:
        """Wait so long, or until nobody listens any more; return which."""
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
        if now - self.spoke > _QUIET:
            self.chunk(ChunkKind.HEARTBEAT, 0, b"")
        if now - self.owned > _QUIET:
            self.owned = now
            # Whoever watches a run owns it, however much it has to say: see `submit`.
            with contextlib.suppress(OSError):
                os.utime(run_path(self.run, "request.json"))

    def chunk(self, kind: str, offset: int, data: bytes) -> None:
        self.spoke = time.monotonic()
        view = memoryview(b"#%s %d %d\n%s" % (kind.encode(), offset, len(data), data))
        while view:
            view = view[os.write(1, view) :]


class _Packer(threading.Thread):
    """Packs what comes home of a run whose supervisor died, while this process says that it is alive.

    Attributes:
        failed: why it could not.
    """

    def __init__(self, run: str) -> None:
        super().__init__(daemon=True)
        self.id = run
        self.failed = ""

    def run(self) -> None:
        from . import collected_files

        try:
            # The tail of a connection that broke may be packing still.
            Lock(run_path(self.id, "packing")).take(wait=True)
            if not os.path.exists(run_path(self.id, COLLECTED_FILE)):
                collected_files.pack(
                    read_json(run_path(self.id, "request.json")), run_path(self.id), killed=True, keeper=True
                )
        except Exception as error:  # noqa: BLE001  # whatever it is, the results count without these files
            self.failed = f"{type(error).__name__}: {error}"


def _whole(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
