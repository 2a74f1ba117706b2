"""Suspicions become fatal when their grace is over."""

from __future__ import annotations

from seatrial.model.finding import Finding, ObjectRef
from seatrial.readiness.patience import Patience
from seatrial.readiness.verdict import Suspicion


def suspicion(cause="Crash", grace=10.0, name="web"):
    return Suspicion(finding=Finding(cause=cause, subject=ObjectRef(kind="Pod", name=name), message="it"), grace=grace)


def test_nothing_is_nothing():
    assert Patience().look([], 0.0) == ((), None)


def test_what_never_heals_is_fatal_at_once():
    fatal, due = Patience().look([suspicion(grace=0.0)], 5.0)

    assert [finding.fatal for finding in fatal] == [True]
    assert due is None


def test_grace_counts_from_the_first_sight():
    patience = Patience()

    assert patience.look([suspicion()], 0.0) == ((), 10.0)
    assert patience.look([suspicion()], 9.0) == ((), 10.0)
    assert len(patience.look([suspicion()], 10.0)[0]) == 1


def test_what_healed_starts_anew():
    patience = Patience()
    patience.look([suspicion()], 0.0)
    patience.look([], 5.0)

    assert patience.look([suspicion()], 9.0) == ((), 19.0)


def test_grace_that_shrinks_counts_from_the_same_moment():
    patience = Patience()
    patience.look([suspicion(grace=40.0)], 0.0)

    assert len(patience.look([suspicion(grace=0.0)], 1.0)[0]) == 1


def test_the_next_one_is_told():
    patience = Patience()

    assert patience.look([suspicion(grace=30.0), suspicion("Mount", 20.0)], 1.0)[1] == 21.0
