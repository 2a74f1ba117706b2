"""Why a container ended."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.ends import container_end, restarted

PROBE = {"httpGet": {"path": "/live", "port": 80}}


def pod(**container):
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", **container}]},
    }


def unhealthy(first, last, kind="Liveness"):
    return {
        "reason": "Unhealthy",
        "message": f"{kind} probe failed: 503",
        "metadata": {},
        "firstTimestamp": first,
        "lastTimestamp": last,
    }


def ended(code, at="2026-01-31T12:00:00Z", reason="Error"):
    return {"exitCode": code, "reason": reason, "finishedAt": at}


@pytest.mark.parametrize(
    ("code", "first", "last", "cause"),
    [
        (137, "2026-01-31T11:59:40Z", "2026-01-31T11:59:58Z", "LivenessProbe"),
        (143, "2026-01-31T11:59:40Z", "2026-01-31T12:05:00Z", "LivenessProbe"),
        (0, "2026-01-31T11:59:40Z", "2026-01-31T11:59:58Z", "LivenessProbe"),
        (1, "2026-01-31T11:59:40Z", "2026-01-31T11:59:58Z", "Crash"),
        (137, "2026-01-31T11:00:00Z", "2026-01-31T11:50:00Z", "Crash"),
        (137, "2026-01-31T12:01:00Z", "2026-01-31T12:02:00Z", "Crash"),
    ],
)
def test_failed_liveness_probe_explains_a_kill_shortly_after(code, first, last, cause):
    found = container_end(pod(livenessProbe=PROBE), "web", ended(code), [unhealthy(first, last)])

    assert found.cause == cause


def test_kill_without_a_probe_of_the_container_is_a_crash():
    events = [unhealthy("2026-01-31T11:59:40Z", "2026-01-31T11:59:58Z")]

    assert container_end(pod(), "web", ended(137), events).cause == "Crash"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (139, "was ended by SIGSEGV (exit code 139)"),
        (134, "was ended by SIGABRT (exit code 134)"),
        (255, "ended with exit code 255"),
        (3, "ended with exit code 3"),
    ],
)
def test_signal_is_named(code, words):
    assert container_end(pod(), "web", ended(code)).message == f"container web {words}"


def test_out_of_memory_of_a_child_names_the_exit_code_of_its_parent():
    found = container_end(pod(resources={"limits": {"memory": "64Mi"}}), "web", ended(4, reason="OOMKilled"))

    assert found.cause == "ChildOOMKilled"
    assert found.message == (
        "a child process of container web exceeded its memory limit of 64Mi; then web ended with exit code 4"
    )


def test_container_that_was_not_restarted_is_no_finding():
    assert restarted(pod(), {"name": "web", "restartCount": 0, "state": {"running": {}}}) is None
    assert restarted(pod(), {"name": "web", "restartCount": 1, "state": {"waiting": {}}}) is None


def test_restart_without_a_last_state_is_a_finding():
    found = restarted(pod(), {"name": "web", "restartCount": 2, "state": {"running": {}}})

    assert (found.cause, found.message) == ("Restarted", "restarted 2 times; the last time: for an unknown reason")


def test_restart_after_an_out_of_memory_kill_has_this_cause():
    status = {"name": "web", "restartCount": 1, "state": {"running": {}}}
    status["lastState"] = {"terminated": ended(137, reason="OOMKilled")}

    assert restarted(pod(), status).cause == "OOMKilled"
