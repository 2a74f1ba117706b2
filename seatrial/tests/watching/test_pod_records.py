from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.model.timeline_parts import Condition, Controller, Termination
from seatrial.ports import Object
from seatrial.watching.pod_records import container_records, pod_record

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEN = datetime(2026, 1, 31, 10, tzinfo=UTC)

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-7d9c-abc",
        "namespace": "shop",
        "uid": "u1",
        "labels": {"app": "web", "pod-template-hash": "7d9c"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d9c", "controller": True}],
        "creationTimestamp": "2026-01-31T10:00:00Z",
        "deletionTimestamp": "2026-01-31T10:00:30Z",
        "deletionGracePeriodSeconds": 30,
    },
    "spec": {
        "nodeName": "node-1",
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "emptyDir": {}}],
        "initContainers": [
            {"name": "migrate", "image": "web:1"},
            {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"},
        ],
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "ports": [{"containerPort": 8080}],
                "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                "livenessProbe": {"tcpSocket": {"port": 8080}},
            }
        ],
    },
    "status": {
        "phase": "Running",
        "qosClass": "Burstable",
        "startTime": "2026-01-31T10:00:00Z",
        "podIPs": [{"ip": "10.0.0.7"}],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": "nonsense"},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-31T12:00:00+02:00"},
        ],
        "initContainerStatuses": [
            {
                "name": "migrate",
                "containerID": "containerd://m",
                "state": {
                    "terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-31T10:00:00Z"},
                },
            }
        ],
        "containerStatuses": [
            {
                "name": "web",
                "restartCount": 2,
                "ready": False,
                "started": False,
                "imageID": "web@sha256:1",
                "containerID": "containerd://w2",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 137,
                        "reason": "OOMKilled",
                        "signal": 9,
                        "containerID": "containerd://w1",
                        "startedAt": "2026-01-31T10:00:00Z",
                        "finishedAt": "2026-01-31T10:00:00Z",
                    }
                },
            }
        ],
    },
}


def test_pod_record_has_controller_conditions_addresses_claims_and_deletion() -> None:
    record = pod_record(POD, "modified", AT)

    assert (record.namespace, record.name, record.uid, record.node) == ("shop", "web-7d9c-abc", "u1", "node-1")
    assert record.controller == Controller(kind="Deployment", name="web")
    assert record.conditions == (
        Condition(type="PodScheduled", status="True", since=TEN),
        Condition(type="Ready", status="False", reason="ContainersNotReady"),
    )
    assert record.addresses == ("10.0.0.7",)
    assert record.claims == ("data",)
    assert (record.created, record.started) == (TEN, TEN)
    assert (record.deletion, record.deletion_grace) == (TEN.replace(second=30), 30)


def test_container_records_come_in_the_order_of_the_pod_with_init_containers_and_sidecars_marked() -> None:
    records = list(container_records(POD, "listed", AT))

    assert [(each.container, each.init, each.sidecar) for each in records] == [
        ("migrate", True, False),
        ("proxy", True, True),
        ("web", False, False),
    ]
    assert [each.state for each in records] == ["terminated", "waiting", "waiting"]
    assert (records[0].exit_code, records[0].reason, records[0].finished) == (0, "Completed", TEN)


def test_container_record_of_a_crashed_container_says_how_its_last_run_ended() -> None:
    record = list(container_records(POD, "modified", AT))[-1]

    assert (record.state, record.reason, record.message) == ("waiting", "CrashLoopBackOff", "back-off 20s")
    assert record.restarts == 2
    assert record.last == Termination(
        exit_code=137, reason="OOMKilled", signal=9, started=TEN, finished=TEN, container_id="containerd://w1"
    )
    assert (record.memory_limit, record.memory_request) == ("512Mi", "256Mi")
    assert (record.cpu_limit, record.cpu_request) == ("", "100m")
    assert record.ports == (8080,)


@pytest.mark.parametrize(
    ("probe", "asks"),
    [
        ({"httpGet": {"path": "/ready", "port": "http"}}, "GET http://:http/ready"),
        ({"httpGet": {"port": 8443, "scheme": "HTTPS", "host": "web"}}, "GET https://web:8443/"),
        ({"tcpSocket": {"port": 8080}}, "connect :8080"),
        ({"grpc": {"port": 9000, "service": "health"}}, "gRPC :9000 health"),
        ({"exec": {"command": ["pg_isready", "-q"]}}, "exec pg_isready -q"),
    ],
)
def test_container_record_says_what_its_probe_asks(probe: Object, asks: str) -> None:
    pod: Object = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {"containers": [{"name": "web", "readinessProbe": probe}]},
    }

    (record,) = container_records(pod, "added", AT)

    assert record.probes == {"readiness": asks}
    assert record.state == "waiting"
