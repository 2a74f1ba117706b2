"""Installed releases compared with what was recorded of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.configuration_users import ConfigurationChanges
from seatrial.releases.installed_releases import InstalledReleases, record_installed
from seatrial.saved_state import Installed, read
from shop_world import deployment, revision

RELEASE = ReleaseSpec(name="shop", chart="c", namespace="shop")
WEB = ("Deployment", "shop", "web")


def secret(number=1, status="deployed", **labels):
    found = revision(number, status)
    found["metadata"]["namespace"] = "shop"
    found["metadata"]["labels"].update(labels)
    return found


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def installed(world, warnings):
    """The releases of an environment with one release that became ready."""
    world.kube.put(secret(**{"seatrial.dev/owner": "seatrial"}))
    world.kube.put(deployment())
    targets = [WEB, ("Job", "shop", "migrate")]
    record_installed(world.kube, RELEASE, [deployment()], targets, digest="d", directory=world.env().directory)
    return InstalledReleases(
        kube=world.kube,
        charts=world.charts,
        directory=world.env().directory,
        owner_selector="seatrial.dev/owner=seatrial",
        changes=ConfigurationChanges(world.kube, world.project, is_new=False),
        warn=warnings.append,
    )


def test_unchanged_release_returns_its_workloads_without_jobs(installed):
    assert installed.find_unchanged(RELEASE, "d") == [WEB]


@pytest.mark.parametrize("change", ["digest", "revision", "status", "object", "record"])
def test_changed_release_needs_an_upgrade(world, installed, change):
    if change == "revision":
        world.kube.put(secret(2))
    elif change == "status":
        world.kube.put(secret(status="failed"))
    elif change == "object":
        world.kube.put(deployment(image="other:1"))
    elif change == "record":
        installed.record_start(RELEASE)

    assert installed.find_unchanged(RELEASE, "other" if change == "digest" else "d") is None


def test_start_of_an_upgrade_keeps_the_recorded_workloads(world, installed):
    installed.record_start(RELEASE)

    recorded = read(world.env().directory / "release-shop.json", Installed)
    assert (recorded.digest, recorded.targets) == ("", [WEB])


@pytest.mark.parametrize(("configured", "log"), [((RELEASE,), []), ((), ["recover shop None"])])
def test_release_that_is_no_longer_configured_is_uninstalled_once(world, installed, warnings, configured, log):
    assert installed.uninstall_dropped(configured, world.ctx().deadline) == ({} if configured else {"shop": True})
    assert world.charts.log == log
    assert len(warnings) == len(log)
    assert installed.uninstall_dropped(configured, world.ctx().deadline) == {}


def test_dropped_release_that_another_owner_replaced_is_forgotten(world, installed):
    world.kube.put(secret(**{"seatrial.dev/owner": "other"}))

    assert installed.uninstall_dropped((), world.ctx().deadline) == {"shop": False}
    assert world.charts.log == []


def test_release_in_another_namespace_is_uninstalled_in_the_old_one(world, installed):
    moved = replace(RELEASE, namespace="elsewhere")

    assert installed.uninstall_dropped((moved,), world.ctx().deadline) == {"shop": True}
