"""Facts about containers are derived from pods and Services as the API returns them."""

from __future__ import annotations

from datetime import UTC, datetime

from seatrial.collection.cluster_facts import Sources, container_facts, policy_facts, variable
from seatrial.model.environment_facts import Limits, Mount, Trait, Variable
from seatrial.ports import Object

KEY = b"key"


def pod(name="web-5d4f-x", *, owner="ReplicaSet", containers=None, status=None, created="2026-01-01T00:00:00Z", **spec):
    container = {"name": "c", "image": "web:1"}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "creationTimestamp": created,
            "labels": {"app": "web", "pod-template-hash": "5d4f"},
            "ownerReferences": [
                {"kind": owner, "name": "web-5d4f" if owner == "ReplicaSet" else "web", "controller": True}
            ],
        },
        "spec": {"containers": containers or [container], **spec},
        "status": {"containerStatuses": [status or {"name": "c", "ready": True, "restartCount": 0}]},
    }


SERVICE = {"metadata": {"name": "web-http", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}


def facts(*pods, services=(SERVICE,), values=None, logs=None, images=None):
    sources = Sources(KEY, lambda *reference: (values or {}).get(reference), logs or {}, images or {})
    return container_facts(pods, services, runner="test-runner", sources=sources)


def test_container_is_named_after_its_workload_and_has_the_names_of_its_services():
    (found,) = facts(pod())

    assert (found.name, found.names, found.image) == ("web", ("web-http",), "web:1")


def test_pod_without_a_controller_is_named_after_itself():
    alone = pod("web-0")
    alone["metadata"]["ownerReferences"] = [{"kind": "Node", "name": "n"}]

    assert facts(alone)[0].name == "web-0"


def test_ports_are_those_of_the_services():
    service = {**SERVICE, "spec": {"selector": {"app": "web"}, "ports": [{"port": 443}, {"port": 80}]}}

    assert facts(pod(), services=(service,))[0].ports == (80, 443)


def test_service_of_another_namespace_does_not_name_it():
    other = {"metadata": {"name": "x", "namespace": "other"}, "spec": {"selector": {"app": "web"}}}

    assert facts(pod(), services=(other,))[0].names == ()


def test_containers_of_a_pod_are_told_apart():
    two = [{"name": "c", "image": "a"}, {"name": "proxy", "image": "b"}]

    assert [each.name for each in facts(pod(containers=two))] == ["web/c", "web/proxy"]


def test_runner_and_debug_pods_are_left_out():
    debug = pod("debug")
    debug["metadata"]["labels"] = {"seatrial.dev/debug-pod": "true"}

    assert facts(pod("test-runner"), debug) == ()


def test_newest_pod_describes_the_workload_and_restarts_of_all_count():
    old = pod("web-5d4f-a", status={"name": "c", "ready": True, "restartCount": 2})
    new = pod("web-5d4f-b", created="2026-01-02T00:00:00Z", containers=[{"name": "c", "image": "web:2"}])

    (found,) = facts(old, new)
    assert (found.image, found.restarts) == ("web:2", 2)


def test_state_of_a_container_is_read():
    status = {
        "name": "c",
        "ready": False,
        "restartCount": 3,
        "imageID": "docker.io/library/web@sha256:aa",
        "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}},
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }
    there = pod(status=status)
    there["status"]["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:14Z"}]

    (found,) = facts(there, logs={("web-5d4f-x", "c"): 7})
    assert (found.last_exit, found.ready, found.digest, found.log) == ("OOMKilled 137", False, "sha256:aa", 7)
    assert found.started == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert found.seconds_to_ready == 4.0


def test_id_on_the_engine_is_that_of_the_manifest():
    status = {"name": "c", "imageID": "docker.io/library/web@sha256:aa"}

    assert facts(pod(status=status), images={"sha256:aa": "sha256:local"})[0].image_id == "sha256:local"
    assert facts(pod(status=status))[0].image_id == ""


def test_job_is_meant_to_end():
    status = {"name": "c", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}

    (found,) = facts(pod(owner="Job", status=status))
    assert (found.once, found.completed, found.seconds_to_ready) == (True, True, None)


def test_specification_is_read():
    container = {
        "name": "c",
        "image": "web:1",
        "command": ["serve"],
        "args": ["--port", "80"],
        "readinessProbe": {},
        "ports": [{"containerPort": 80}],
        "securityContext": {"readOnlyRootFilesystem": True},
        "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
        "volumeMounts": [{"name": "t", "mountPath": "/tmp"}, {"name": "d", "mountPath": "/data", "readOnly": True}],
    }
    (found,) = facts(
        pod(
            containers=[container],
            securityContext={"runAsUser": 1000},
            initContainers=[{"name": "wait"}],
            enableServiceLinks=False,
            volumes=[{"name": "t", "emptyDir": {"medium": "Memory"}}, {"name": "d", "configMap": {"name": "x"}}],
        )
    )
    assert found.command == ("serve", "--port", "80")
    assert (found.user, found.read_only_root, found.service_links) == ("1000", True, False)
    assert found.limits == Limits(memory=64 << 20, cpu=0.5)
    assert found.probes == ("readiness",)
    assert found.waits_for == ("init container wait",)
    assert found.ports == (80,)
    assert found.mounts == (Mount(path="/data", kind="configMap", read_only=True), Mount(path="/tmp", kind="tmpfs"))


def test_values_of_variables_become_fingerprints():
    env = [
        {"name": "URL", "value": "http://localhost:80"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    container = {"name": "c", "image": "i", "env": env, "envFrom": [{"configMapRef": {"name": "m"}, "prefix": "X_"}]}
    values = {("Secret", "shop", "s"): {"p": "sesame"}, ("ConfigMap", "shop", "m"): {"A": "1"}}

    (found,) = facts(pod(containers=[container]), values=values)
    assert found.variables == {
        "X_A": variable(KEY, "X_A", "1"),
        "URL": variable(KEY, "URL", "http://localhost:80"),
        "PASSWORD": variable(KEY, "PASSWORD", "sesame"),
        "POD": Variable(),
    }
    assert found.variables["URL"].traits == (Trait.LOOPBACK,)


def test_value_of_an_unreadable_secret_is_unknown():
    env = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}]

    assert facts(pod(containers=[{"name": "c", "env": env}]))[0].variables == {"PASSWORD": Variable()}


def test_policies_are_told_apart_by_their_specification():
    policies: list[Object] = [{"metadata": {"name": "b"}, "spec": {"x": 1}}, {"metadata": {"name": "a"}}]

    first, second = policy_facts(policies)
    assert (first.name, second.name) == ("a", "b")
    assert first.digest != second.digest
