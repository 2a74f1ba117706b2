"""Record resources in the ledger before they are created."""

from __future__ import annotations

import threading
from collections.abc import Callable

from seatrial.model.environment_record import Created, EnvironmentRecord

__all__ = ["Resources"]


class Resources:
    """The resources of one environment. Stages that run in parallel may add to them.

    Args:
        record: the environment.
        write: writes a record to disk before it returns.
    """

    def __init__(self, record: EnvironmentRecord, write: Callable[[EnvironmentRecord], None]) -> None:
        self._record = record
        self._write = write
        self._lock = threading.Lock()

    @property
    def record(self) -> EnvironmentRecord:
        """The present record of the environment."""
        return self._record

    def add(self, resource: Created) -> None:
        """Record a resource. Call this before it is created, and again once its identity is known."""
        with self._lock:
            if resource in self._record.resources:
                return
            self._record = self._record.with_resource(resource)
            self._write(self._record)
