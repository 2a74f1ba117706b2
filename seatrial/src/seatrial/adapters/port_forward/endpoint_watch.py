"""What is behind the Services of one namespace right now, kept up to date by a watch."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from seatrial.adapters.port_forward.endpoints import SERVICE_LABEL, Target, choose, silence, targets
from seatrial.model.errors import SeatrialError
from seatrial.ports import Change, Kube, Object

__all__ = ["Pods"]

_KIND: Final = "discovery.k8s.io/v1/EndpointSlice"
_FIRST_SECONDS: Final = 10.0
_PAUSE: Final = 1.0


class Pods:
    """Ready pods by Service. Watches from its making on, in a thread of its own.

    Args:
        kube: the cluster.
        namespace: the namespace.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._slices: dict[str, Object] = {}
        self._created: dict[str, str] = {}
        self._changed = threading.Condition()
        self._synced = False
        self._closed = False
        self._watch = kube.watch(_KIND, namespace)
        self._thread = threading.Thread(target=self._follow, name="seatrial-endpoints", daemon=True)
        self._thread.start()

    def choose(self, service: str, port_name: str, avoid: frozenset[str]) -> Target | None:
        """Return the pod for a new connection, None if none is ready."""
        with self._changed:
            self._changed.wait_for(lambda: self._synced or self._closed, _FIRST_SECONDS)
            return choose(targets(self._of(service), port_name), self._created, avoid)

    def wait(self, seconds: float) -> None:
        """Wait until something changes, or for so long."""
        with self._changed:
            self._changed.wait(seconds)

    def silence(self, service: str) -> str:
        """Return why there is no pod to connect to."""
        with self._changed:
            return silence(service, self._namespace, self._of(service))

    def close(self) -> None:
        """Stop watching."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._watch.close()
        self._thread.join(_PAUSE)

    def _of(self, service: str) -> list[Object]:
        return [
            each
            for each in self._slices.values()
            if (each["metadata"].get("labels") or {}).get(SERVICE_LABEL) == service
        ]

    def _follow(self) -> None:
        while not self._closed:
            # Nobody answers, mostly because the cluster is gone: connections then say so themselves.
            with suppress(SeatrialError):
                for change in self._watch:
                    self._ages(change)
                    with self._changed:
                        self._take(change)
                        self._changed.notify_all()
            if not self._closed:
                time.sleep(_PAUSE)

    def _take(self, change: Change) -> None:
        if change.type == "synced":
            self._slices.clear()
            self._synced = True
        for each in change.objects:
            if change.type == "deleted":
                self._slices.pop(each["metadata"]["name"], None)
            else:
                self._slices[each["metadata"]["name"]] = each

    def _ages(self, change: Change) -> None:
        """Learn when pods were created that are not the only ones of their Service."""
        for each in change.objects:
            pods = {
                reference["uid"]: reference["name"]
                for endpoint in each.get("endpoints") or ()
                if (reference := endpoint.get("targetRef") or {}).get("kind") == "Pod"
            }
            for uid, name in pods.items() if len(pods) > 1 else ():
                if uid not in self._created:
                    pod = self._kube.get("v1/Pod", name, self._namespace)
                    if pod is not None and pod["metadata"]["uid"] == uid:
                        self._created[uid] = pod["metadata"]["creationTimestamp"]
