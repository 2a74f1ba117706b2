"""A cluster that somebody else made: used as it is, never made, never removed."""

from __future__ import annotations

import os
from pathlib import Path

from seatrial.adapters.guarded_api import Guard, OursOnly
from seatrial.adapters.kubeconfig import contexts, load_access
from seatrial.model.deadline import Deadline
from seatrial.model.errors import UsageError
from seatrial.ports import ClusterState, Processes, Progress

__all__ = ["ExistingCluster"]


class ExistingCluster:
    """The cluster of a context that the configuration allows by name.

    Args:
        context: that context.
        kubeconfig: file that has it; None: as kubectl finds it.
        guard: what we may do there.
    """

    def __init__(
        self,
        context: str,
        *,
        kubeconfig: Path | None,
        processes: Processes,
        guard: Guard | None = None,
    ) -> None:
        self.name = context
        self.context = context
        self.kubeconfig = kubeconfig or _first_with(context)
        self._processes = processes
        self._guard = guard or Guard()

    def exists(self) -> bool:
        """Say whether the context is there."""
        return self.context in contexts(self.kubeconfig)

    def identity(self) -> str:
        """Return nothing: it is not ours."""
        return ""

    def create(self, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        """Refuse.

        Raises:
            UsageError: always.
        """
        del deadline, log, progress
        raise UsageError(f"{self.kubeconfig} has no context {self.context!r}", hint="kubectl config get-contexts")

    def delete(self, *, deadline: Deadline) -> None:
        """Do nothing."""
        del deadline

    def state(self) -> ClusterState:
        """Return what we can know: its machines are none of our business."""
        return "running"

    def revive(self, *, deadline: Deadline) -> None:
        """Do nothing: it lives without us."""
        del deadline

    def connect(self) -> OursOnly:
        """Return its API, which touches nothing that is not ours."""
        access = load_access(self.kubeconfig, self.context, self._processes)
        return OursOnly(access, self._guard)


def _first_with(context: str) -> Path:
    """Return the kubeconfig file that has a context, searched as kubectl does: KUBECONFIG is a list of files."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    candidates = listed or [Path.home() / ".kube" / "config"]
    return next((path for path in candidates if context in contexts(path)), candidates[0])
