"""Why a running pod is not ready."""

from __future__ import annotations

from seatrial.diagnose.rules.unready import gate_closed, init_running, probe_failing


def pod(**spec):
    probe = {"grpc": {"port": 9000, "service": "health"}}
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "readinessProbe": probe}, {"name": "side"}], **spec},
        "status": {"conditions": [{"type": "Set", "status": "True"}]},
    }


def unhealthy(message, container="web"):
    return {
        "reason": "Unhealthy",
        "message": message,
        "involvedObject": {"fieldPath": f"spec.containers{{{container}}}"},
        "metadata": {},
    }


def test_latest_probe_of_the_container_counts():
    events = [unhealthy("Readiness probe failed: old"), unhealthy("Readiness probe failed: new")]
    found = probe_failing(pod(), {"name": "web"}, events)

    assert found.message == "the readiness probe of container web (gRPC :9000 health) fails: new"


def test_probes_of_other_containers_and_of_other_kinds_do_not_count():
    events = [unhealthy("Readiness probe failed: x", "side"), unhealthy("Liveness probe failed: x")]

    assert probe_failing(pod(), {"name": "web"}, events) is None


def test_init_container_without_a_start_time_is_named():
    assert init_running(pod(), {"name": "wait"}).message == "init container wait has not ended"


def test_readiness_gate_that_is_true_is_no_problem():
    assert gate_closed(pod()) is None
    assert gate_closed(pod(readinessGates=[{"conditionType": "Set"}])) is None
    assert "Other" in gate_closed(pod(readinessGates=[{"conditionType": "Other"}])).message
