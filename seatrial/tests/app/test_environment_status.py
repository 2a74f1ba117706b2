"""The status of an environment: workloads, releases, runner and findings."""

from __future__ import annotations

from fakes import World
from seatrial.app import environment_status
from seatrial.model.spec import RunnerSpec
from shop_world import READY, delivered, deployment, pod, project, revision


class TestStatus:
    def test_workloads_without_a_controller_are_reported(self, world):
        world.kube.put(deployment(**READY))
        world.kube.put(deployment("late"))
        owned = pod("web-2")
        owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "x", "controller": True}]
        world.kube.put(owned)
        world.kube.put(pod("lone"))
        seen = environment_status.workload_statuses(world.kube, ["shop"])

        assert [(each.name, each.ready, each.waits_for) for each in seen] == [
            ("web", True, ""),
            ("late", False, "0 of 1 pods created"),
            ("lone", True, ""),
        ]
        assert seen[0].images == ("base:1",)

    def test_releases_have_the_status_of_their_newest_revision(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        assert environment_status.release_statuses(world.kube, world.project)[0].status == ""
        secret = revision(3, "deployed")
        secret["metadata"]["namespace"] = "shop"
        world.kube.put(secret)

        assert environment_status.release_statuses(world.kube, world.project)[0].revision == 3

    def runner(self, tmp_path, **more):
        """Return a world with a built image and a running runner pod."""
        world = World(tmp_path, project(tmp_path, **more))
        world.images.present["base:1"] = "sha256:base"
        command, _ = delivered(world)
        command.runner_pod().ensure()
        world.kube.put(pod("test-runner"))
        return world

    def next(self, world):
        return environment_status.runner_status(world.kube, world.project, world.env()).next

    def test_missing_runner_will_be_created(self, tmp_path):
        assert self.next(World(tmp_path, project(tmp_path))) == "create it"

    def test_next_step_follows_changes_of_files(self, tmp_path):
        world = self.runner(tmp_path)

        assert self.next(world) == "use it"
        (tmp_path / "tests" / "a.py").write_text("other")
        assert self.next(world) == "send it the changed files"
        (tmp_path / "Dockerfile").write_text("FROM base:1\n")
        assert self.next(world).startswith("rebuild its image: Dockerfile")

    def test_missing_image_of_the_runner_will_be_rebuilt(self, tmp_path):
        world = self.runner(tmp_path)
        world.images.present.clear()

        assert self.next(world) == "rebuild its image, which is not on the engine"

    def test_runner_with_an_image_of_another_registry_will_be_used(self, tmp_path):
        world = self.runner(tmp_path, runner=RunnerSpec(image="x:1", namespace="shop"), image=(), release=())

        assert self.next(world) == "use it"
