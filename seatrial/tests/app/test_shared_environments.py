"""Environments in a shared cluster: cleanup of lent namespaces, expiry, environments of closed pull requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace as changed
from seatrial.app import shared_environments
from seatrial.app.shared_environments import SharedEnvironment, expired, superfluous
from seatrial.app.wiring import Machine
from seatrial.model.errors import AccessDenied
from seatrial.ports import Object
from seatrial.removal.removers import access_of
from shared_cluster import ISOLATION_KINDS, OWNER, PROJECT, cluster_wide, namespace, put_isolation, shared_world


@pytest.fixture
def world(tmp_path):
    return shared_world(tmp_path)


class TestCleanOnAnotherMachine:
    """Objects of a machine whose ledger no longer exists."""

    @pytest.fixture
    def clean(self, world, monkeypatch):
        monkeypatch.setattr(shared_environments, "_kube", lambda *_: world.kube)
        record = changed(world.record, identity="shop")
        monkeypatch.setattr(shared_environments, "_access", lambda *_: access_of(world.env(), record))
        this = cast("Machine", SimpleNamespace(clock=world.clock))
        project = changed(world.project, id="shop")
        return lambda: shared_environments.remove_from_foreign_namespaces(this, project, lambda _: None)

    def lend(self, world, hours, **marks):
        """Create the objects that a run left in a namespace, some hours ago."""
        at = world.clock.now() - timedelta(hours=hours)
        labels = {OWNER: "seatrial", PROJECT: "shop"}
        lease: Object = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": ""}}
        lease["spec"]["renewTime"] = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
        world.kube.put({**lease, "metadata": {"name": "seatrial", "namespace": "team-a", "labels": labels}})
        world.kube.put(namespace("team-a", **marks))
        put_isolation(world, "team-a", "shop")
        record = {"owner": "helm", "name": "web", OWNER: "seatrial"}
        for release, project in (("web", "shop"), ("theirs", "other")):
            meta = {"name": f"sh.helm.{release}", "namespace": "team-a"}
            labels = {**record, "name": release, PROJECT: project}
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "labels": labels}})

    def test_lent_namespace_is_emptied_a_day_after_its_last_run(self, world, clean):
        self.lend(world, 25, use="allowed")
        put_isolation(world, "team-b", "other")
        others = {key for key in cluster_wide(world) if "team-b" in key[1]}

        assert clean() == ["team-a"]
        assert cluster_wide(world) == others | {("v1/Namespace", "team-a")}
        assert world.charts.log == ["recover web None"]
        assert ("v1/Secret", "team-a", "sh.helm.theirs") in world.kube.store
        assert clean() == []

    @pytest.mark.parametrize(("hours", "marks"), [(23, {"use": "allowed"}), (25, {})])
    def test_recently_used_or_unlent_namespace_is_unchanged(self, world, clean, hours, marks):
        self.lend(world, hours, **marks)
        before = dict(world.kube.store)

        assert clean() == []
        assert world.kube.store == before

    def test_rights_of_a_deleted_runner_namespace_are_deleted(self, world, clean):
        put_isolation(world, "deleted", "shop")
        put_isolation(world, "present", "shop")
        world.kube.put(namespace("present"))

        assert clean() == ["deleted"]
        assert not [name for _, name in cluster_wide(world) if "deleted" in name]
        assert len(cluster_wide(world)) == len(ISOLATION_KINDS) + 1

    def test_user_with_access_to_one_namespace_cleans_nothing(self, world, clean):
        def objects(kind, namespace="", *, labels=""):
            raise AccessDenied("no")

        world.kube.objects = objects
        assert clean() == []


@pytest.mark.parametrize("label", ["soon", "-1", "9" * 40, "²", ""])
def test_invalid_expiry_label_counts_as_expired(world, label):
    there = namespace("pr-7", owner="seatrial", project="shop", environment="pr-7")
    there["metadata"]["labels"]["seatrial.dev/expires"] = label
    world.kube.put(there)

    (found,) = shared_environments._list(world.kube, datetime(2026, 1, 1, tzinfo=UTC), "shop")
    assert found.expires == datetime(1970, 1, 1, tzinfo=UTC)


def test_superfluous_has_only_environments_of_other_pull_requests():
    names = ["pr-41", "pr42", "PR-43", "pr-4", "staging", "pr-42-data", "my-pr-44"]
    assert superfluous(names, {41, 42}) == {"PR-43", "pr-4"}


def test_expired_includes_the_moment_of_expiry():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        SharedEnvironment(name=name, namespaces=(name,), project="p", expires=now + timedelta(seconds=seconds))
        for name, seconds in (("old", 0), ("new", 1))
    ]
    assert expired(found, now) == {"old"}
