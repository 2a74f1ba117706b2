from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.names import canonical, checkout_id, dns_label, new_project_id, new_run_id


@pytest.mark.parametrize("name", ["a", "pr-42", "9", "x" * 63])
def test_dns_label_returns_a_valid_label(name):
    assert dns_label(name, what="namespace") == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a_b", "x" * 64, "a\n"])
def test_dns_label_refuses_an_invalid_name_with_its_kind(name):
    with pytest.raises(UsageError, match="namespace") as raised:
        dns_label(name, what="namespace")
    assert "at most 63 characters" in raised.value.reason


def test_run_ids_sort_by_time_and_are_dns_labels():
    at = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)
    first, second = new_run_id(at), new_run_id(at.replace(second=2))

    assert first.startswith("20260131-154501-")
    assert first < second
    assert dns_label(first, what="run") == first


@pytest.mark.parametrize("name", ["shop", "My Shop_2", "x" * 80, "Ünïcode", "---", ""])
def test_new_project_ids_are_dns_labels_and_differ(name):
    first, second = new_project_id(name), new_project_id(name)

    assert first != second
    assert dns_label(first, what="project") == first
    assert dns_label(checkout_id(Path("/src") / name), what="project")


def test_checkout_id_depends_on_the_whole_path():
    assert checkout_id(Path("/a/app")) == checkout_id(Path("/a/app"))
    assert checkout_id(Path("/a/app")) != checkout_id(Path("/b/app"))


def test_canonical_spells_out_both_names_of_docker_hub():
    assert canonical("index.docker.io/postgres") == canonical("postgres") == "docker.io/library/postgres:latest"
