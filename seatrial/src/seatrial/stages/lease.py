"""One run at a time in a namespace, wherever it is started: a Lease that its holder renews while it lives.

https://kubernetes.io/docs/concepts/architecture/leases/; fields and habits as in client-go's leader election.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from seatrial.model.errors import SeatrialError, UsageError
from seatrial.ports import Clock, Kube, Object

__all__ = ["NAME", "Lease", "age", "holder_of", "lives"]

NAME: Final = "seatrial"
_KIND: Final = "coordination.k8s.io/v1/Lease"
_DURATION: Final = 30
_RENEWAL: Final = 5.0
_DOUBT: Final = 7.0
"""Seconds for which a Lease that looks expired is watched: clocks differ, a living holder renews it within these."""

_LOOK: Final = 0.5


def holder_of(lease: Object | None) -> str:
    """Return who holds a Lease, empty if nobody does."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def age(lease: Object, now: datetime) -> float:
    """Return how many seconds ago a Lease was renewed, by our clock."""
    renewed = (lease.get("spec") or {}).get("renewTime")
    return (now.astimezone(UTC) - datetime.fromisoformat(renewed)).total_seconds() if renewed else float("inf")


def lives(lease: Object | None, now: datetime) -> bool:
    """Whether somebody holds a Lease and has renewed it in time."""
    if lease is None or not holder_of(lease):
        return False
    return age(lease, now) <= int((lease.get("spec") or {}).get("leaseDurationSeconds") or _DURATION)


class Lease:
    """The Lease of one namespace.

    Args:
        kube: the cluster's API.
        namespace: that is to be ours alone.
        holder: who we are, for others to read; unique to this run.
        labels: that say whose it is.
        clock: the time.
    """

    def __init__(self, kube: Kube, namespace: str, *, holder: str, labels: Mapping[str, str], clock: Clock) -> None:
        self._kube = kube
        self._namespace = namespace
        self._holder = holder
        self._labels = dict(labels)
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Become the holder.

        Raises:
            UsageError: somebody else is, and lives.
        """
        while True:
            there = self._kube.get(_KIND, NAME, self._namespace)
            if there is None:
                if self._kube.create(self._object({}, transitions=0)):
                    return
                continue
            if holder_of(there) not in ("", self._holder):
                self._make_sure_it_is_dead(there)
            transitions = int((there.get("spec") or {}).get("leaseTransitions") or 0) + 1
            if self._kube.replace(self._object(there["metadata"], transitions=transitions)):
                return

    def keep(self, lost: Callable[[str], None]) -> None:
        """Renew it from a thread until `release`.

        Args:
            lost: is called once, with the reason, when we are not the holder any more.
        """
        self._thread = threading.Thread(target=self._renew, args=(lost,), daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Stop being the holder; what cannot be reached any more expires by itself."""
        self._stop.set()
        if self._thread:
            self._thread.join(_RENEWAL)
        try:
            there = self._kube.get(_KIND, NAME, self._namespace)
            if there is not None and holder_of(there) == self._holder:
                there["spec"]["holderIdentity"] = ""
                self._kube.replace(there)
        except SeatrialError:
            return

    def _object(self, meta: Mapping[str, object], *, transitions: int) -> Object:
        now = _micro_time(self._clock.now())
        version = {"resourceVersion": meta["resourceVersion"]} if meta.get("resourceVersion") else {}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": self._namespace, "labels": self._labels, **version},
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": _DURATION,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    def _make_sure_it_is_dead(self, seen: Object) -> None:
        if lives(seen, self._clock.now()):
            raise self._taken(seen)
        until = time.monotonic() + _DOUBT
        while time.monotonic() < until:
            time.sleep(_LOOK)
            now = self._kube.get(_KIND, NAME, self._namespace)
            if now is not None and now["spec"].get("renewTime") != seen["spec"].get("renewTime"):
                raise self._taken(now)

    def _taken(self, lease: Object) -> UsageError:
        seconds = max(0.0, age(lease, self._clock.now()))
        return UsageError(
            f"another run works in namespace {self._namespace}",
            reason=f"{holder_of(lease)} renewed its Lease {seconds:.0f} s ago",
            hint=f"wait for it, or another --namespace; a run that died is taken over after {_DURATION} s",
        )

    def _renew(self, lost: Callable[[str], None]) -> None:
        renewed = time.monotonic()
        while not self._stop.wait(_RENEWAL):
            try:
                there = self._kube.get(_KIND, NAME, self._namespace)
                if there is None or holder_of(there) != self._holder:
                    lost(f"{holder_of(there) or 'nobody'} holds the Lease of namespace {self._namespace} now")
                    return
                there["spec"]["renewTime"] = _micro_time(self._clock.now())
                if self._kube.replace(there):
                    renewed = time.monotonic()
            except SeatrialError as error:
                if time.monotonic() - renewed > _DURATION:
                    lost(f"the Lease of namespace {self._namespace} could not be renewed: {error.message}")
                    return


def _micro_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
