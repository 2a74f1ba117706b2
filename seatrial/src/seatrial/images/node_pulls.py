"""Pull images on cluster nodes: before pods need them, and again after an image of the same name was pushed."""

from __future__ import annotations

import re
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError
from seatrial.model.names import canonical
from seatrial.ports import Nodes

__all__ = ["EarlyPulls", "only_worker", "renew_image"]

_PARALLEL: Final = 3
_PAUSE: Final = 0.2
_CONTAINERD: Final = "until ctr version >/dev/null 2>&1; do sleep 0.2; done"
_PULL: Final = ("ctr", "--namespace", "k8s.io", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d")


class EarlyPulls:
    """Pulls on the only node that will run pods, while the cluster is still being created.

    Kubelets would pull the same images later, when a pod waits for them. No stage waits for an early pull, and one that
    fails is repeated by the kubelet, which reports the reason.

    Attributes:
        pulls: image reference to its pull: whether it succeeded.

    Args:
        nodes: the nodes; None: seatrial has no access to them.
        join: connects the registry with the nodes' network; returns False while there is no network. None: no early
            pulls.
        deadline: of the stage.
        canceled: once set, no further pull starts.
    """

    def __init__(
        self, nodes: Nodes | None, join: Callable[[], bool] | None, *, deadline: Deadline, canceled: threading.Event
    ) -> None:
        self.pulls: dict[str, Future[bool]] = {}
        self._nodes = nodes
        self._deadline = deadline
        self._canceled = canceled
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._node = ""
        self._turns = threading.Semaphore(_PARALLEL)
        if nodes is not None and join is not None:
            threading.Thread(target=self._prepare, args=(nodes, join), daemon=True).start()
        else:
            self._ready.set()

    def close(self) -> None:
        """Start no further pull. Pulls that run end by themselves or with the deadline."""
        self._closed.set()

    def start(self, reference: str, name: str) -> None:
        """Pull an image as soon as the node can.

        Args:
            reference: the image.
            name: the name that the node stores it under.
        """
        self.pulls[reference] = Future()
        threading.Thread(target=self._pull, args=(name, self.pulls[reference]), daemon=True).start()

    def _prepare(self, nodes: Nodes, join: Callable[[], bool]) -> None:
        try:
            while not self._is_over() and not self._deadline.passed:
                if join() and (names := nodes.names()):
                    node = only_worker(names)
                    # The engine also lists node containers that are still being created: no command runs in these, and
                    # more may follow.
                    if not node or (self._has_containerd(nodes, node) and only_worker(nodes.names()) == node):
                        self._node = node
                        return
                time.sleep(_PAUSE)
        except SeatrialError:
            return
        finally:
            self._ready.set()

    def _is_over(self) -> bool:
        return self._canceled.is_set() or self._closed.is_set()

    def _has_containerd(self, nodes: Nodes, node: str) -> bool:
        return nodes.run(node, ["bash", "-c", _CONTAINERD], deadline=self._deadline, check=False).code == 0

    def _pull(self, name: str, outcome: Future[bool]) -> None:
        pulled = False
        try:
            self._ready.wait(self._deadline.left)
            with self._turns:
                if self._node and self._nodes and not self._is_over():
                    argv = [*_PULL, name]
                    with suppress(SeatrialError):
                        pulled = self._nodes.run(self._node, argv, deadline=self._deadline, check=False).code == 0
        finally:
            outcome.set_result(pulled)


def only_worker(names: Sequence[str]) -> str:
    """Return the node that will run all pods, empty if there are several."""
    workers = [name for name in names if not re.search(r"-(control-plane|external-load-balancer)\d*$", name)]
    candidates = workers or list(names)
    return candidates[0] if len(candidates) == 1 else ""


def renew_image(nodes: Nodes, reference: str, deadline: Deadline) -> None:
    """Pull an image again on nodes that have one of that name: kubelets do not pull a tag that exists."""
    name = shlex.quote(canonical(reference))
    script = f'[ -z "$(ctr -n k8s.io images ls -q name=={name})" ] || {shlex.join(_PULL)} {name}'
    for node in nodes.names():
        nodes.run(node, ["bash", "-c", script], deadline=deadline)
