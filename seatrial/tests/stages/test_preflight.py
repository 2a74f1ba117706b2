"""Checks before anything is created, and the entry into an existing cluster."""

from __future__ import annotations

import json

import pytest
from fakes import refused
from msgspec.structs import replace as changed
from seatrial.model.environment_record import Created
from seatrial.model.errors import EnvironmentFailed, ExitCode, OutOfTime, UsageError, WrongInput
from seatrial.model.event import FindingMade, Note
from seatrial.model.result import Outcome
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces import ownership
from seatrial.ports import EngineInfo
from seatrial.stages import preflight
from shared_cluster import ENVIRONMENT, KEPT, SESSION, labels_of_namespace, namespace, own_namespace, shared_world


def holder(world):
    return world.kube.get("coordination.k8s.io/v1/Lease", "seatrial", "pr-42")["spec"]["holderIdentity"]


class TestSharedCluster:
    @pytest.fixture
    def world(self, tmp_path):
        return shared_world(tmp_path)

    def test_new_namespace_is_created_labeled_and_leased(self, world):
        ctx = world.ctx(keep="always")
        preflight.run(ctx)
        ctx.lease.release()

        assert labels_of_namespace(world)[ENVIRONMENT] == "pr-42"
        assert labels_of_namespace(world)[KEPT] == "true"
        assert labels_of_namespace(world)[SESSION] == "aa"
        assert int(labels_of_namespace(world)["seatrial.dev/expires"]) == int(world.record.expires.timestamp())
        assert labels_of_namespace(world)["pod-security.kubernetes.io/enforce"] == "baseline"
        assert world.created == (Created(kind="namespace", name="pr-42", identity="aa"),)

    def test_namespace_of_another_owner_is_refused_and_not_changed(self, world):
        world.kube.put(namespace(owner="seatrial", project="other"))
        before = json.dumps(world.kube.get("v1/Namespace", "pr-42"))

        with pytest.raises(UsageError, match="namespace pr-42 already exists and belongs to another owner") as raised:
            preflight.run(world.ctx())
        assert "seatrial.dev/use=allowed" in raised.value.hint
        assert json.dumps(world.kube.get("v1/Namespace", "pr-42")) == before
        assert world.kube.applied == []

    def test_namespace_that_another_run_uses_is_not_relabeled(self, world):
        world.kube.put(own_namespace(world, session="bb", kept="true"))
        now = f"{world.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        meta = {"name": "seatrial", "namespace": "pr-42"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
        world.kube.put({**lease, "spec": {"holderIdentity": "ci", "renewTime": now}})
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="another run uses"):
            preflight.run(ctx)
        assert labels_of_namespace(world)[SESSION] == "bb"
        assert ctx.lease is None
        assert world.created == ()

    def test_environment_of_another_machine_is_taken_over(self, world):
        world.kube.put(own_namespace(world, session="bb", kept="true", environment="pr-42"))
        ctx = world.ctx(keep="always")
        preflight.run(ctx)

        assert labels_of_namespace(world)[SESSION] == "aa"
        assert "run" in holder(world)
        ctx.lease.release()
        assert holder(world) == ""

    def test_run_that_deletes_its_namespaces_refuses_a_kept_environment(self, world):
        world.kube.put(own_namespace(world, session="bb", kept="true"))
        with pytest.raises(UsageError, match="contains a kept environment"):
            preflight.run(world.ctx(keep="never"))

        world.kube.put(own_namespace(world, session="bb", kept="false"))
        ctx = world.ctx(keep="never")
        preflight.run(ctx)
        ctx.lease.release()
        assert labels_of_namespace(world)[SESSION] == "aa"

    def test_release_of_another_owner_is_refused(self, world):
        world.project = changed(world.project, release=(ReleaseSpec(name="web", chart="c", namespace="pr-42"),))
        meta = {"name": "sh.helm.release.v1.web.v1", "namespace": "pr-42"}
        record = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**meta, "labels": {"owner": "helm", "name": "web"}},
        }
        world.kube.put(record)
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="release web in namespace pr-42 belongs to another owner"):
            preflight.run(ctx)
        ctx.lease.release()

    def test_cluster_that_does_not_answer_is_an_error(self, world, monkeypatch):
        monkeypatch.setattr("seatrial.cluster_checks.revive._START_SECONDS", 0.05)
        monkeypatch.setattr("seatrial.cluster_checks.revive._PAUSE", 0.01)
        world.kube.broken, world.cluster.alive = refused("connection refused"), False

        with pytest.raises(EnvironmentFailed, match="does not answer") as raised:
            preflight.run(world.ctx())
        assert raised.value.hint == "kubectl --context kind-it version"

    def test_namespace_whose_deletion_is_blocked_is_an_error(self, world, monkeypatch):
        monkeypatch.setattr(ownership, "_DELETION_SECONDS", 0.05)
        monkeypatch.setattr(ownership, "_PAUSE", 0.01)
        there = own_namespace(world)
        there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.kube.put(there)

        with pytest.raises(OutOfTime, match="is still being deleted"):
            preflight.run(world.ctx())


class TestOwnCluster:
    def test_new_cluster_reports_versions(self, world):
        ctx = world.ctx(connected=False)

        assert preflight.run(ctx).facts == {"engine": "20.10", "helm": "v4.3.1"}
        assert ctx.is_new
        assert world.created == ()

    def test_missing_kind_is_an_error(self, world):
        world.processes.find = lambda program: None if program == "kind" else program

        with pytest.raises(UsageError) as caught:
            preflight.run(world.ctx())
        assert caught.value.message == "kind is not on PATH"

    def test_cluster_that_seatrial_did_not_create_is_refused(self, world):
        world.cluster.there = True

        with pytest.raises(UsageError) as caught:
            preflight.run(world.ctx())
        assert "was not created by seatrial" in caught.value.message

    def test_host_port_in_use_is_named(self, world):
        world.taken.add(8080)

        with pytest.raises(UsageError) as caught:
            preflight.run(world.ctx())
        assert caught.value.message == "host port 127.0.0.1:8080 is in use"
        assert caught.value.reason == "the cluster publishes this port, and container web listens on it"

    @pytest.mark.parametrize(
        ("engine", "message"),
        [
            ({"free_memory": 500 << 20}, "500 MiB of memory are available"),
            ({"memory": 900 << 20}, "the engine's machine has 900 MiB of memory"),
            ({"free_disk": 1 << 30}, "1024 MiB of disk are free for the engine"),
            ({"free_disk": 0}, "0 MiB of disk are free for the engine"),
        ],
    )
    def test_machine_without_room_for_a_cluster_is_refused(self, world, engine, message):
        world.engine_info = EngineInfo(version="20.10", **engine)

        with pytest.raises(UsageError) as caught:
            preflight.run(world.ctx())
        assert caught.value.message == message

    def deployed(self, world, *objects):
        release = ReleaseSpec(name="web", chart="c", namespace="shop")
        world.project = changed(world.project, release=(release,))
        world.charts.rendered = {"web": list(objects)}

    def test_mistakes_in_charts_are_found_before_anything_is_created(self, world):
        container = {
            "name": "c",
            "envFrom": [{"secretRef": {"name": "gone"}}],
            "resources": {"requests": {"cpu": "64"}},
        }
        spec = {"template": {"spec": {"containers": [container]}}}
        self.deployed(world, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})

        with pytest.raises(WrongInput) as caught:
            preflight.run(world.ctx())
        assert caught.value.exit_code is ExitCode.USAGE
        assert caught.value.message == "2 mistakes in what would be created"
        assert [each.cause for each in caught.value.findings] == ["MissingSecret", "Unschedulable"]
        assert [body.finding for body in world.recorded.of(FindingMade)] == list(caught.value.findings)
        assert world.created == ()

    def test_api_that_the_node_image_lacks_is_found(self, world):
        self.deployed(world, {"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "web"}})

        assert preflight.run(world.ctx()).outcome is Outcome.DONE
        with pytest.raises(WrongInput, match="1 mistake in what would be created"):
            preflight.run(world.ctx(env=world.env(node_image="kindest/node:v1.34.0")))

    def test_image_that_no_node_could_pull_is_found(self, world):
        world.images.present["there:1"] = "sha256:there"
        containers = [{"name": name, "image": f"{name}:1"} for name in ("there", "gone")]
        self.deployed(
            world,
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}},
        )
        world.images.present[world.project.runner.image] = "sha256:runner"
        asked = []

        def problem(host):
            asked.append(host)
            return "no route to host"

        with pytest.raises(WrongInput) as caught:
            preflight.run(world.ctx(env=world.env(registry_problem=problem)))
        assert [each.message.split(" is ")[0] for each in caught.value.findings] == ["image gone:1"]
        assert asked == ["registry-1.docker.io"]

    def test_likely_mistake_is_a_warning(self, world):
        container = {"name": "c", "env": [{"name": "WEB_MODE", "value": "x"}]}
        spec = {"template": {"spec": {"containers": [container]}}}
        self.deployed(
            world,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec},
        )
        preflight.run(world.ctx())

        (note,) = world.recorded.of(Note)
        assert note.text.startswith("deployment/web container c: Service web sets WEB_PORT=tcp://…")
        assert note.text.endswith("set enableServiceLinks: false in the pod's specification")

    def kept(self, world):
        world.record = world.record.with_resource(Created(kind="cluster", name="it", identity="id"))
        return world.ctx(connected=False)

    def test_kept_cluster_is_unchanged(self, world):
        ctx = self.kept(world)

        assert preflight.run(ctx).outcome is Outcome.UNCHANGED
        assert not ctx.is_new

    def test_stopped_cluster_is_started(self, world, monkeypatch):
        monkeypatch.setattr("seatrial.cluster_checks.revive._PAUSE", 0.0)
        world.kube.broken, world.cluster.there = refused("connection refused"), True

        assert preflight.run(self.kept(world)).facts == {"started": "it"}

    def test_deleted_cluster_is_an_error_with_a_hint(self, world):
        world.kube.broken = refused("connection refused")

        with pytest.raises(EnvironmentFailed, match="cluster it does not exist any more") as caught:
            preflight.run(self.kept(world))
        assert caught.value.hint == "seatrial down, then seatrial up"
