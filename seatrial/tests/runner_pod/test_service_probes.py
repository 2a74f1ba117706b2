"""Probes of the declared services in the runner pod."""

from __future__ import annotations

import threading

import pytest
from fakes import World
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady
from seatrial.model.event import FindingMade, Note, ServiceSeen
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.ports import StreamBroken
from seatrial.runner_pod.service_probes import STATE_FILE, ServiceProbes, changed_pods, probes_of
from seatrial.saved_state import write
from shop_world import pod

GOOD = b'{"name": "web", "message": ""}\n'
REFUSED = b'{"name": "web", "message": "Connection refused"}\n'


@pytest.fixture
def world(tmp_path):
    service = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))}
    it = World(tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="r:1", namespace="shop"), service=service))
    it.kube.put(web_pod())
    it.kube.pod.chunks = [GOOD]
    return it


def web_pod(name="web-1", restarts=0, **labels):
    found = pod(name, restarts=restarts)
    found["metadata"]["labels"] = labels
    return found


def probes(world):
    return ServiceProbes(kube=world.kube, project=world.project, emit=world.recorded, canceled=threading.Event())


def told(world):
    return [(seen.ready, seen.waits_for) for seen in world.recorded.of(ServiceSeen)]


class TestRun:
    def test_each_change_of_a_service_is_reported_once(self, world):
        world.kube.pod.chunks = [b'{"name": "web", "message": "HTTP sta', b'tus 503"}\n', REFUSED, REFUSED, GOOD]
        probes(world).run(5)

        assert told(world) == [(False, "HTTP status 503"), (False, "Connection refused"), (True, "")]

    def test_service_that_is_not_ready_in_time_is_a_finding(self, world):
        world.kube.pod.chunks = [REFUSED]

        with pytest.raises(NotReady, match="web not ready within 5 s") as caught:
            probes(world).run(5)
        assert [each.message for each in caught.value.findings] == [
            "service web does not answer as declared: Connection refused"
        ]

    def test_service_without_pods_is_explained(self, world):
        world.kube.pod.chunks = [REFUSED]
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
        world.kube.put({**service, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})

        with pytest.raises(NotReady) as caught:
            probes(world).run(5)
        (found,) = caught.value.findings
        assert (found.cause, found.message) == (
            "NoEndpoints",
            "its selector app=web matches no pod, and no workload creates one",
        )
        assert found.leads_to == ("service/web: service web does not answer as declared: Connection refused",)

    def test_broken_connection_is_an_error(self, world):
        world.kube.pod.fails = StreamBroken("cut")

        with pytest.raises(NotReady, match="could not be probed") as caught:
            probes(world).run(5)
        assert caught.value.reason == "cut"

    def test_probes_on_a_paused_node_end_with_the_run(self, world):
        block, it = threading.Event(), probes(world)
        world.kube.pod.stream = lambda *args, **more: iter(lambda: block.wait() and None, None)
        it.canceled.set()
        it.run(60)
        block.set()

        assert told(world) == []

    def test_nothing_is_run_without_services(self, tmp_path):
        world = World(tmp_path)
        probes(world).run(5)

        assert world.kube.pod.asked == []


class TestRunUntilStable:
    @pytest.fixture
    def restarting(self, world):
        """Restart the pod during some rounds."""

        def restarts(*rounds):
            stream, seen = world.kube.pod.stream, []

            def during(argv, **more):
                seen.append(argv)
                if not rounds or len(seen) in rounds:
                    world.kube.put(web_pod(restarts=len(seen)))
                return stream(argv, **more)

            world.kube.pod.stream = during
            return seen

        return restarts

    def test_two_rounds_have_to_succeed_with_the_same_pods(self, world):
        pods = probes(world).run_until_stable(Deadline.after(5), lambda: pytest.fail("no pod changed"))

        assert len(world.kube.pod.asked) == 2
        assert list(pods) == ["Pod web-1"]

    def test_pods_that_changed_are_awaited_and_probed_again(self, world, restarting):
        rounds, waits = restarting(1, 3), []
        probes(world).run_until_stable(Deadline.after(5), lambda: waits.append(True))

        # 1: restarted during the probe; 2: good; 3: restarted again; 4 and 5: good, with the same pods.
        assert (len(rounds), len(waits)) == (5, 2)

    def test_pods_that_keep_changing_are_named(self, world, restarting):
        restarting()
        probes(world).run_until_stable(Deadline.after(5), lambda: None)

        assert [note.text for note in world.recorded.of(Note)] == [
            "pods still change while their services are probed: web-1"
        ]


class TestAfterFailedTests:
    def test_silent_service_is_a_finding(self, world, tmp_path):
        world.kube.pod.chunks = [REFUSED]
        findings = probes(world).after_failed_tests(tmp_path)

        assert [each.cause for each in findings] == ["NoAnswer"]
        assert [body.finding for body in world.recorded.of(FindingMade)] == list(findings)

    def test_pods_that_changed_since_the_tests_began_are_named(self, world, tmp_path):
        before = probes(world)
        write(tmp_path / STATE_FILE, before.state(before.pod_states()))
        world.kube.put(web_pod(restarts=1))
        assert probes(world).after_failed_tests(tmp_path) == ()

        assert [note.text for note in world.recorded.of(Note)] == [
            "while the tests ran, pods were created, deleted, restarted or not ready: web-1"
        ]

    def test_cluster_that_does_not_answer_is_no_finding(self, world, tmp_path, monkeypatch):
        monkeypatch.setattr("seatrial.runner.probe_run._AFTER_TESTS", 0.1)
        monkeypatch.setattr("seatrial.runner.probe_run._SLACK_SECONDS", 0.1)
        block = threading.Event()
        world.kube.objects = lambda *args, **more: block.wait()

        assert probes(world).after_failed_tests(tmp_path) == ()
        block.set()


class TestPodStates:
    def test_runner_pod_and_debug_pods_do_not_count(self, world):
        world.kube.put(web_pod("test-runner"))
        world.kube.put(web_pod("debug-1", **{"seatrial.dev/debug-pod": "true"}))

        assert list(probes(world).pod_states()) == ["Pod web-1"]

    @pytest.mark.parametrize(
        ("after", "changed"),
        [
            ({"a": "web-1 0 True x"}, []),
            ({"a": "web-1 1 True x"}, ["web-1"]),
            ({"a": "web-1 0 False y"}, ["web-1"]),
            ({"b": "web-2 0 True x"}, ["web-1", "web-2"]),
            ({}, ["web-1"]),
        ],
    )
    def test_changed_pods_are_named(self, after, changed):
        assert changed_pods({"a": "web-1 0 True x"}, after) == changed


def test_each_service_has_a_probe():
    services = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/")), "db": ServiceSpec(port=5432)}

    assert [each["name"] for each in probes_of(services, "shop")] == ["web", "db"]
