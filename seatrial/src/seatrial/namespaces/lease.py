"""Allow one run at a time in a namespace, on any machine, by a Lease that the run renews.

https://kubernetes.io/docs/concepts/architecture/leases/. Fields and timing follow client-go's leader election.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.ports import Clock, Kube, Object

__all__ = ["KIND", "NAME", "Lease", "holder_of", "is_held", "seconds_since_renewal"]

NAME: Final = "seatrial"
KIND: Final = "coordination.k8s.io/v1/Lease"
_DURATION: Final = 30
_RENEWAL: Final = 5.0
_GRACE: Final = 7.0
"""Seconds for which an expired Lease is watched before it is taken: clocks differ, and a running holder renews it."""

_PAUSE: Final = 0.5


def holder_of(lease: Object | None) -> str:
    """Return the holder of a Lease; empty if it has none."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def seconds_since_renewal(lease: Object, now: datetime) -> float:
    """Return the seconds between the last renewal of a Lease and `now`; infinite if it was never renewed."""
    renewed = (lease.get("spec") or {}).get("renewTime")
    return (now.astimezone(UTC) - datetime.fromisoformat(renewed)).total_seconds() if renewed else float("inf")


def is_held(lease: Object | None, now: datetime) -> bool:
    """Return whether a Lease has a holder that renewed it in time."""
    if lease is None or not holder_of(lease):
        return False
    return seconds_since_renewal(lease, now) <= int((lease.get("spec") or {}).get("leaseDurationSeconds") or _DURATION)


class Lease:
    """The Lease of one namespace.

    Args:
        kube: the cluster's API.
        namespace: the namespace that one run uses at a time.
        holder: user, machine and run, for other users to read; unique to this run.
        labels: labels of the Lease.
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

    def take(self, deadline: Deadline) -> None:
        """Become the holder. This takes up to 7 s if the former holder did not renew the Lease in time.

        Raises:
            UsageError: another run holds the Lease.
        """
        while True:
            there = self._kube.get(KIND, NAME, self._namespace)
            if there is None:
                if self._kube.create(self._object({}, transitions=0)):
                    return
                continue
            if holder_of(there) not in ("", self._holder):
                self._check_expired(there, deadline)
            transitions = int((there.get("spec") or {}).get("leaseTransitions") or 0) + 1
            if self._kube.replace(self._object(there["metadata"], transitions=transitions)):
                return

    def keep(self, lost: Callable[[str], None]) -> None:
        """Renew the Lease in a thread until `release`.

        Args:
            lost: called once with the reason if the Lease is lost.
        """
        self._thread = threading.Thread(target=self._renew, args=(lost,), daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the Lease up. If the API server does not answer, the Lease expires by itself."""
        self._stop.set()
        if self._thread:
            self._thread.join(_RENEWAL)
        try:
            there = self._kube.get(KIND, NAME, self._namespace)
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

    def _check_expired(self, seen: Object, deadline: Deadline) -> None:
        if is_held(seen, self._clock.now()):
            raise self._taken(seen)
        grace = deadline.child(_GRACE)
        while not grace.passed:
            time.sleep(_PAUSE)
            now = self._kube.get(KIND, NAME, self._namespace)
            if now is not None and now["spec"].get("renewTime") != seen["spec"].get("renewTime"):
                raise self._taken(now)

    def _taken(self, lease: Object) -> UsageError:
        seconds = max(0.0, seconds_since_renewal(lease, self._clock.now()))
        return UsageError(
            f"another run uses namespace {self._namespace}",
            reason=f"{holder_of(lease)} renewed its Lease {seconds:.0f} s ago",
            hint=f"wait for it or choose another --namespace; the Lease of a killed run expires after {_DURATION} s",
        )

    def _renew(self, lost: Callable[[str], None]) -> None:
        renewed = time.monotonic()
        while not self._stop.wait(_RENEWAL):
            try:
                there = self._kube.get(KIND, NAME, self._namespace)
                if there is None or holder_of(there) != self._holder:
                    lost(f"the Lease of namespace {self._namespace} was taken by {holder_of(there) or 'no new holder'}")
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
