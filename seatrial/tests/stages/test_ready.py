"""The ready stage: workloads and services that become ready, and those that do not."""

from __future__ import annotations

import threading
import time

import pytest
from msgspec.structs import replace as changed
from seatrial.model.errors import NotReady
from seatrial.model.event import FindingMade, Note, ServiceSeen
from seatrial.model.result import Outcome, Stage
from seatrial.model.spec import ReadySpec, ServiceSpec
from seatrial.ports import Change, StreamBroken
from shop_world import (
    READY,
    deployment,
    install_world,
    installed,
    run_runner_pod,
)

SERVICE = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))}


class TestReady:
    def up(self, tmp_path, **more):
        world = install_world(tmp_path, **more)
        command, _ = installed(world)
        run_runner_pod(world)
        return world, command

    def test_ready_workloads_are_reported(self, tmp_path):
        world, command = self.up(tmp_path)

        assert command.ready().facts == {"workloads": "2", "services": "0"}
        assert {seen.name for seen in world.recorded.of(ServiceSeen) if seen.ready} == {"web", "test-runner"}

    def test_workload_that_becomes_ready_later_is_awaited(self, tmp_path):
        world, command = self.up(tmp_path)
        world.kube.put(deployment())
        world.kube.then["apps/v1/Deployment"] = [Change(type="modified", objects=(deployment(**READY),))]

        assert command.ready().outcome is Outcome.DONE

    @pytest.mark.parametrize(("provider", "waits"), [("existing", [1.2]), ("kind", [])])
    def test_routes_of_a_cluster_of_others_are_awaited_if_something_became_ready(self, tmp_path, provider, waits):
        class Canceled(threading.Event):
            def wait(self, timeout=None):
                waited.append(timeout)
                return False

        waited = []
        world = install_world(tmp_path)
        world.record = changed(world.record, provider=provider)
        command, _ = installed(world)
        run_runner_pod(world)
        command.ready()
        command.ctx.canceled = Canceled()
        world.kube.put(deployment())
        world.kube.then["apps/v1/Deployment"] = [Change(type="modified", objects=(deployment(**READY),))]
        command.ready()

        assert [seconds for seconds in waited if seconds == 1.2] == waits

    def test_workload_that_is_not_ready_in_time_is_named(self, tmp_path):
        world, command = self.up(tmp_path)
        world.kube.put(deployment())
        project = command.ctx.project
        command.ctx.project = changed(project, timeouts=changed(project.timeouts, ready=0.05))

        with pytest.raises(NotReady) as caught:
            command.ready()
        assert caught.value.message == "web not ready within 0 s"
        assert "0 of 1 pods created" in caught.value.findings[0].message
        assert command.ctx.facts[Stage.READY] == {"workloads": "2"}

    def test_crash_loop_ends_the_wait_with_the_last_log_lines(self, tmp_path):
        world, command = self.up(tmp_path)
        world.kube.put(deployment())
        bad = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "web-1",
                "namespace": "shop",
                "uid": "p",
                "labels": {"pod-template-hash": "1"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}],
            },
            "spec": {"containers": [{"name": "c", "image": "base:1"}]},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "c",
                        "ready": False,
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                    }
                ],
            },
        }
        world.kube.put(bad)
        world.kube.texts["web-1", "c", True] = b"starting\nno such table\n"

        with pytest.raises(NotReady) as caught:
            command.ready()
        assert caught.value.message == "pod/web-1 container c: container c ended with exit code 1"
        assert caught.value.findings[0].evidence == ("starting", "no such table")
        assert caught.value.reason == "no such table"
        assert world.recorded.of(FindingMade)[0].finding.fatal
        assert all(watch.closed for watch in world.kube.watches)

    def test_canceled_run_ends_the_wait(self, tmp_path):
        world, command = self.up(tmp_path)
        world.kube.put(deployment())
        command.ctx.canceled.set()

        with pytest.raises(NotReady):
            command.ready()

    def test_services_are_probed(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [
            b'{"name": "web", "message": "HTTP sta',
            b'tus 503"}\n{"name": "web", "message": ""}\n',
        ]

        assert command.ready().facts["services"] == "1"
        told = [(seen.ready, seen.waits_for) for seen in world.recorded.of(ServiceSeen) if seen.name == "web"][-2:]
        assert told == [(False, "HTTP status 503"), (True, "")]

    def test_probe_on_a_paused_node_ends_with_the_run(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        block = threading.Event()
        world.kube.pod.stream = lambda *args, **more: iter(lambda: block.wait() and None, None)
        threading.Timer(0.3, command.ctx.canceled.set).start()
        began = time.monotonic()

        command.ready()

        assert time.monotonic() - began < 5
        block.set()

    def web_pod(self, world, **more):
        status = {"restarts": 0, "ready": "True", "since": "2026-01-01T00:00:00Z", "uid": "p", **more}
        world.kube.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web-1", "namespace": "shop", "uid": status["uid"]},
                "spec": {"containers": []},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{"name": "c", "restartCount": status["restarts"]}],
                    "conditions": [{"type": "Ready", "status": status["ready"], "lastTransitionTime": status["since"]}],
                },
            }
        )

    def answered(self, tmp_path):
        """Return an environment whose services answered, and a function that counts the probes of the next command."""
        world, command = self.up(tmp_path, service=SERVICE)
        self.web_pod(world)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        command.ready()
        assert len(world.kube.pod.asked) == 2, "after a change, two rounds must succeed"
        world.kube.pod.asked.clear()

        def again():
            command, _ = installed(world)
            run_runner_pod(world)
            command.ready()
            return len(world.kube.pod.asked)

        return world, again

    def test_unchanged_pods_are_not_probed_again(self, tmp_path):
        _, again = self.answered(tmp_path)

        assert again() == 0

    @pytest.mark.parametrize(
        "change", [{"restarts": 1}, {"uid": "other"}, {"since": "2026-01-01T00:00:09Z"}, {"ready": "False"}]
    )
    def test_changed_pods_are_probed_again(self, tmp_path, change):
        world, again = self.answered(tmp_path)
        self.web_pod(world, **change)

        assert again() == 2
        world.kube.pod.asked.clear()
        assert again() == 0

    def test_pod_that_restarts_during_a_probe_is_probed_again(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        self.web_pod(world)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        stream, rounds = world.kube.pod.stream, []

        def flaps(argv, **more):
            rounds.append(argv)
            if len(rounds) in (1, 3):
                self.web_pod(world, restarts=len(rounds))
            return stream(argv, **more)

        world.kube.pod.stream = flaps
        command.ready()

        # 1: restarted meanwhile; 2: good; 3: restarted meanwhile; 4 and 5: good, with the same pods.
        assert len(rounds) == 5

    def test_pods_that_keep_changing_do_not_block_the_tests(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        stream, rounds = world.kube.pod.stream, []

        def flaps(argv, **more):
            rounds.append(argv)
            self.web_pod(world, restarts=len(rounds))
            return stream(argv, **more)

        world.kube.pod.stream = flaps
        command.ready()

        assert "pods still change while their services are probed: web-1" in [
            note.text for note in world.recorded.of(Note)
        ]

    def test_service_that_does_not_answer_is_an_error(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [b'{"name": "web", "message": "HTTP status 503"}\n']

        with pytest.raises(NotReady) as caught:
            command.ready()
        assert caught.value.reason == "service web does not answer as declared: HTTP status 503"

    def test_broken_connection_of_a_probe_is_an_error(self, tmp_path):
        world, command = self.up(tmp_path, service=SERVICE)
        world.kube.pod.fails = StreamBroken("cut")

        with pytest.raises(NotReady) as caught:
            command.ready()
        assert caught.value.reason == "cut"
