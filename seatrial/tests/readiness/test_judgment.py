from __future__ import annotations

from seatrial.model.finding import Finding, ObjectRef
from seatrial.readiness.judgment import READY, Suspicion, waiting

POD = ObjectRef(kind="Pod", name="web", namespace="shop")


def suspicion(message: str, *, cause: str = "Crash", subject: ObjectRef = POD, grace: float = 1.0) -> Suspicion:
    return Suspicion(finding=Finding(cause=cause, subject=subject, message=message), grace=grace)


def test_key_identifies_a_suspicion_over_several_snapshots() -> None:
    """Message and grace change, for example with the number of restarts."""
    first = suspicion("restarted once", grace=40.0)

    assert first.key == suspicion("restarted twice", grace=0.0).key
    assert first.key != suspicion("restarted once", cause="OOMKilled").key
    assert first.key != suspicion("restarted once", subject=ObjectRef(kind="Pod", name="db", namespace="shop")).key


def test_waiting_object_has_reason_and_suspicions() -> None:
    judged = waiting("its image", suspicion("a"), suspicion("b"))

    assert (judged.state, judged.reason, len(judged.suspicions)) == ("waiting", "its image", 2)
    assert (READY.state, READY.reason, READY.suspicions) == ("ready", "", ())
