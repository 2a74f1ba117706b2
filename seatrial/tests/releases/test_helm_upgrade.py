"""Upgrades of one release by Helm."""

from __future__ import annotations

import threading

import pytest
from seatrial.model.errors import EnvironmentFailed, NotReady
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.configuration_users import ConfigurationChanges
from seatrial.releases.helm_upgrade import HelmUpgrade
from shop_world import deployment, revision

RELEASE = ReleaseSpec(name="shop", chart="c", namespace="shop")


def secret(number, status):
    found = revision(number, status)
    found["metadata"]["namespace"] = "shop"
    return found


@pytest.fixture
def upgrade(world):
    world.warnings = []
    return HelmUpgrade(
        kube=world.kube,
        charts=world.charts,
        owner_labels={"seatrial.dev/owner": "seatrial"},
        changes=ConfigurationChanges(world.kube, world.project, is_new=False),
        emit=world.recorded,
        warn=world.warnings.append,
        canceled=threading.Event(),
    )


def run(world, upgrade, rendered=()):
    ctx = world.ctx()
    return upgrade.run(
        RELEASE,
        list(rendered),
        {"image.tag": "1"},
        newest=None,
        deadline=ctx.deadline,
        log=ctx.log("helm"),
        while_waiting=lambda: None,
    )


@pytest.mark.parametrize(("deployed", "log"), [([1], "recover shop 1"), ([], "recover shop None")])
def test_pending_revision_is_rolled_back_to_the_newest_deployed_one(world, upgrade, deployed, log):
    for obj in (*(secret(number, "deployed") for number in deployed), secret(2, "pending-upgrade")):
        world.kube.put(obj)

    assert upgrade.prepare(RELEASE, world.ctx().deadline).revision == 2
    assert world.charts.log == [log]
    assert world.warnings == ["release shop was left pending-upgrade by a killed run; rolling back"]


def test_new_release_has_no_revision(world, upgrade):
    assert upgrade.prepare(RELEASE, world.ctx().deadline) is None
    assert world.charts.log == []


def test_upgrade_returns_the_objects_that_helm_created(world, upgrade):
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: shop}\n"

    def install(release):
        created = revision(1, "deployed", manifest)
        created["metadata"]["namespace"] = release.namespace
        world.kube.put(created)

    world.charts.installs = install

    assert [obj["metadata"]["name"] for obj in run(world, upgrade, [deployment()])] == ["made"]
    assert world.charts.given == [({"image.tag": "1"}, {"seatrial.dev/owner": "seatrial"})]


def test_failure_of_helm_is_raised(world, upgrade):
    def fails(release):
        raise EnvironmentFailed(f"helm cannot install {release.name}")

    world.charts.installs = fails

    with pytest.raises(EnvironmentFailed, match="helm cannot install shop"):
        run(world, upgrade)


def test_failed_hook_ends_the_wait_for_helm(world, upgrade):
    meta = {"name": "migrate", "namespace": "shop", "uid": "j", "annotations": {"helm.sh/hook": "post-install"}}
    status = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    hook = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {}, "status": status}
    world.kube.put(hook)
    release_helm = threading.Event()
    world.charts.installs = lambda _: release_helm.wait(5)

    with pytest.raises(NotReady) as caught:
        run(world, upgrade, [hook])
    release_helm.set()
    assert caught.value.findings[0].cause == "HookFailed"
