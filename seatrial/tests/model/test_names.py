from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.names import canonical, dns_label, new_run_id


@pytest.mark.parametrize("name", ["a", "pr-42", "9", "x" * 63])
def test_a_dns_label_is_returned_as_it_is(name):
    assert dns_label(name, what="namespace") == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a_b", "x" * 64, "a\n"])
def test_what_is_none_is_refused_with_what_it_names(name):
    with pytest.raises(UsageError, match="namespace") as raised:
        dns_label(name, what="namespace")
    assert "at most 63 characters" in raised.value.why


def test_run_ids_sort_by_time_and_are_dns_labels():
    at = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)
    first, second = new_run_id(at), new_run_id(at.replace(second=2))

    assert first.startswith("20260131-154501-")
    assert first < second
    assert dns_label(first, what="run") == first


def test_docker_hub_has_two_names():
    assert canonical("index.docker.io/postgres") == canonical("postgres") == "docker.io/library/postgres:latest"
