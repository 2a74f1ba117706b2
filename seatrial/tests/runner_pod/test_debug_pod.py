"""The pod of `seatrial debug`: like the runner pod, deleted afterwards."""

from __future__ import annotations

import pytest
from fakes import FakeKube
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady, OutOfTime
from seatrial.model.names import LABEL_DEBUG_POD
from seatrial.pod.agent.wire import CLIENTS_DIRECTORY
from seatrial.runner_pod.debug_pod import LIFETIME, debug_pod, debug_pod_object

from .example_pods import pod as runner_pod

RUNNING = {"containerStatuses": [{"name": "debug", "state": {"running": {}}}], "phase": "Running"}


def failed_pull(image):
    waits = {"reason": "ErrImagePull", "message": f"{image}: not found"}
    return {"containerStatuses": [{"name": "debug", "image": image, "state": {"waiting": waits}}], "phase": "Pending"}


class Cluster(FakeKube):
    """What is created gets a status at once."""

    status = RUNNING

    def create(self, obj):
        assert super().create(obj)
        meta = obj["metadata"]
        self.store["v1/Pod", meta["namespace"], meta["name"]]["status"] = self.status
        return True


class TestPod:
    def test_debug_pod_has_account_image_and_variables_of_the_runner(self):
        runner = runner_pod()
        made = debug_pod_object(runner, "debug-1")
        container, tests = made["spec"]["containers"][0], runner["spec"]["containers"][0]

        assert made["metadata"]["labels"] == {**runner["metadata"]["labels"], LABEL_DEBUG_POD: "true"}
        assert made["spec"]["serviceAccountName"] == runner["spec"]["serviceAccountName"]
        assert made["spec"]["securityContext"]["runAsNonRoot"] is True
        assert made["spec"]["activeDeadlineSeconds"] == LIFETIME
        assert (container["image"], container["env"]) == (tests["image"], tests["env"])
        assert container["command"][-2:] == ["clients", CLIENTS_DIRECTORY]

    def test_debug_pod_mounts_clients_and_not_the_working_tree(self):
        spec = debug_pod_object(runner_pod(), "debug-1")["spec"]

        assert [each["name"] for each in spec["volumes"]] == ["agent", "state", "clients"]
        assert [each["name"] for each in spec["containers"][0]["volumeMounts"]] == ["agent", "state", "clients"]

    def test_debug_pod_with_another_image_only_sleeps(self):
        spec = debug_pod_object(runner_pod(), "debug-1", "busybox:1")["spec"]
        container = spec["containers"][0]

        assert container["image"] == "busybox:1"
        assert container["command"] == ["sleep", "3600"]
        assert not spec["volumes"]
        assert "workingDir" not in container


class TestLifetime:
    def test_debug_pod_is_deleted_after_the_block(self):
        kube = Cluster(runner_pod())
        with debug_pod(kube, runner_pod(), "", Deadline.after(10)) as name:
            assert kube.get("v1/Pod", name, "shop")
        assert kube.get("v1/Pod", name, "shop") is None

    def test_debug_pod_is_deleted_after_ctrl_c(self):
        kube = Cluster()
        with pytest.raises(KeyboardInterrupt), debug_pod(kube, runner_pod(), "", Deadline.after(10)):
            raise KeyboardInterrupt
        assert not kube.store

    def test_debug_pods_that_ended_are_deleted_and_running_ones_kept(self):
        kube = Cluster()
        for name, phase in (("debug-old", "Failed"), ("debug-other", "Running")):
            kube.put({**debug_pod_object(runner_pod(), name), "status": {"phase": phase}})
        with debug_pod(kube, runner_pod(), "", Deadline.after(10)):
            pass
        assert [name for _, _, name in kube.store] == ["debug-other"]

    def test_debug_pod_whose_image_does_not_exist_fails_at_once(self):
        kube = Cluster()
        kube.status = failed_pull("nowhere:1")
        with (
            pytest.raises(NotReady, match="image nowhere:1 cannot be pulled"),
            debug_pod(kube, runner_pod(), "nowhere:1", Deadline.after(10)),
        ):
            pass
        assert not kube.store

    def test_debug_pod_that_stays_pending_times_out(self):
        kube = Cluster()
        kube.status = {"phase": "Pending"}
        with pytest.raises(OutOfTime, match="does not run"), debug_pod(kube, runner_pod(), "", Deadline.after(0.2)):
            pass
        assert not kube.store
