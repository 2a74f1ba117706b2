"""The runner pod: created, kept while it fits, recreated when it does not."""

from __future__ import annotations

import pytest
from fakes import World
from msgspec.structs import replace as changed
from seatrial.image_inputs.working_tree import Entry
from seatrial.model.errors import OutOfTime, UsageError
from seatrial.model.spec import Project, RunnerSpec
from seatrial.ports import Change
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.runner_pod.manifest import DIGEST
from seatrial.saved_state import read_runner
from seatrial.stages.install import runner_pod_of
from shop_world import (
    delivered,
    made_world,
    runner_pod,
)


class TestRunner:
    def test_made(self, tmp_path):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()

        assert [obj["kind"] for obj in world.kube.applied] == ["ServiceAccount", "ConfigMap", "Pod"]
        remembered = read_runner(world.env().directory)
        assert remembered.reference == ctx.facts.tags["shop-test"]
        assert remembered.image == world.images.present[remembered.reference]
        assert remembered.uid == "Pod test-runner"
        assert isinstance(remembered.manifest.files["tests/a.py"], Entry)
        assert remembered.places == ("tests",)

    def test_kept_while_it_fits(self, tmp_path):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        runner_pod(world, ctx)
        count = len(world.kube.applied)
        runner_pod_of(ctx).ensure()

        assert len(world.kube.applied) == count

    def test_one_that_another_machine_made_is_remembered_as_if_we_had(self, tmp_path):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        runner_pod(world, ctx)
        made = read_runner(world.env().directory)
        assert made is not None
        (world.env().directory / "runner.json").unlink()
        runner_pod_of(ctx).ensure()

        assert read_runner(world.env().directory) == changed(made, uid="runner")

    @pytest.mark.parametrize(
        "change",
        [
            {"metadata": {"annotations": {DIGEST: "other"}}},
            {"metadata": {"deletionTimestamp": "now"}},
            {"status": {"phase": "Failed"}},
            {"status": {"containerStatuses": [{"name": "tests", "state": {"terminated": {"exitCode": 137}}}]}},
        ],
    )
    def test_made_anew_when_it_does_not(self, tmp_path, change):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        pod = runner_pod(world, ctx)
        for part, values in change.items():
            pod[part] = {**pod[part], **values}
        world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
        count = len(world.kube.applied)
        ctx.facts.prestarted_exec = PrestartedExec(world.kube.pod)
        runner_pod_of(ctx).ensure()

        assert ("v1/Pod", "shop", "test-runner") in world.kube.deleted
        assert len(world.kube.applied) == count + 3
        assert ctx.facts.prestarted_exec.take() is None
        assert world.kube.pod.started[0].left.wait(5), "what waited in the old pod"

    def test_made_anew_when_its_secret_was(self, tmp_path):
        spec = RunnerSpec(image="shop-test", namespace="shop", env_from={"P": "secret/db/password"})
        world = made_world(tmp_path, runner=spec)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        pod = runner_pod(world, ctx)
        runner_pod_of(ctx).recreate_if_values_changed()
        metadata = {"name": "db", "namespace": "shop"}
        for password in ("b25l", "b25l", "dHdv"):
            assert not world.kube.deleted
            world.kube.put(
                {"apiVersion": "v1", "kind": "Secret", "metadata": dict(metadata), "data": {"password": password}}
            )
            world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
            runner_pod_of(ctx).recreate_if_values_changed()
        assert ("v1/Pod", "shop", "test-runner") in world.kube.deleted

        count = len(world.kube.deleted)
        runner_pod_of(ctx).recreate_if_values_changed()
        assert len(world.kube.deleted) == count

    def test_old_one_that_does_not_go(self, tmp_path):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        runner_pod(world, ctx, phase="Failed")

        with pytest.raises(OutOfTime):
            runner_pod_of(ctx).ensure()

    def test_old_one_that_went_by_itself(self, tmp_path):
        world = made_world(tmp_path)
        ctx, _ = delivered(world)
        runner_pod_of(ctx).ensure()
        runner_pod(world, ctx, phase="Failed")
        world.kube.delete = lambda *args, **more: False
        runner_pod_of(ctx).ensure()

        assert read_runner(world.env().directory) is not None


class TestSentToOthersImages:
    def ctx(self, tmp_path, *sync):
        world = World(tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="x:1", namespace="shop", sync=sync)))
        return world, world.ctx()

    def test_folders_are_places_as_long_as_the_pod_has_them(self, tmp_path):
        (tmp_path / "tests").mkdir()
        world, ctx = self.ctx(tmp_path, "tests", "src")
        runner_pod_of(ctx).ensure()
        assert read_runner(world.env().directory).places == ("tests",)

        (tmp_path / "tests").rename(tmp_path / "checks")
        runner_pod_of(ctx).ensure()
        assert read_runner(world.env().directory).places == ("tests",)

    @pytest.mark.parametrize("what", ["a file", "a symbolic link"])
    def test_files_and_links_are_refused(self, tmp_path, what):
        (tmp_path / "real").mkdir()
        place = tmp_path / "tests"
        place.touch() if what == "a file" else place.symlink_to("real")
        _, ctx = self.ctx(tmp_path, "tests")

        with pytest.raises(UsageError, match=f"runner.sync names tests, which is {what}"):
            runner_pod_of(ctx).ensure()
