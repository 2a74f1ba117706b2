"""A refused write to a read-only file system is explained."""

from __future__ import annotations

from comparison.recorded_sides import container, explained, fact, facts


def test_refused_write_is_explained():
    explanation = explained("OSError: [Errno 30] Read-only file system: '/app/cache'")

    assert explanation.rule == "read-only-root"


def test_other_error_of_a_file_is_not():
    assert explained("OSError: [Errno 28] No space left on device: '/app/cache'") is None


def test_setting_is_explained():
    assert fact(facts(), facts(container(read_only_root=True)), "read-only-root").explanation.rule == "read-only-root"
