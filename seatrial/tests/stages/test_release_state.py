"""Releases of a kept environment: brought to what a new one would have, whatever was changed, dropped or edited."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace as changed
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import Note
from seatrial.model.spec import ReleaseSpec
from seatrial.saved_state import Installed, read
from seatrial.stages import configuration_users, install, objects, ready
from shop_world import READY, delivered, deployment, install_world, revision, runner_pod


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
    """A kept environment with a release that makes a Deployment and a ConfigMap."""

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

    def up(self, *, fresh=None):
        ctx = self.inner.ctx()
        ctx.facts.fresh = self.revision == 0 if fresh is None else fresh
        delivered(self.inner, ctx)
        report = install.run(ctx)
        runner_pod(self.inner, ctx)
        ready.run(ctx)
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
def test_a_config_map_edited_by_hand_is_as_the_chart_says_before_helm_is_asked(world, data):
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


def test_an_edit_is_reverted_together_with_a_change_of_the_chart(world):
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
def test_marks_of_helm_stay_when_an_edit_is_reverted(world, parts):
    obj = world.kube.get("v1/ConfigMap", "settings", "shop")
    obj["metadata"][parts] = {"meta.helm.sh/release-name": "shop", "app.kubernetes.io/managed-by": "Helm", "mine": "1"}
    world.inner.charts.installs = lambda _: None
    world.up()

    assert world.kube.get("v1/ConfigMap", "settings", "shop")["metadata"][parts] == {
        "meta.helm.sh/release-name": "shop",
        "app.kubernetes.io/managed-by": "Helm",
    }


def test_a_claim_is_left_to_helm(world):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}}
    world.kube.put({**claim, "spec": {"volumeName": "v"}})

    assert not objects.restore(world.kube, {**claim, "spec": {}}, "shop")
    assert world.kube.get("v1/PersistentVolumeClaim", "data", "shop")["spec"] == {"volumeName": "v"}


def test_a_release_that_is_dropped_from_the_configuration_is_uninstalled(world):
    world.inner.project = changed(world.inner.project, release=())
    world.up()

    assert world.log[-1] == "recover shop None"
    assert world.up().outcome == "unchanged"


def test_a_release_that_moved_to_another_namespace_leaves_nothing_behind(world):
    (release,) = world.inner.project.release
    world.inner.project = changed(world.inner.project, release=(changed(release, namespace="elsewhere"),))
    ctx = world.inner.ctx()
    ctx.facts.fresh = False
    delivered(world.inner, ctx)
    install.run(ctx)

    assert world.log == ["install shop", "recover shop None", "install shop"]


def test_a_dropped_release_of_somebody_else_is_left_alone(world):
    for secret in world.kube.objects("v1/Secret", "shop", labels="owner=helm"):
        secret["metadata"]["labels"].pop("seatrial.dev/owner")
    world.inner.project = changed(world.inner.project, release=())
    world.up()

    assert world.log == ["install shop"]


def test_a_release_whose_installation_failed_is_uninstalled_when_it_is_dropped(tmp_path):
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


def test_pods_that_run_with_an_older_config_map_are_made_anew(world):
    for each in (pod("web-1", "settings"), pod("other-1", "unrelated"), pod("done", "settings", phase="Succeeded")):
        world.kube.put(each)
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key[2] for key in world.kube.deleted if key[0] == "v1/Pod"] == ["web-1"]
    assert "pod web-1 runs with configmap/settings as it was; recreating" in world.notes()


def test_pods_of_after_the_upgrade_are_left_alone(world):
    real = world.inner.charts.installs
    world.inner.charts.installs = lambda release: (world.kube.put(pod("web-2", "settings")), real(release))
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key for key in world.kube.deleted if key[0] == "v1/Pod"] == []


def test_pods_are_left_alone_if_no_config_map_changed(world):
    world.kube.put(pod("web-1", "settings"))
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    world.up()

    assert [key for key in world.kube.deleted if key[0] == "v1/Pod"] == []


def test_pods_that_started_with_an_edited_config_map_are_made_anew(world):
    world.kube.put(pod("web-1", "settings"))
    world.kube.get("v1/ConfigMap", "settings", "shop")["data"] = {"a": "edited"}
    world.up()

    assert [key[2] for key in world.kube.deleted if key[0] == "v1/Pod"] == ["web-1"]


def test_pods_that_use_a_changed_manifest_are_made_anew_and_the_release_is_upgraded(world):
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


def test_a_pod_that_nobody_would_make_again_is_no_pass(world):
    world.kube.put(pod("web-1", "settings", owner=False))
    world.value = "2"
    (world.inner.root / "chart" / "values.yaml").write_text("a: 2\n")
    with pytest.raises(EnvironmentFailed, match="pod web-1 runs with configmap/settings as it was"):
        world.up()


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        ({"containers": [{"envFrom": [{"secretRef": {"name": "a"}}]}]}, {"v1/Secret shop a"}),
        (
            {"initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}]}]},
            {"v1/ConfigMap shop a"},
        ),
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]}]}, {"v1/Secret shop a"}),
        (
            {"volumes": [{"secret": {"secretName": "a"}}, {"configMap": {"name": "b"}}]},
            {"v1/Secret shop a", "v1/ConfigMap shop b"},
        ),
        (
            {"volumes": [{"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}}]},
            {"v1/Secret shop a", "v1/ConfigMap shop b"},
        ),
        ({"imagePullSecrets": [{"name": "pull"}], "containers": [{"name": "secret"}]}, set()),
    ],
)
def test_what_a_pod_is_configured_by(spec, keys):
    assert configuration_users.references({"metadata": {"namespace": "shop"}, "spec": spec}) == keys


def test_what_changed_between_revisions():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "v"}}
    before = [config("1"), config("1", "gone"), secret, deployment()]
    after = [config("2"), config("1", "new"), {**secret, "metadata": {"name": "s", "labels": {"chart": "2"}}}]

    assert sorted(configuration_users.changed_between(before, after, "shop")) == [
        "v1/ConfigMap shop gone",
        "v1/ConfigMap shop new",
        "v1/ConfigMap shop settings",
    ]
