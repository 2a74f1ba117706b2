"""Keep the ledger: a directory for each environment of this user, with its record, its kubeconfig and its logs.

A record is on disk before the resource that it names is created. So the next command knows it, whenever a command died.
A file lock says whether a command works in an environment: the kernel releases it with the process.
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

from seatrial.model.environment_record import RECORD_SCHEMA, EnvironmentRecord
from seatrial.model.names import EnvironmentId

__all__ = ["Ledger", "state_directory"]

# The names that older versions used: their environments have to be found.
_ENVIRONMENTS = "sessions"
_RECORD = "session.json"
_LOCK = "lock"


def state_directory(environ: dict[str, str]) -> Path:
    """Return where state of this user goes: https://specifications.freedesktop.org/basedir-spec/latest/."""
    base = environ.get("XDG_STATE_HOME") or ""
    # The specification says to ignore a relative one; nodes mount folders of it by absolute path.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "seatrial"


class Ledger:
    """The environments of this user on this machine.

    Args:
        root: the state directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._environments = root / _ENVIRONMENTS
        self._held: dict[EnvironmentId, IO[bytes]] = {}

    def make_private(self) -> None:
        """Create the state directory, readable by this user only: it has kubeconfigs and rendered charts."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.root.stat().st_mode & 0o077:
            self.root.chmod(0o700)

    def directory(self, environment: EnvironmentId) -> Path:
        """Return the directory of an environment."""
        return self._environments / environment

    def records(self) -> list[EnvironmentRecord]:
        """Return the records of all environments, oldest first. Records with another schema version are left alone."""
        found = (self.record(EnvironmentId(file.parent.name)) for file in self._environments.glob(f"*/{_RECORD}"))
        return sorted(filter(None, found), key=lambda record: (record.created, record.id))

    def record(self, environment: EnvironmentId) -> EnvironmentRecord | None:
        """Return the record of an environment as it is now, None if the ledger has no such record."""
        try:
            found = msgspec.json.decode((self.directory(environment) / _RECORD).read_bytes(), type=EnvironmentRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return found if found.schema == RECORD_SCHEMA else None

    def has(self, environment: EnvironmentId) -> bool:
        """Say whether there is a record of an environment, whatever version of seatrial wrote it."""
        return (self.directory(environment) / _RECORD).exists()

    def write(self, record: EnvironmentRecord) -> None:
        """Write a record; it is on disk when this returns."""
        self.make_private()
        directory = self.directory(record.id)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = directory / f"{_RECORD}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(directory / _RECORD)
        _sync_directory(directory)
        _sync_directory(self._environments)

    def forget(self, environment: EnvironmentId) -> None:
        """Delete the record of an environment, with its directory."""
        # The record first: a directory without one is deleted by the next command.
        (self.directory(environment) / _RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.directory(environment), ignore_errors=True)
        self.release(environment)

    def tidy(self) -> None:
        """Delete directories without a record: a command died while it forgot them. Kubeconfig files may be in them.

        Call it alone: a new environment has its directory a moment before its record.
        """
        for directory in self._environments.glob("*"):
            environment = EnvironmentId(directory.name)
            if not (directory / _RECORD).exists() and self.claim(environment):
                self.forget(environment)

    def claim(self, environment: EnvironmentId) -> bool:
        """Lock an environment until `release` or the end of this process; False: another process has locked it."""
        if environment in self._held:
            return True
        directory = self.directory(environment)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (directory / _LOCK).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._held[environment] = file
        return True

    def release(self, environment: EnvironmentId) -> None:
        """Unlock an environment."""
        if file := self._held.pop(environment, None):
            file.close()

    def close(self) -> None:
        """Unlock all environments, as the end of the process does."""
        for environment in tuple(self._held):
            self.release(environment)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that chooses names and removes environments; wait for others to finish that."""
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
