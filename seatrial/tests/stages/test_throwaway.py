"""The pod of `seatrial debug`: like the runner, gone afterwards."""

from __future__ import annotations

import subprocess

import pytest
from fakes import FakeKube
from seatrial.cli.debug import inside
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady, OutOfTime
from seatrial.model.names import LABEL_THROWAWAY
from seatrial.stages.throwaway import CLIENTS, LIFE, throwaway, throwaway_pod

from .test_runner_pod import pod as runner_pod

RUNNING = {"containerStatuses": [{"name": "debug", "state": {"running": {}}}], "phase": "Running"}


def pulled_in_vain(image):
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
    def test_it_is_in_the_runners_place(self):
        runner = runner_pod()
        made = throwaway_pod(runner, "debug-1")
        container, tests = made["spec"]["containers"][0], runner["spec"]["containers"][0]

        assert made["metadata"]["labels"] == {**runner["metadata"]["labels"], LABEL_THROWAWAY: "true"}
        assert made["spec"]["serviceAccountName"] == runner["spec"]["serviceAccountName"]
        assert made["spec"]["securityContext"]["runAsNonRoot"] is True
        assert made["spec"]["activeDeadlineSeconds"] == LIFE
        assert (container["image"], container["env"]) == (tests["image"], tests["env"])
        assert container["command"][-2:] == ["lend", CLIENTS]

    def test_it_mounts_what_it_has_and_nothing_of_the_tests(self):
        spec = throwaway_pod(runner_pod(), "debug-1")["spec"]

        assert [each["name"] for each in spec["volumes"]] == ["agent", "state", "clients"]
        assert [each["name"] for each in spec["containers"][0]["volumeMounts"]] == ["agent", "state", "clients"]

    def test_another_image_gets_nothing_that_it_may_not_be_able_to_run(self):
        spec = throwaway_pod(runner_pod(), "debug-1", "busybox:1")["spec"]
        container = spec["containers"][0]

        assert container["image"] == "busybox:1"
        assert container["command"] == ["sleep", "3600"]
        assert not spec["volumes"]
        assert "workingDir" not in container


class TestLife:
    def test_it_is_gone_afterwards(self):
        kube = Cluster(runner_pod())
        with throwaway(kube, runner_pod(), "", Deadline.after(10)) as name:
            assert kube.get("v1/Pod", name, "shop")
        assert kube.get("v1/Pod", name, "shop") is None

    def test_it_is_gone_after_ctrl_c(self):
        kube = Cluster()
        with pytest.raises(KeyboardInterrupt), throwaway(kube, runner_pod(), "", Deadline.after(10)):
            raise KeyboardInterrupt
        assert not kube.store

    def test_those_that_ended_go_and_others_stay(self):
        kube = Cluster()
        for name, phase in (("debug-old", "Failed"), ("debug-other", "Running")):
            kube.put({**throwaway_pod(runner_pod(), name), "status": {"phase": phase}})
        with throwaway(kube, runner_pod(), "", Deadline.after(10)):
            pass
        assert [name for _, _, name in kube.store] == ["debug-other"]

    def test_an_image_that_is_nowhere_is_named_at_once(self):
        kube = Cluster()
        kube.status = pulled_in_vain("nowhere:1")
        with (
            pytest.raises(NotReady, match="image nowhere:1 cannot be pulled"),
            throwaway(kube, runner_pod(), "nowhere:1", Deadline.after(10)),
        ):
            pass
        assert not kube.store

    def test_time_passes(self):
        kube = Cluster()
        kube.status = {"phase": "Pending"}
        with pytest.raises(OutOfTime, match="does not run"), throwaway(kube, runner_pod(), "", Deadline.after(0.2)):
            pass
        assert not kube.store


def test_clients_come_after_the_images_own_programs():
    assert 'PATH="$PATH:/seatrial/lent/bin"' in inside(["http", "x"], own=True)[2]
    assert inside(["ls"], own=False) == ("ls",)


def test_a_question_waits_for_clients_that_are_still_being_written(tmp_path, monkeypatch):
    bin_ = tmp_path / "bin"
    monkeypatch.setattr("seatrial.stages.throwaway.CLIENTS", str(bin_))
    asking = subprocess.Popen(inside(["greet", "you"], own=True), stdout=subprocess.PIPE, text=True)
    new = tmp_path / "bin.new"
    new.mkdir()
    (new / "greet").write_text('#!/bin/sh\necho "hello $1"\n')
    (new / "greet").chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        asking.wait(0.3)
    new.rename(bin_)
    assert asking.communicate(timeout=10)[0] == "hello you\n"
    assert asking.returncode == 0
