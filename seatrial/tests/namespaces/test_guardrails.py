"""Guardrails of namespaces in a shared cluster, and the test whether the network enforces them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as changed
from seatrial.model.event import Note
from seatrial.model.spec import NamespaceSpec
from seatrial.namespaces.guardrails import ENFORCED, apply_guardrails, guardrail_objects, verify_policies
from seatrial.ports import Completed
from shared_cluster import ENVIRONMENT, OWNER, labels_of_namespace, namespace, own_namespace, shared_world


@pytest.fixture
def world(tmp_path):
    return shared_world(tmp_path)


def apply(world, namespace="pr-42"):
    spec, runner = world.project.namespace, world.project.runner
    apply_guardrails(world.kube, namespace, spec, runner, environment="pr-42", labels=world.record.labels)


def verify(world):
    state_file = world.env().directory / "policies.json"
    return verify_policies(world.kube, world.project.runner, "pr-42", state_file=state_file, warn=world.ctx().warn)


def applied_names(world):
    return [obj["metadata"]["name"] for obj in world.kube.applied]


class TestGuardrails:
    def test_only_namespaces_of_the_environment_may_connect_to_each_other(self):
        limits, quota, policy = guardrail_objects("pr-42-data", NamespaceSpec(), "pr-42", {"a": "b"})
        mine = {"namespaceSelector": {"matchLabels": {ENVIRONMENT: "pr-42"}}}

        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert policy["spec"]["podSelector"] == {}
        assert policy["spec"]["ingress"] == [{"from": [mine]}]
        inside, dns, outside = policy["spec"]["egress"]
        assert inside == {"to": [mine]}
        assert {each["port"] for each in dns["ports"]} == {53}
        assert "10.0.0.0/8" in outside["to"][0]["ipBlock"]["except"]
        assert quota["spec"]["hard"]["services.nodeports"] == "0"
        assert limits["spec"]["limits"][0]["default"] == {"memory": "512Mi"}
        assert all(each["metadata"]["labels"] == {"a": "b"} for each in (limits, quota, policy))

    def test_runner_with_rights_may_connect_to_the_api_server(self, world):
        ports = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"}}
        world.kube.put({**ports, "spec": {"clusterIPs": ["10.96.0.1", "fd00::1"], "ports": [{"port": 443}]}})
        meta = {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}}
        part = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
        world.kube.put({**part, "endpoints": [{"addresses": ["172.18.0.3"]}], "ports": [{"port": 6443}]})
        apply(world)
        assert "seatrial-api" not in applied_names(world), "a runner without rights needs no connection"

        rule = {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)}
        world.project = changed(world.project, runner=changed(world.project.runner, rules=(rule,)))
        apply(world, "pr-42-data")
        assert "seatrial-api" not in applied_names(world)
        apply(world)
        policy = world.kube.applied[-1]

        assert policy["metadata"]["name"] == "seatrial-api"
        assert policy["spec"]["podSelector"] == {"matchLabels": {"app": "test-runner"}}
        assert policy["spec"]["policyTypes"] == ["Egress"]
        assert [(each["to"][0]["ipBlock"]["cidr"], each["ports"][0]["port"]) for each in policy["spec"]["egress"]] == [
            ("10.96.0.1/32", 443),
            ("fd00::1/128", 443),
            ("172.18.0.3/32", 6443),
        ]
        world.project = changed(world.project, namespace=NamespaceSpec(isolated=False))
        world.kube.applied.clear()
        apply(world)
        assert "NetworkPolicy" not in [obj["kind"] for obj in world.kube.applied]

    def test_namespace_that_is_not_isolated_has_no_network_policy(self):
        kinds = [each["kind"] for each in guardrail_objects("x", NamespaceSpec(isolated=False), "x", {})]
        assert kinds == ["LimitRange", "ResourceQuota"]

    @pytest.mark.parametrize(
        ("said", "found", "warned"),
        [
            (b"reached\n", "ignored", "ignores NetworkPolicies"),
            (b"blocked\n", "enforced", ""),
            (b"Traceback", "unknown", "could not determine"),
        ],
    )
    def test_enforcement_is_tested_once_for_each_runner_pod_and_reported(self, world, said, found, warned):
        asked = self.dns(world, said)

        assert verify(world) == found
        assert verify(world) == found
        assert len(asked) == 1
        assert asked[0][-3:] == ("10.244.0.3", "9153", "3")
        assert world.kube.get("v1/Namespace", "pr-42")["metadata"]["annotations"] == {ENFORCED: found}
        assert labels_of_namespace(world)[OWNER] == "seatrial"
        notes = [event.text for event in world.recorded.bodies if isinstance(event, Note)]
        assert [warned in note for note in notes] == ([True] if warned else [])

    def test_enforcement_is_unknown_without_a_pod_to_connect_to(self, world):
        self.dns(world, b"blocked\n")
        del world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        assert verify(world) == "unknown"

    @pytest.mark.parametrize("change", ["starting", "silent"])
    def test_enforcement_is_unknown_if_no_port_is_known_to_listen(self, world, change):
        asked = self.dns(world, b"blocked\n")
        pod = world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        if change == "starting":
            pod["status"]["conditions"][0]["status"] = "False"
        else:
            del pod["spec"]["containers"][0]["ports"]
        assert verify(world) == "unknown"
        assert not asked

    def test_namespace_of_another_owner_is_neither_tested_nor_annotated(self, world):
        asked = self.dns(world, b"blocked\n")
        world.kube.put(namespace(use="allowed"))
        world.kube.applied.clear()

        assert verify(world) == ""
        assert verify(world) == ""
        assert (asked, world.kube.applied) == ([], [])

    def dns(self, world, said):
        asked = []

        def run(argv, *, stdin=b"", container="tests", timeout):
            asked.append(tuple(argv))
            return Completed(argv=tuple(argv), code=0, stdout=said, stderr=b"")

        world.kube.pod.run = run
        meta = {"name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
        ports = [
            {"containerPort": 53, "protocol": "UDP"},
            {"containerPort": 53, "protocol": "TCP"},
            {"containerPort": 9153, "protocol": "TCP"},
        ]
        status = {"podIP": "10.244.0.3", "conditions": [{"type": "Ready", "status": "True"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}
        world.kube.put({**pod, "spec": {"containers": [{"name": "coredns", "ports": ports}]}})
        runner = {"name": world.project.runner.pod, "namespace": "pr-42"}
        world.kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": runner})
        world.kube.put(own_namespace(world))
        return asked
