"""Another image explains failed tests of its service, and nothing else."""

from __future__ import annotations

from comparison.recorded_sides import container, explained, fact, facts

OTHER = facts(container(digest="sha256:b"), container(name="db", names=("db",)))
SAME = facts(container(), container(name="db", names=("db",)))


def test_failed_test_of_the_service_is_explained():
    explanation = explained("assert 1 == 2", services=("web",), left_facts=SAME, right_facts=OTHER)

    assert explanation.rule == "image-digest"
    assert explanation.evidence == ("before: web:1 sha256:aaaa", "after: web:1 sha256:b")


def test_failed_test_of_another_service_is_not():
    assert explained("assert 1 == 2", services=("db",), left_facts=SAME, right_facts=OTHER) is None


def test_image_is_explained():
    assert fact(SAME, OTHER, "image").explanation.rule == "image-digest"
