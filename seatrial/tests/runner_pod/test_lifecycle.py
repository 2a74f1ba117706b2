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
from seatrial.stages.cluster import RunningCluster
from shop_world import (
    delivered,
    made_world,
    run_runner_pod,
    runner_pod_without_build,
)


class TestRunner:
    def test_pod_is_created_and_recorded(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()

        assert [obj["kind"] for obj in world.kube.applied] == ["ServiceAccount", "ConfigMap", "Pod"]
        remembered = read_runner(world.env().directory)
        assert remembered.reference == command.runner_reference
        assert remembered.image == world.images.present[remembered.reference]
        assert remembered.uid == "Pod test-runner"
        assert isinstance(remembered.manifest.files["tests/a.py"], Entry)
        assert remembered.places == ("tests",)

    def test_matching_pod_is_kept(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        run_runner_pod(world)
        count = len(world.kube.applied)
        command.runner_pod().ensure()

        assert len(world.kube.applied) == count

    def test_pod_of_another_machine_is_recorded(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        run_runner_pod(world)
        made = read_runner(world.env().directory)
        assert made is not None
        (world.env().directory / "runner.json").unlink()
        command.runner_pod().ensure()

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
    def test_pod_that_does_not_match_is_recreated(self, tmp_path, change):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        pod = run_runner_pod(world)
        for part, values in change.items():
            pod[part] = {**pod[part], **values}
        world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
        count = len(world.kube.applied)
        command.cluster = RunningCluster("v1", PrestartedExec(world.kube.pod))
        command.runner_pod().ensure()

        assert ("v1/Pod", "shop", "test-runner") in world.kube.deleted
        assert len(world.kube.applied) == count + 3
        assert command.cluster.prestarted_exec.take() is None
        assert world.kube.pod.started[0].left.wait(5), "the command in the old pod is left"

    def test_pod_is_recreated_when_its_secret_changed(self, tmp_path):
        spec = RunnerSpec(image="shop-test", namespace="shop", env_from={"P": "secret/db/password"})
        world = made_world(tmp_path, runner=spec)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        pod = run_runner_pod(world)
        command.runner_pod().recreate_if_values_changed()
        metadata = {"name": "db", "namespace": "shop"}
        for password in ("b25l", "b25l", "dHdv"):
            assert not world.kube.deleted
            world.kube.put(
                {"apiVersion": "v1", "kind": "Secret", "metadata": dict(metadata), "data": {"password": password}}
            )
            world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
            command.runner_pod().recreate_if_values_changed()
        assert ("v1/Pod", "shop", "test-runner") in world.kube.deleted

        count = len(world.kube.deleted)
        command.runner_pod().recreate_if_values_changed()
        assert len(world.kube.deleted) == count

    def test_pod_that_is_not_deleted_in_time_is_an_error(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        run_runner_pod(world, phase="Failed")

        with pytest.raises(OutOfTime):
            command.runner_pod().ensure()

    def test_pod_that_was_deleted_meanwhile_is_created(self, tmp_path):
        world = made_world(tmp_path)
        command, _ = delivered(world)
        command.runner_pod().ensure()
        run_runner_pod(world, phase="Failed")
        world.kube.delete = lambda *args, **more: False
        command.runner_pod().ensure()

        assert read_runner(world.env().directory) is not None


class TestSentToOthersImages:
    def world(self, tmp_path, *sync):
        return World(tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="x:1", namespace="shop", sync=sync)))

    def test_folders_are_places_as_long_as_the_pod_has_them(self, tmp_path):
        (tmp_path / "tests").mkdir()
        world = self.world(tmp_path, "tests", "src")
        runner_pod_without_build(world).ensure()
        assert read_runner(world.env().directory).places == ("tests",)

        (tmp_path / "tests").rename(tmp_path / "checks")
        runner_pod_without_build(world).ensure()
        assert read_runner(world.env().directory).places == ("tests",)

    @pytest.mark.parametrize("what", ["a file", "a symbolic link"])
    def test_files_and_links_are_refused(self, tmp_path, what):
        (tmp_path / "real").mkdir()
        place = tmp_path / "tests"
        place.touch() if what == "a file" else place.symlink_to("real")
        world = self.world(tmp_path, "tests")

        with pytest.raises(UsageError, match=f"runner.sync names tests, which is {what}"):
            runner_pod_without_build(world).ensure()
