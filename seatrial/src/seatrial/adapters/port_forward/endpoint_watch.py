"""Keep the ready endpoints of the Services of one namespace up to date with a watch."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from seatrial.adapters.port_forward.endpoints import SERVICE_LABEL, Target, choose, targets, unavailable_reason
from seatrial.model.errors import SeatrialError
from seatrial.ports import Change, Kube, Object

__all__ = ["EndpointWatch"]

_KIND: Final = "discovery.k8s.io/v1/EndpointSlice"
_SYNC_SECONDS: Final = 10.0
_PAUSE: Final = 1.0


class EndpointWatch:
    """The ready pods of each Service, updated by a thread until `close`.

    Args:
        kube: API of the cluster.
        namespace: of the Services.
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
        """Return the pod for a new connection; None if no pod is ready."""
        with self._changed:
            self._changed.wait_for(lambda: self._synced or self._closed, _SYNC_SECONDS)
            return choose(targets(self._slices_of(service), port_name), self._created, avoid)

    def wait(self, seconds: float) -> None:
        """Wait for a change of the endpoints, at most some seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def unavailable_reason(self, service: str) -> str:
        """Return why no pod of a Service accepts connections."""
        with self._changed:
            return unavailable_reason(service, self._namespace, self._slices_of(service))

    def close(self) -> None:
        """Stop watching."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._watch.close()
        self._thread.join(_PAUSE)

    def _slices_of(self, service: str) -> list[Object]:
        return [
            each
            for each in self._slices.values()
            if (each["metadata"].get("labels") or {}).get(SERVICE_LABEL) == service
        ]

    def _follow(self) -> None:
        while not self._closed:
            # The API does not answer, for example because the cluster was deleted: connections report that.
            with suppress(SeatrialError):
                for change in self._watch:
                    self._read_ages(change)
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

    def _read_ages(self, change: Change) -> None:
        """Read the creation timestamps of pods, if their Service has several."""
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
