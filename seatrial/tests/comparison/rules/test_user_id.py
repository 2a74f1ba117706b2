"""A lack of rights is explained only where the user differs."""

from __future__ import annotations

from comparison.recorded_sides import container, explained, fact, facts, runner

DENIED = "PermissionError: [Errno 13] Permission denied: '/data/x'"


def test_lack_of_rights_of_another_user_is_explained():
    explanation = explained(DENIED, right_facts=facts(container(user="1000")))

    assert explanation.rule == "user-id"
    assert explanation.evidence[1] == "web: user of the image in before, 1000 in after"


def test_lack_of_rights_of_the_same_user_is_not():
    assert explained(DENIED) is None


def test_lack_of_rights_in_a_database_is_not():
    text = "psycopg.errors.InsufficientPrivilege: permission denied for table orders"

    assert explained(text, right_facts=facts(runner=runner(user=5))) is None


def test_user_is_explained():
    assert fact(facts(), facts(runner=runner(user=5)), "user").explanation.rule == "user-id"
