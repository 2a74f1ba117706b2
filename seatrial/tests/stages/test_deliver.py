"""The deliver stage: pushed images, early pulls and digests in pods."""

from __future__ import annotations

import pytest
from seatrial.images import node_pulls
from seatrial.model.errors import UsageError
from seatrial.model.result import Outcome
from seatrial.model.spec import RunnerSpec
from seatrial.ports import Completed
from shop_world import (
    Command,
    delivered,
    deployment,
    made_world,
)


class TestDeliver:
    def test_local_images_that_are_used_are_pushed(self, tmp_path):
        world = made_world(tmp_path)
        world.images.present["unrelated:1"] = "sha256:u"
        command, report = delivered(world)

        assert sorted(world.registry.pushed) == sorted(["base:1", command.runner_reference])
        assert report.outcome is Outcome.DONE
        used = {each.reference: each.digest for each in report.result.used}
        assert used["far:1"] == ""
        assert used["base:1"] == report.result.digests["base:1"]
        assert (world.env().certs / "docker.io" / "hosts.toml").read_text()

    def test_unchanged_images_are_not_pushed_again(self, tmp_path):
        world = made_world(tmp_path)
        delivered(world)
        _, report = delivered(world)

        assert report.outcome is Outcome.UNCHANGED
        assert len(world.registry.pushed) == 2
        assert len([line for line in world.charts.log if line.startswith("render")]) == 1, "rendered once"

    def test_images_are_pushed_again_to_an_empty_registry(self, tmp_path):
        world = made_world(tmp_path)
        delivered(world)
        world.registry.has.clear()

        delivered(world)
        assert len(world.registry.pushed) == 4

    def test_chart_is_rendered_with_the_built_image(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        tag = command.runner_reference.rpartition(":")[2]

        assert f"render shop {{'web.image.repository': 'shop-test', 'web.image.tag': '{tag}'}}" in world.charts.log

    def test_pods_use_the_digest_of_the_pushed_image(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        reference = command.runner_reference
        tag = reference.rpartition(":")[2]
        digest = world.registry.has[reference]

        assert command.delivered.releases["shop"].values == {
            "web.image.repository": "shop-test",
            "web.image.tag": f"{tag}@{digest}",
        }
        assert command.delivered.runner.pulled_as == f"{reference}@{digest}"

    def test_chart_that_uses_the_tag_as_label_gets_no_digest(self, tmp_path):
        world = made_world(tmp_path)
        command = Command(world)
        command.build()
        tag = command.runner_reference.rpartition(":")[2]
        labeled = deployment()
        labeled["spec"]["template"]["metadata"] = {"labels": {"app.kubernetes.io/version": tag}}
        world.charts.rendered = {"shop": [labeled]}
        found = command.deliver().result

        assert found.releases["shop"].values["web.image.tag"] == tag
        assert "@sha256:" in found.runner.pulled_as, "the runner pod has no such label"

    @pytest.mark.parametrize("image", ["far:1", "far:1@sha256:aa"])
    def test_runner_image_that_is_not_local_keeps_its_name(self, tmp_path, image):
        command, _ = delivered(made_world(tmp_path, runner=RunnerSpec(image=image, namespace="shop")))

        assert command.delivered.runner.pulled_as == image

    def test_local_runner_image_of_another_project_is_pulled_by_digest(self, tmp_path):
        command, report = delivered(made_world(tmp_path, runner=RunnerSpec(image="base:1", namespace="shop")))

        assert command.delivered.runner.pulled_as == f"base:1@{report.result.digests['base:1']}"

    def test_second_build_of_the_same_inputs_updates_the_release(self, tmp_path):
        world = made_world(tmp_path)
        before = delivered(world)[0].delivered.releases["shop"].digest
        assert delivered(world)[0].delivered.releases["shop"].digest == before
        world.registry.has.clear()
        world.registry.pushed += ["another"]

        assert delivered(world)[0].delivered.releases["shop"].digest != before

    def test_files_with_the_password_of_nodes_are_private(self, tmp_path):
        world = made_world(tmp_path)
        file = world.env().certs / "docker.io" / "hosts.toml"
        file.parent.mkdir(parents=True)
        file.write_text("older")
        file.chmod(0o644)
        delivered(world)

        assert file.read_text() != "older"
        assert file.stat().st_mode & 0o777 == 0o600

    def test_changed_image_is_pulled_again_by_nodes(self, tmp_path):
        world = made_world(tmp_path)
        delivered(world)
        world.images.present["base:1"] = "sha256:newer"
        joined = world.registry.joined
        delivered(world, world.ctx(kept=True))
        renewals = [(node, argv[-1]) for node, argv in world.cluster.ran if "images ls" in argv[-1]]

        assert [node for node, _ in renewals if "docker.io/library/base:1" in _] == list(world.cluster.node_names)
        assert world.registry.joined > joined

    def test_stand_in_names_the_real_image(self, tmp_path):
        world = made_world(tmp_path)
        world.charts.rendered = {"shop": [deployment(image="stand:1")]}
        world.images.present["stand:1"] = "sha256:s"
        command, _ = delivered(world)

        assert {each.reference: each.stands_in_for for each in command.delivered.used}["stand:1"] == "real"

    def test_runner_image_of_another_registry_is_used(self, tmp_path):
        world = made_world(tmp_path, runner=RunnerSpec(image="ghcr.io/x/tests:1"))
        command, _ = delivered(world)

        assert "ghcr.io/x/tests:1" in [each.reference for each in command.delivered.used]

    def test_runner_image_without_a_tag_is_refused(self, tmp_path):
        with pytest.raises(UsageError):
            delivered(made_world(tmp_path, runner=RunnerSpec(image="localhost:5000/x")))

    def test_node_pulls_images_before_pods_need_them(self, tmp_path):
        world = made_world(tmp_path)
        pulled = []
        real = world.cluster.run

        def run(node, argv, **more):
            pulled.append((node, argv[-1]))
            return real(node, argv, **more)

        world.cluster.run = run
        command, _ = delivered(world)
        reference = command.runner_reference
        ours = f"docker.io/library/shop-test@{world.registry.has[reference]}"
        # The project's own by the name that a kubelet looks for when a pod asks by digest.
        wanted = {("it-worker", "docker.io/library/base:1"), ("it-worker", ours)}
        for _ in range(500):
            if wanted <= set(pulled):
                break
            command.ctx.canceled.wait(0.01)

        assert wanted <= set(pulled)

    @pytest.mark.parametrize("first", [("it-control-plane",), ("it-control-plane", "it-worker")])
    def test_early_pulls_wait_until_the_node_is_created(self, tmp_path, monkeypatch, first):
        """The engine lists a node container before a command can run in it."""
        monkeypatch.setattr(node_pulls, "_PAUSE", 0.01)
        world = made_world(tmp_path)
        lists = iter([first])
        ran = []

        def run(node, argv, **more):
            ran.append((node, argv[-1]))
            return Completed(argv=tuple(argv), code=1 if len(ran) == 1 else 0, stdout=b"", stderr=b"No such container")

        world.cluster.names = lambda: next(lists, ("it-control-plane", "it-worker"))
        world.cluster.run = run
        command, _ = delivered(world)

        assert all(each.result(10) for each in command.delivered.pulls.values())
        pulls = {node for node, last in ran if last.startswith("docker.io/")}
        assert pulls == {"it-worker"}

    def test_several_workers_do_not_pull_early(self, tmp_path):
        world = made_world(tmp_path)
        world.cluster.node_names = ("it-control-plane", "it-worker", "it-worker2")
        command, _ = delivered(world)

        assert not any(each.result(10) for each in command.delivered.pulls.values())
        assert world.cluster.ran == []
