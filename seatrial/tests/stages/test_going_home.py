"""Inspection of an environment that exists, and the values of Secrets."""

from __future__ import annotations

from fakes import World
from seatrial.model.spec import RunnerSpec
from seatrial.stages import survey
from seatrial.stages.install import runner_pod_of
from shop_world import READY, delivered, deployment, pod, project, revision


class TestSurvey:
    def test_workloads(self, world):
        world.kube.put(deployment(**READY))
        world.kube.put(deployment("late"))
        owned = pod("web-2")
        owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "x", "controller": True}]
        world.kube.put(owned)
        world.kube.put(pod("lone"))
        seen = survey.workloads(survey.snapshot(world.kube, ["shop"]))

        assert [(each.name, each.ready, each.waits_for) for each in seen] == [
            ("web", True, ""),
            ("late", False, "0 of 1 pods created"),
            ("lone", True, ""),
        ]
        assert seen[0].images == ("base:1",)

    def test_releases(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        assert survey.releases(world.kube, world.project)[0].status == ""
        secret = revision(3, "deployed")
        secret["metadata"]["namespace"] = "shop"
        world.kube.put(secret)

        assert survey.releases(world.kube, world.project)[0].revision == 3

    def runner(self, tmp_path, **more):
        """Tell of the runner of a world in which an image was built and its pod made."""
        world = World(tmp_path, project(tmp_path, **more))
        world.images.present["base:1"] = "sha256:base"
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        world.kube.put(pod("test-runner"))
        return world

    def next(self, world):
        return survey.runner(world.kube, world.project, world.env()).next

    def test_runner_that_is_gone(self, tmp_path):
        assert self.next(World(tmp_path, project(tmp_path))) == "make it"

    def test_runner_as_it_was(self, tmp_path):
        world = self.runner(tmp_path)

        assert self.next(world) == "go on in it"
        (tmp_path / "tests" / "a.py").write_text("other")
        assert self.next(world) == "send it the files that changed"
        (tmp_path / "Dockerfile").write_text("FROM base:1\n")
        assert self.next(world).startswith("rebuild its image: Dockerfile")

    def test_runner_whose_image_is_not_on_the_engine(self, tmp_path):
        world = self.runner(tmp_path)
        world.images.present.clear()

        assert self.next(world) == "rebuild its image: it is not on the engine"

    def test_runner_with_an_image_of_others(self, tmp_path):
        world = self.runner(tmp_path, runner=RunnerSpec(image="x:1", namespace="shop"), image=(), release=())

        assert self.next(world) == "go on in it"

    def test_findings(self, world):
        world.kube.put(deployment())
        bad = pod("web-abc-1")
        bad["metadata"]["labels"] = {"pod-template-hash": "abc"}
        bad["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}]
        bad["status"]["containerStatuses"] = [
            {"name": "c", "ready": False, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
        ]
        bad["status"]["conditions"] = []
        world.kube.put(bad)
        world.kube.texts["web-abc-1", "c", False] = b"boom"
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
        world.kube.put({**service, "spec": {"selector": {"app": "web"}}})
        found = survey.findings(world.kube, world.project)

        assert [each.cause for each in found] == ["Crash", "NoEndpoints"]
        assert found[0].evidence == ("boom",)
