"""One run at a time in a namespace: who holds the Lease, who may take it, and what is lost with it."""

from __future__ import annotations

import threading
from copy import deepcopy
from datetime import timedelta

import pytest
from seatrial.doubles import FakeClock
from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.stages import lease as module
from seatrial.stages.lease import Lease, holder_of, lives


class Cluster:
    """One Lease, with the API's care for versions."""

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
    monkeypatch.setattr(module, "_DOUBT", 0.1)
    monkeypatch.setattr(module, "_LOOK", 0.01)
    monkeypatch.setattr(module, "_RENEWAL", 0.02)


@pytest.fixture
def cluster():
    return Cluster()


CLOCK = FakeClock()


def lease(cluster, holder, *, later=0):
    clock = FakeClock(CLOCK.now() + timedelta(seconds=later))
    return Lease(cluster, "pr-42", holder=holder, labels={"a": "b"}, clock=clock)


def test_the_first_one_has_it_and_the_second_is_told_who(cluster):
    lease(cluster, "ann@laptop").take()
    with pytest.raises(UsageError, match="another run works in namespace pr-42") as raised:
        lease(cluster, "ci@runner", later=12).take()

    assert raised.value.reason == "ann@laptop renewed its Lease 12 s ago"
    assert cluster.there["spec"]["leaseDurationSeconds"] == 30
    assert cluster.there["metadata"]["labels"] == {"a": "b"}


def test_what_is_released_can_be_taken_at_once(cluster):
    first = lease(cluster, "ann")
    first.take()
    first.release()
    assert holder_of(cluster.there) == ""

    lease(cluster, "ci").take()
    assert holder_of(cluster.there) == "ci"
    assert cluster.there["spec"]["leaseTransitions"] == 1


def test_that_of_a_dead_one_is_taken_over(cluster):
    lease(cluster, "dead").take()
    lease(cluster, "ci", later=31).take()

    assert holder_of(cluster.there) == "ci"


def test_a_living_one_whose_clock_is_wrong_is_no_dead_one(cluster, monkeypatch):
    monkeypatch.setattr(module, "_DOUBT", 5.0)
    slow = lease(cluster, "slow clock")
    slow.take()

    def renew():
        cluster.there["spec"]["renewTime"] = "2026-01-31T15:45:02.000000Z"

    renewing = threading.Timer(0.1, renew)
    renewing.start()
    with pytest.raises(UsageError, match="another run"):
        lease(cluster, "ci", later=3600).take()
    renewing.join()


def test_of_two_that_come_at_once_one_has_it(cluster):
    other = lease(cluster, "quicker")

    def just_before():
        cluster.before_write = lambda: None
        other.take()

    cluster.before_write = just_before
    with pytest.raises(UsageError, match="another run"):
        lease(cluster, "slower").take()
    assert holder_of(cluster.there) == "quicker"


def test_it_is_renewed_until_it_is_released(cluster):
    it = lease(cluster, "ann")
    it.take()
    version, enough = cluster.version, threading.Event()
    cluster.before_write = lambda: enough.set() if cluster.version > version + 1 else None
    it.keep(pytest.fail)
    assert enough.wait(5)
    it.release()

    assert holder_of(cluster.there) == ""
    assert not it._thread.is_alive()


def lost(it):
    """Wait for the reason why it is lost."""
    told, reasons = threading.Event(), []

    def note(reason):
        reasons.append(reason)
        told.set()

    it.keep(note)
    assert told.wait(5)
    return reasons


def test_it_is_lost_to_another_one(cluster):
    it = lease(cluster, "ann")
    it.take()
    cluster.there["spec"]["holderIdentity"] = "ci"

    assert lost(it) == ["ci holds the Lease of namespace pr-42 now"]
    it.release()
    assert holder_of(cluster.there) == "ci", "it is not ours to give away"


def test_it_is_lost_when_it_cannot_be_renewed_for_as_long_as_it_counts(cluster, monkeypatch):
    it = lease(cluster, "ann")
    it.take()
    monkeypatch.setattr(module, "_DURATION", 0.1)
    cluster.broken = True

    assert lost(it) == ["the Lease of namespace pr-42 could not be renewed: the cluster's API does not answer"]
    it.release()


def test_nobody_lives_without_a_name_or_a_time():
    assert not lives(None, CLOCK.now())
    assert not lives({"spec": {"holderIdentity": "", "renewTime": "2026-01-31T15:45:01Z"}}, CLOCK.now())
    assert not lives({"spec": {"holderIdentity": "x"}}, CLOCK.now())
    assert lives({"spec": {"holderIdentity": "x", "renewTime": "2026-01-31T15:45:01Z"}}, CLOCK.now())
