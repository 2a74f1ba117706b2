"""The install stage in a kept environment after changes of the configuration, the files or the cluster."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace as changed
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import Note
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.live_objects import restore_object
from seatrial.saved_state import Installed, read
from shop_world import READY, deployment, install_world, installed, revision, run_runner_pod


def config(value, name="settings", **more):
    meta = {"name": name, "namespace": "shop", **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": value}}


def pod(name, uses, owner=True, **more):
    meta = {"name": name, "namespace": "shop", "uid": name}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": True}]
    spec = {"containers": [{"name": "c", "image": "base:1", "envFrom": [{"configMapRef": {"name": uses}}]}]}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {**status, **more}}


class World:
    """A kept environment with a release of a Deployment and a ConfigMap."""

    def __init__(self, tmp_path):
        self.inner = install_world(tmp_path)
        self.kube = self.inner.kube
        self.value = "1"
        self.revision = 0
        self.inner.charts.installs = self.installs
        self.up()

    def installs(self, release):
        self.revision += 1
        self.kube.put(deployment(**READY))
        self.kube.put(config(self.value))
        text = "\n---\n".join(json.dumps(obj) for obj in (deployment(), config(self.value)))
        secret = revision(self.revision, "deployed", text)
        secret["metadata"].update(
            namespace=release.namespace, name=f"sh.helm.release.v1.{release.name}.v{self.revision}"
        )
        secret["metadata"]["labels"]["name"] = release.name
        for old in self.kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}"):
            old["metadata"]["labels"]["status"] = "superseded"
        secret["metadata"]["labels"].update(self.inner.charts.given[-1][1])
        self.kube.put(secret)

    def up(self):
        command, report = installed(self.inner, self.inner.ctx(kept=self.revision > 0))
        run_runner_pod(self.inner)
        command.ready()
        return report

    @property
    def log(self):
        return [line for line in self.inner.charts.log if line.startswith(("install", "recover"))]

    def notes(self):
        return [note.text for note in self.inner.recorded.of(Note)]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize("data", [{"a": "edited"}, {"a": "1", "extra": "added"}, {}])
def test_manual_change_of_a_config_map_is_reverted_before_the_upgrade(world, data):
    world.kube.get("v1/ConfigMap", "settings", "shop")["data"] = data
    seen = []
    real = world.inner.charts.installs

    def installs(release):
        seen.append(world.kube.get("v1/ConfigMap", "settings", "shop")["data"])
        real(release)

    world.inner.charts.installs = installs
    world.up()

    assert seen == [{"a": "1"}]
    assert world.notes() == ["configmap/settings was modified outside seatrial; reverting"]
    assert world.up().outcome == "unchanged"


def test_manual_change_is_reverted_together_with_a_change_of_the_chart(world):
    world.kube.get("v1/ConfigMap", "settings", "shop")["data"] = {"a": "1", "extra": "added"}
    (world.inner.root / "chart" / "values.yaml").write_text("a: 1\n")
    seen = []
    real = world.inner.charts.installs
    world.inner.charts.installs = lambda release: (
        seen.append(world.kube.get("v1/ConfigMap", "settings", "shop")["data"]),
        real(release),
    )
    world.up()

    assert seen == [{"a": "1"}]


@pytest.mark.parametrize("parts", ["labels", "annotations"])
def test_labels_and_annotations_of_helm_are_kept_when_a_change_is_reverted(world, parts):
    obj = world.kube.get("v1/ConfigMap", "settings", "shop")
    obj["metadata"][parts] = {"meta.helm.sh/release-name": "shop", "app.kubernetes.io/managed-by": "Helm", "mine": "1"}
    world.inner.charts.installs = lambda _: None
    world.up()

    assert world.kube.get("v1/ConfigMap", "settings", "shop")["metadata"][parts] == {
        "meta.helm.sh/release-name": "shop",
        "app.kubernetes.io/managed-by": "Helm",
    }


def test_persistent_volume_claim_is_not_replaced(world):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}}
    world.kube.put({**claim, "spec": {"volumeName": "v"}})

    assert not restore_object(world.kube, {**claim, "spec": {}}, "shop")
    assert world.kube.get("v1/PersistentVolumeClaim", "data", "shop")["spec"] == {"volumeName": "v"}


def test_release_that_is_no_longer_configured_is_uninstalled(world):
    world.inner.project = changed(world.inner.project, release=())
    world.up()

    assert world.log[-1] == "recover shop None"
    assert world.up().outcome == "unchanged"


def test_release_that_moved_to_another_namespace_is_uninstalled_in_the_old_one(world):
    (release,) = world.inner.project.release
    world.inner.project = changed(world.inner.project, release=(changed(release, namespace="elsewhere"),))
    installed(world.inner, world.inner.ctx(kept=True))

    assert world.log == ["install shop", "recover shop None", "install shop"]


def test_release_of_another_owner_is_not_uninstalled(world):
    for secret in world.kube.objects("v1/Secret", "shop", labels="owner=helm"):
        secret["metadata"]["labels"].pop("seatrial.dev/owner")
    world.inner.project = changed(world.inner.project, release=())
    world.up()

    assert world.log == ["install shop"]


def test_failed_release_that_is_no_longer_configured_is_uninstalled(tmp_path):
    world = World(tmp_path)
    (release,) = world.inner.project.release
    broken = ReleaseSpec(name="broken", chart="chart", namespace="shop")
    world.inner.project = changed(world.inner.project, release=(release, broken))
    real = world.installs

    def fails(spec):
        real(spec)
        if spec.name == "broken":
            raise EnvironmentFailed("no")

    world.inner.charts.installs = fails
    with pytest.raises(EnvironmentFailed):
        world.up()
    assert read(world.inner.env().directory / "release-broken.json", Installed).digest == ""
    world.inner.charts.installs = real
    world.inner.project = changed(world.inner.project, release=(release,))
    world.up()

    assert "recover broken None" in world.log


def test_pods_with_an_older_config_map_are_recreated(world):
    for each in (pod("web-1", "settings"), pod("other-1", "unrelated"), pod("done", "settings", phase="Succeeded")):
        world.kube.put(each)
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key[2] for key in world.kube.deleted if key[0] == "v1/Pod"] == ["web-1"]
    assert "pod web-1 still uses an older version of configmap/settings; recreating" in world.notes()


def test_pods_created_by_the_upgrade_are_not_recreated(world):
    real = world.inner.charts.installs
    world.inner.charts.installs = lambda release: (world.kube.put(pod("web-2", "settings")), real(release))
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key for key in world.kube.deleted if key[0] == "v1/Pod"] == []


def test_pods_are_not_recreated_if_no_config_map_changed(world):
    world.kube.put(pod("web-1", "settings"))
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key for key in world.kube.deleted if key[0] == "v1/Pod"] == []


def test_pods_that_use_a_manually_changed_config_map_are_recreated(world):
    world.kube.put(pod("web-1", "settings"))
    world.kube.get("v1/ConfigMap", "settings", "shop")["data"] = {"a": "edited"}
    world.up()

    assert [key[2] for key in world.kube.deleted if key[0] == "v1/Pod"] == ["web-1"]


def test_changed_manifest_recreates_its_pods_and_upgrades_the_release(world):
    path = world.inner.root / "extra.yaml"
    path.write_text(json.dumps(config("1", "extra")))
    (release,) = world.inner.project.release
    world.inner.project = changed(world.inner.project, release=(changed(release, manifests=(path,)),))
    world.up()
    world.kube.put(pod("web-1", "extra"))
    path.write_text(json.dumps(config("2", "extra")))
    world.up()

    assert [key[2] for key in world.kube.deleted if key[0] == "v1/Pod"] == ["web-1"]
    assert world.log == ["install shop"] * 3
    assert world.up().outcome == "unchanged"


def test_pod_without_a_controller_that_uses_an_older_config_map_is_an_error(world):
    world.kube.put(pod("web-1", "settings", owner=False))
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    with pytest.raises(EnvironmentFailed, match="pod web-1 still uses an older version of configmap/settings"):
        world.up()
