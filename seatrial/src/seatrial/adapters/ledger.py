"""The ledger: a directory a session on this machine, with what the session made, its kubeconfig and its logs.

What is written here is on disk before the thing it names is made, so that whatever dies when, the next command knows.
A file lock says whether a session's owner lives: the kernel releases it with the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from seatrial.model.names import SessionId
from seatrial.model.session import SESSION_SCHEMA, Session

__all__ = ["Ledger", "state_directory"]

_SESSIONS = "sessions"
_RECORD = "session.json"
_LOCK = "lock"


def state_directory(environ: dict[str, str]) -> Path:
    """Return where state of this user goes: https://specifications.freedesktop.org/basedir-spec/latest/."""
    base = environ.get("XDG_STATE_HOME") or ""
    # The specification says to ignore a relative one; nodes mount folders of it by absolute path.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "seatrial"


class Ledger:
    """All sessions of this user on this machine.

    Args:
        root: the state directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sessions = root / _SESSIONS
        self._held: dict[SessionId, IO[bytes]] = {}

    def make_private(self) -> None:
        """Have the state directory, for this user alone: kubeconfigs and rendered charts are in it."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.root.stat().st_mode & 0o077:
            self.root.chmod(0o700)

    def directory(self, session: SessionId) -> Path:
        """Return the directory of a session."""
        return self._sessions / session

    def sessions(self) -> list[Session]:
        """Return all sessions there are, oldest first. Records of another version's schema are left alone."""
        found = (self.session(SessionId(record.parent.name)) for record in self._sessions.glob(f"*/{_RECORD}"))
        return sorted(filter(None, found), key=lambda session: (session.created, session.session))

    def session(self, session: SessionId) -> Session | None:
        """Return a session as it is now, None if it is off the books."""
        try:
            found = msgspec.json.decode((self.directory(session) / _RECORD).read_bytes(), type=Session)
        except (OSError, msgspec.DecodeError):
            return None
        return found if found.schema == SESSION_SCHEMA else None

    def has(self, session: SessionId) -> bool:
        """Say whether there is a record of a session, whatever version of seatrial wrote it."""
        return (self.directory(session) / _RECORD).exists()

    def write(self, session: Session) -> None:
        """Write a session down; it is on disk when this returns."""
        self.make_private()
        directory = self.directory(session.session)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = directory / f"{_RECORD}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(session)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(directory / _RECORD)
        _sync_directory(directory)
        _sync_directory(self._sessions)

    def forget(self, session: SessionId) -> None:
        """Remove a session from the books, with its directory."""
        # The record goes first: a half-removed directory without one is rubbish, not a session.
        (self.directory(session) / _RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.directory(session), ignore_errors=True)
        self.release(session)

    def tidy(self) -> None:
        """Delete directories without a record: a command died while it forgot them. Kubeconfig files may be in them.

        Call it alone: a new session has its directory a moment before its record.
        """
        for directory in self._sessions.glob("*"):
            session = SessionId(directory.name)
            if not (directory / _RECORD).exists() and self.claim(session):
                self.forget(session)

    def claim(self, session: SessionId) -> bool:
        """Become the owner of a session until `release` or our end; False: somebody else is."""
        if session in self._held:
            return True
        directory = self.directory(session)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (directory / _LOCK).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._held[session] = file
        return True

    def release(self, session: SessionId) -> None:
        """Stop being the owner."""
        if file := self._held.pop(session, None):
            file.close()

    def close(self) -> None:
        """Stop being the owner of anything, as the end of the process does."""
        for session in tuple(self._held):
            self.release(session)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that chooses names and reaps, waiting for others to finish that."""
        self.make_private()
        with (self.root / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
