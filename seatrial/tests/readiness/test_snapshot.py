"""Snapshots follow watches."""

from __future__ import annotations

from seatrial.ports import Change
from seatrial.readiness.snapshot import Snapshot

from .objects import event, pod, snapshot


def names(found: Snapshot) -> list[str]:
    return sorted(each["metadata"]["name"] for each in found.all("v1/Pod"))


def test_snapshot_follows_added_changed_and_deleted_objects():
    found = Snapshot()
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="a"), pod(name="b"))))
    found.take("v1/Pod", "shop", Change(type="added", objects=(pod(name="c"),)))
    found.take("v1/Pod", "shop", Change(type="deleted", objects=(pod(name="a"),)))
    found.take("v1/Pod", "shop", Change(type="deleted", objects=(pod(name="unknown"),)))

    assert names(found) == ["b", "c"]
    assert found.get("v1/Pod", "shop", "a") is None


def test_list_replaces_objects_of_its_namespace_only():
    found = Snapshot()
    other = pod(name="z")
    other["metadata"]["namespace"] = "other"
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="a"),)))
    found.take("v1/Pod", "other", Change(type="synced", objects=(other,)))
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="b"),)))

    assert names(found) == ["b", "z"]


def test_warnings_about_an_object_exclude_an_earlier_one_of_its_name():
    it, namesake = pod(name="a"), pod(name="a")
    namesake["metadata"]["uid"] = "another"
    first, last = event(it, "First", at="2026-01-01T00:00:00Z"), event(it, "Last", at="2026-01-02T00:00:00Z")
    normal = event(it, "Normal")
    normal["type"] = "Normal"
    found = snapshot(it, last, first, normal, event(namesake, "Other"))

    assert [each["reason"] for each in found.warnings_about(it)] == ["First", "Last"]
