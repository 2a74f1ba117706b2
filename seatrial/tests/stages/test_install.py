"""The install stage: releases and the runner pod of a new or kept environment."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed
from seatrial.model.environment_record import Created
from seatrial.model.result import Outcome
from seatrial.model.spec import ReleaseSpec
from shop_world import (
    READY,
    delivered,
    deployment,
    install_world,
    installed,
    revision,
    run_runner_pod,
)


class TestInstall:
    def test_new_environment_gets_namespaces_releases_and_the_runner_pod(self, tmp_path):
        world = install_world(tmp_path)
        _, report = installed(world)

        assert report.facts["installed"] == "shop"
        kinds = [obj["kind"] for obj in world.kube.applied]
        assert kinds.index("Namespace") < kinds.index("Pod")
        assert report.result.targets["shop"] == [("Deployment", "shop", "web")], (
            "as Helm created it, not as it was rendered"
        )

    @pytest.mark.parametrize("late", [True, False])
    def test_runner_pod_is_created_after_its_prefetch(self, tmp_path, late):
        """Otherwise its kubelet pulls the image a second time while the services need the node."""
        world = install_world(tmp_path)
        command, _ = delivered(world)
        pull = Future()
        pulls = {**command.delivered.pulls, command.runner_reference: pull}
        command.delivered = replace(command.delivered, pulls=pulls)
        there = []
        real = world.charts.install

        def chart(*args, **more):
            there.append(world.kube.get("v1/Pod", "test-runner", "shop") is not None)
            if late:
                pull.set_result(True)
            return real(*args, **more)

        world.charts.install = chart
        if not late:
            pull.set_result(True)
        report = command.install()

        assert there == [not late]
        assert report.facts["pulled"].endswith("of 2 images ahead")
        assert world.kube.get("v1/Pod", "test-runner", "shop") is not None

    def ready(self, world, command):
        run_runner_pod(world)
        return command.ready()

    def test_unchanged_release_is_not_upgraded(self, tmp_path):
        world = install_world(tmp_path)
        command, _ = installed(world)
        self.ready(world, command)
        again, report = installed(world)

        assert report.outcome is Outcome.UNCHANGED
        assert [line for line in world.charts.log if line.startswith("install")] == ["install shop"]
        assert self.ready(world, again).outcome is Outcome.UNCHANGED

    def installs_after(self, tmp_path, change):
        world = install_world(tmp_path)
        command, _ = installed(world)
        self.ready(world, command)
        change(world)
        installed(world)
        return [line for line in world.charts.log if line.startswith("install")]

    def test_manually_scaled_workload_is_recreated_by_an_upgrade(self, tmp_path):
        def edit(world):
            obj = deployment(**READY)
            obj["spec"]["replicas"] = 3
            world.kube.put(obj)

        world = install_world(tmp_path)
        command, _ = installed(world)
        self.ready(world, command)
        edit(world)
        installed(world)

        assert [line for line in world.charts.log if line.startswith("install")] == ["install shop"] * 2
        assert ("apps/v1/Deployment", "shop", "web") in world.kube.deleted, "an upgrade alone would keep the replicas"

    def test_deleted_object_is_recreated_by_an_upgrade(self, tmp_path):
        assert (
            len(self.installs_after(tmp_path, lambda world: world.kube.delete("apps/v1/Deployment", "web", "shop")))
            == 2
        )

    def test_change_of_the_status_is_ignored(self, tmp_path):
        assert len(self.installs_after(tmp_path, lambda world: world.kube.put(deployment(observedGeneration=9)))) == 1

    def test_changed_chart_is_upgraded(self, tmp_path):
        def edit(world):
            (world.root / "chart" / "values.yaml").write_text("a: 1\n")

        assert len(self.installs_after(tmp_path, edit)) == 2

    def test_revision_of_another_helm_command_is_replaced(self, tmp_path):
        def upgrade(world):
            secret = revision(7, "deployed")
            secret["metadata"]["namespace"] = "shop"
            world.kube.put(secret)

        assert len(self.installs_after(tmp_path, upgrade)) == 2

    def test_releases_are_installed_in_order(self, tmp_path):
        releases = tuple(ReleaseSpec(name=name, chart="chart", namespace="shop") for name in ("db", "web"))
        world = install_world(tmp_path, release=releases)
        installed(world)

        assert [line for line in world.charts.log if line.startswith("install")] == ["install db", "install web"]

    def test_release_and_namespace_in_a_shared_cluster_are_recorded(self, tmp_path):
        world = install_world(tmp_path)
        world.record = changed(world.record, provider="existing")
        installed(world)

        assert world.created == (
            Created(kind="container", name="seatrial-registry"),
            Created(kind="namespace", name="shop", identity="aa"),
            Created(kind="release", name="shop/shop", identity="aa"),
        )
