"""Use an existing cluster through a kubeconfig context; it is never created or deleted."""

from __future__ import annotations

import os
from pathlib import Path

from seatrial.adapters.guarded_api import Guard, GuardedApi
from seatrial.adapters.kubeconfig import contexts, load_access
from seatrial.model.deadline import Deadline
from seatrial.model.errors import UsageError
from seatrial.ports import ClusterState, Processes, Progress

__all__ = ["ExistingCluster"]


class ExistingCluster:
    """The cluster of a kubeconfig context that the configuration names.

    Args:
        context: the context.
        kubeconfig: file with the context; None: searched for as kubectl does.
        guard: the objects that may be changed; default: none.
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
        self.kubeconfig = kubeconfig or _find_kubeconfig(context)
        self._processes = processes
        self._guard = guard or Guard()

    def exists(self) -> bool:
        """Return whether the kubeconfig file has the context."""
        return self.context in contexts(self.kubeconfig)

    def identity(self) -> str:
        """Return an empty string: the cluster is never compared with another one."""
        return ""

    def create(self, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        """Raise: the context does not exist.

        Raises:
            UsageError: always.
        """
        del deadline, log, progress
        raise UsageError(f"{self.kubeconfig} has no context {self.context!r}", hint="kubectl config get-contexts")

    def delete(self, *, deadline: Deadline) -> None:
        """Do nothing: the cluster belongs to another owner."""
        del deadline

    def state(self) -> ClusterState:
        """Return `running`: seatrial does not manage the nodes."""
        return "running"

    def revive(self, *, deadline: Deadline) -> None:
        """Do nothing: seatrial does not manage the nodes."""
        del deadline

    def connect(self) -> GuardedApi:
        """Return the API, which changes only objects that `guard` allows."""
        access = load_access(self.kubeconfig, self.context, self._processes)
        return GuardedApi(access, self._guard)


def _find_kubeconfig(context: str) -> Path:
    """Return the kubeconfig file with a context. KUBECONFIG is a list of files, as for kubectl."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    candidates = listed or [Path.home() / ".kube" / "config"]
    return next((path for path in candidates if context in contexts(path)), candidates[0])
