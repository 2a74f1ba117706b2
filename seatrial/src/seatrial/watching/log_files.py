"""Write the logs of a run's containers to files: redacted, in whole lines, up to a size limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial.model.redaction import SECRETS

__all__ = ["LIMITS", "Limits", "LogFile", "LogFiles"]

_MIB: Final = 1 << 20
_LONGEST_LINE: Final = 1 << 20
"""A longer line is written in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the logs is kept, in bytes.

    Attributes:
        container: of one run of a container.
        run: of all containers of a run of the tests.
    """

    container: int
    run: int


LIMITS: Final = Limits(container=32 * _MIB, run=256 * _MIB)


@dataclass(slots=True)
class LogFile:
    """The log of one run of a container.

    Attributes:
        path: path relative to the run directory.
        size: bytes written so far; 0: the file does not exist.
        cut: the limit that was reached; None: none.
        known: number of secrets that were known when the file was created.
        last: time at the begin of the last complete line, as the API wrote it.
    """

    path: Path
    size: int = 0
    cut: int | None = None
    known: int = 0
    last: bytes = b""
    _held: bytearray = field(default_factory=bytearray)

    @property
    def is_dirty(self) -> bool:
        """Whether lines wait to be written."""
        return bool(self._held)

    def add(self, data: bytes) -> None:
        """Take a part of the log. `LogFiles.write` writes it."""
        if self.cut is None:
            self._held += data

    def drop(self) -> None:
        """Forget an incomplete last line: the connection was lost within it."""
        self._held.clear()

    def take(self, *, whole: bool) -> bytes:
        """Return the lines to write; an incomplete last line is held back unless `whole` or it is very long."""
        end = len(self._held) if whole else self._held.rfind(b"\n") + 1
        if not end and len(self._held) > _LONGEST_LINE:
            end = len(self._held)
        lines = bytes(self._held[:end])
        del self._held[:end]
        if lines.endswith(b"\n"):
            self.last = lines[lines.rfind(b"\n", 0, -1) + 1 :].partition(b" ")[0]
        return lines


class LogFiles:
    """The log files of one run directory.

    Args:
        run_dir: the run directory; logs are written below `logs/pods`.
        limits: how much is kept.
    """

    def __init__(self, run_dir: Path, limits: Limits = LIMITS) -> None:
        self._run_dir = run_dir
        self._limits = limits
        self._left = limits.run
        self._directories: dict[tuple[str, str], list[str]] = {}

    def path(self, namespace: str, pod: str, uid: str, container: str, restarts: int) -> Path:
        """Return the path of a log, relative to the run directory.

        It is `logs/pods/NAMESPACE/POD/CONTAINER.RESTARTS.log`. Pods that have one name after another, such as those of
        a StatefulSet, have directories `POD`, `POD.2`, `POD.3`.
        """
        uids = self._directories.setdefault((namespace, pod), [])
        if uid not in uids:
            uids.append(uid)
        number = uids.index(uid) + 1
        directory = pod if number == 1 else f"{pod}.{number}"
        return Path("logs", "pods", namespace, directory, f"{container}.{restarts}.log")

    def write(self, file: LogFile, *, whole: bool = False) -> bool:
        """Append the lines of a log to its file; return whether this created the file.

        Args:
            file: the log.
            whole: also write an incomplete last line.

        Raises:
            OSError: the file cannot be written.
        """
        lines = file.take(whole=whole)
        if not lines:
            return False
        is_new = not file.size
        text = SECRETS.data(lines)
        limit = min(self._limits.container - file.size, self._left)
        if len(text) > limit:
            file.cut = self._limits.container if limit < self._left else self._limits.run
            of = "container" if limit < self._left else "run"
            text = text[: text.rfind(b"\n", 0, limit) + 1]
            text += f"[seatrial cut the log here: the limit of a {of} is {file.cut >> 20} MiB]\n".encode()
        path = self._run_dir / file.path
        if is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
            file.known = SECRETS.known
        # No file stays open: there may be more containers than a process may have open files.
        with path.open("wb" if is_new else "ab") as out:
            out.write(text)
        file.size += len(text)
        self._left = max(0, self._left - len(text))
        return is_new

    def redact_again(self, file: LogFile) -> None:
        """Hide secrets that became known after the file was created.

        Raises:
            OSError: the file cannot be read or written.
        """
        if not file.size or file.known == SECRETS.known:
            return
        path = self._run_dir / file.path
        before = path.read_bytes()
        after = SECRETS.data(before)
        if after != before:
            path.write_bytes(after)
            file.size = len(after)
        file.known = SECRETS.known
