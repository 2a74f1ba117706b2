"""Suspicions become fatal when their grace is over."""

from __future__ import annotations

import math

from seatrial.model.finding import Finding, ObjectRef
from seatrial.readiness.grace import GracePeriods
from seatrial.readiness.judgment import Suspicion


def suspicion(cause="Crash", grace=10.0, name="web"):
    return Suspicion(finding=Finding(cause=cause, subject=ObjectRef(kind="Pod", name=name), message="it"), grace=grace)


def test_no_suspicion_is_never_fatal():
    assert GracePeriods().update([], 0.0) == ((), None)


def test_suspicion_without_grace_is_fatal_at_once():
    fatal, due = GracePeriods().update([suspicion(grace=0.0)], 5.0)

    assert [finding.fatal for finding in fatal] == [True]
    assert due is None


def test_grace_period_begins_with_the_first_update():
    grace = GracePeriods()

    assert grace.update([suspicion()], 0.0) == ((), 10.0)
    assert grace.update([suspicion()], 9.0) == ((), 10.0)
    assert len(grace.update([suspicion()], 10.0)[0]) == 1


def test_grace_period_begins_again_after_a_suspicion_disappeared():
    grace = GracePeriods()
    grace.update([suspicion()], 0.0)
    grace.update([], 5.0)

    assert grace.update([suspicion()], 9.0) == ((), 19.0)


def test_shorter_grace_counts_from_the_first_update():
    grace = GracePeriods()
    grace.update([suspicion(grace=40.0)], 0.0)

    assert len(grace.update([suspicion(grace=0.0)], 1.0)[0]) == 1


def test_update_returns_when_the_next_suspicion_becomes_fatal():
    grace = GracePeriods()

    assert grace.update([suspicion(grace=30.0), suspicion("Mount", 20.0)], 1.0)[1] == 21.0


def test_suspicion_that_counts_at_the_timeout_alone_never_becomes_fatal():
    assert GracePeriods().update([suspicion(grace=math.inf)], 1.0) == ((), None)


def test_next_update_is_due_at_the_first_grace_period_that_is_not_over():
    grace = GracePeriods()
    both = [suspicion(grace=10.0), suspicion(grace=20.0, name="db")]
    grace.update(both, 0.0)

    fatal, due = grace.update(both, 15.0)

    assert [finding.subject.name for finding in fatal] == ["web"]
    assert due == 20.0
