from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.model.timeline_parts import Controller
from seatrial.ports import Object
from seatrial.watching.workload_records import job_record, workload_record

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEMPLATE = {"spec": {"initContainers": [{"image": "web:1"}], "containers": [{"image": "web:1"}, {"image": "log:2"}]}}


def workload(kind: str, spec: Object, status: Object, **meta: object) -> Object:
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": 3, **meta}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "numbers"),
    [
        ("Deployment", {"replicas": 3}, {"replicas": 3, "updatedReplicas": 2, "readyReplicas": 1}, (3, 3, 2, 1, 0)),
        ("Deployment", {"replicas": 0}, {}, (0, 0, 0, 0, 0)),
        ("StatefulSet", {}, {"replicas": 1, "availableReplicas": 1, "readyReplicas": 1}, (1, 1, 0, 1, 1)),
        ("ReplicaSet", {"replicas": 2}, {"replicas": 2, "fullyLabeledReplicas": 2}, (2, 2, 2, 0, 0)),
        (
            "DaemonSet",
            {},
            {"desiredNumberScheduled": 4, "currentNumberScheduled": 3, "numberReady": 2, "numberAvailable": 1},
            (4, 3, 0, 2, 1),
        ),
    ],
)
def test_workload_record_has_the_numbers_of_its_pods(
    kind: str, spec: Object, status: Object, numbers: tuple[int, ...]
) -> None:
    record = workload_record(workload(kind, spec, status), "added", AT)

    assert (record.replicas, record.current, record.updated, record.ready, record.available) == numbers


def test_workload_record_has_images_selector_and_revision() -> None:
    spec = {"template": TEMPLATE, "selector": {"matchLabels": {"app": "web"}}}
    owner = [{"kind": "Deployment", "name": "web", "controller": True}]
    annotations = {"deployment.kubernetes.io/revision": "7"}

    record = workload_record(
        workload("ReplicaSet", spec, {"observedGeneration": 2}, ownerReferences=owner, annotations=annotations),
        "added",
        AT,
    )

    assert record.images == ("web:1", "log:2")
    assert record.selector == {"app": "web"}
    assert record.controller == Controller(kind="Deployment", name="web")
    assert (record.revision, record.generation, record.observed_generation) == ("7", 3, 2)


def test_job_record_of_a_failed_hook_has_its_limit_and_its_end() -> None:
    job: Object = {
        "metadata": {
            "name": "migrate",
            "namespace": "shop",
            "uid": "j",
            "annotations": {"helm.sh/hook": "pre-install"},
        },
        "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 60, "template": TEMPLATE},
        "status": {
            "failed": 3,
            "startTime": "2026-01-31T11:00:00Z",
            "conditions": [
                {
                    "type": "Failed",
                    "status": "True",
                    "reason": "BackoffLimitExceeded",
                    "lastTransitionTime": "2026-01-31T11:30:00Z",
                }
            ],
        },
    }

    record = job_record(job, "modified", AT)

    assert (record.hook, record.backoff_limit, record.active_deadline) == ("pre-install", 2, 60)
    assert (record.failed, record.completions) == (3, 1)
    assert record.conditions[0].reason == "BackoffLimitExceeded"
    assert record.finished == datetime(2026, 1, 31, 11, 30, tzinfo=UTC)


def test_job_record_of_a_running_job_has_no_end() -> None:
    record = job_record({"metadata": {"name": "migrate"}, "status": {"active": 1}}, "added", AT)

    assert record.finished is None
    assert (record.active, record.backoff_limit) == (1, 6)
