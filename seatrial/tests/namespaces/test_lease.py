"""The Lease that allows one run at a time in a namespace."""

from __future__ import annotations

import threading
from copy import deepcopy
from datetime import timedelta

import pytest
from seatrial.doubles import FakeClock
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.namespaces import lease as module
from seatrial.namespaces.lease import Lease, holder_of, is_held


class Cluster:
    """An API server with one Lease and optimistic locking."""

    def __init__(self):
        self.there = None
        self.version = 0
        self.before_write = lambda: None
        self.broken = False

    def get(self, kind, name, namespace=""):
        if self.broken:
            raise EnvironmentFailed("the cluster's API does not answer")
        return deepcopy(self.there)

    def create(self, obj):
        self.before_write()
        if self.there is not None:
            return False
        self._write(obj)
        return True

    def replace(self, obj):
        self.before_write()
        if self.there is None or self.there["metadata"]["resourceVersion"] != obj["metadata"].get("resourceVersion"):
            return False
        self._write(obj)
        return True

    def _write(self, obj):
        self.version += 1
        self.there = deepcopy(obj)
        self.there["metadata"]["resourceVersion"] = str(self.version)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "_GRACE", 0.1)
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    monkeypatch.setattr(module, "_RENEWAL", 0.02)


@pytest.fixture
def cluster():
    return Cluster()


CLOCK = FakeClock()


def lease(cluster, holder, *, later=0):
    clock = FakeClock(CLOCK.now() + timedelta(seconds=later))
    return Lease(cluster, "pr-42", holder=holder, labels={"a": "b"}, clock=clock)


def test_take_of_a_held_lease_names_its_holder(cluster):
    lease(cluster, "ann@laptop").take(Deadline.after(30))
    with pytest.raises(UsageError, match="another run uses namespace pr-42") as raised:
        lease(cluster, "ci@runner", later=12).take(Deadline.after(30))

    assert raised.value.reason == "ann@laptop renewed its Lease 12 s ago"
    assert cluster.there["spec"]["leaseDurationSeconds"] == 30
    assert cluster.there["metadata"]["labels"] == {"a": "b"}


def test_released_lease_can_be_taken_at_once(cluster):
    first = lease(cluster, "ann")
    first.take(Deadline.after(30))
    first.release()
    assert holder_of(cluster.there) == ""

    lease(cluster, "ci").take(Deadline.after(30))
    assert holder_of(cluster.there) == "ci"
    assert cluster.there["spec"]["leaseTransitions"] == 1


def test_expired_lease_is_taken_over(cluster):
    lease(cluster, "dead").take(Deadline.after(30))
    lease(cluster, "ci", later=31).take(Deadline.after(30))

    assert holder_of(cluster.there) == "ci"


def test_lease_that_is_renewed_by_a_slow_clock_is_not_taken_over(cluster, monkeypatch):
    monkeypatch.setattr(module, "_GRACE", 5.0)
    slow = lease(cluster, "slow clock")
    slow.take(Deadline.after(30))

    def renew():
        cluster.there["spec"]["renewTime"] = "2026-01-31T15:45:02.000000Z"

    renewing = threading.Timer(0.1, renew)
    renewing.start()
    with pytest.raises(UsageError, match="another run"):
        lease(cluster, "ci", later=3600).take(Deadline.after(30))
    renewing.join()


def test_one_of_two_simultaneous_holders_gets_the_lease(cluster):
    other = lease(cluster, "quicker")

    def just_before():
        cluster.before_write = lambda: None
        other.take(Deadline.after(30))

    cluster.before_write = just_before
    with pytest.raises(UsageError, match="another run"):
        lease(cluster, "slower").take(Deadline.after(30))
    assert holder_of(cluster.there) == "quicker"


def test_lease_is_renewed_until_it_is_released(cluster):
    it = lease(cluster, "ann")
    it.take(Deadline.after(30))
    version, enough = cluster.version, threading.Event()
    cluster.before_write = lambda: enough.set() if cluster.version > version + 1 else None
    it.keep(pytest.fail)
    assert enough.wait(5)
    it.release()

    assert holder_of(cluster.there) == ""
    assert not it._thread.is_alive()


def lost(it):
    """Return the reasons with which the loss of a Lease is reported."""
    told, reasons = threading.Event(), []

    def note(reason):
        reasons.append(reason)
        told.set()

    it.keep(note)
    assert told.wait(5)
    return reasons


def test_lease_taken_by_another_holder_is_reported_as_lost(cluster):
    it = lease(cluster, "ann")
    it.take(Deadline.after(30))
    cluster.there["spec"]["holderIdentity"] = "ci"

    assert lost(it) == ["the Lease of namespace pr-42 was taken by ci"]
    it.release()
    assert holder_of(cluster.there) == "ci", "a lost Lease is not released"


def test_lease_that_cannot_be_renewed_is_reported_as_lost_when_it_expires(cluster, monkeypatch):
    it = lease(cluster, "ann")
    it.take(Deadline.after(30))
    monkeypatch.setattr(module, "_DURATION", 0.1)
    cluster.broken = True

    assert lost(it) == ["the Lease of namespace pr-42 could not be renewed: the cluster's API does not answer"]
    it.release()


def test_lease_without_holder_or_renewal_is_not_held():
    assert not is_held(None, CLOCK.now())
    assert not is_held({"spec": {"holderIdentity": "", "renewTime": "2026-01-31T15:45:01Z"}}, CLOCK.now())
    assert not is_held({"spec": {"holderIdentity": "x"}}, CLOCK.now())
    assert is_held({"spec": {"holderIdentity": "x", "renewTime": "2026-01-31T15:45:01Z"}}, CLOCK.now())
