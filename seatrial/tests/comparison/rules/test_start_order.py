"""A program that was restarted because another one did not answer yet is explained."""

from __future__ import annotations

from comparison.recorded_sides import compared, container, fact, facts, run

RESTARTED = container(restarts=2, last_exit="Error 1")


def test_restart_after_a_refused_connection_is_explained():
    right = run(facts=facts(RESTARTED), logs={"web-1/c-previous": "connect db:5432: Connection refused"})
    explanation = compared(right=right).differences[0].explanation

    assert explanation.rule == "start-order"
    assert explanation.evidence[0] == "log of web: connect db:5432: Connection refused"


def test_restart_without_evidence_is_not():
    right = run(facts=facts(RESTARTED), logs={"web-1/c-previous": "bad option"})

    assert {each.explanation for each in compared(right=right).differences} == {None}


def test_steps_that_one_side_waits_for_are_explained():
    waiting = facts(container(waits_for=("init container wait-for-db",)))

    assert fact(waiting, facts(), "start-order").explanation.rule == "start-order"
