from __future__ import annotations

import pytest
from seatrial.readiness.container import (
    container_name,
    engine_container_state,
    judge_container,
    service_of,
)


def container(*, memory=0, **state):
    return {
        "Id": "1",
        "Name": "/shop-aa-web-1",
        "Config": {"Labels": {"com.docker.compose.service": "web"}},
        "HostConfig": {"Memory": memory},
        "State": {"Status": "running", "Running": True, "ExitCode": 0, **state},
    }


def exited(code=1, **more):
    return container(Status="exited", Running=False, ExitCode=code, **more)


def health(status, **more):
    return container(Health={"Status": status, **more})


def causes(of):
    return [(each.finding.cause, each.grace) for each in judge_container(of).suspicions]


def test_names():
    assert (container_name(container()), service_of(container())) == ("shop-aa-web-1", "web")
    assert service_of({"Config": {"Labels": None}}) == ""


@pytest.mark.parametrize("ready", [container(), health("healthy"), health("none"), exited(code=0)])
def test_running_healthy_and_completed_containers_are_ready(ready):
    assert judge_container(ready).state == "ready"


@pytest.mark.parametrize(
    ("waits", "reason"),
    [
        (health("starting"), "its health check"),
        (container(Status="created", Running=False), "web to start"),
    ],
)
def test_container_that_starts_is_waited_for(waits, reason):
    verdict = judge_container(waits)

    assert (verdict.state, verdict.reason, verdict.suspicions) == ("waiting", reason, ())


def test_exit_code_other_than_zero_is_a_crash():
    verdict = judge_container(exited(3))

    (suspicion,) = verdict.suspicions
    assert (suspicion.finding.cause, suspicion.grace) == ("Crash", 0)
    assert suspicion.finding.message == "service web ended with exit code 3"


def test_killed_container_is_a_crash():
    assert "was killed (exit code 137)" in judge_container(exited(137)).suspicions[0].finding.message


def test_memory_limit_is_named():
    verdict = judge_container(exited(137, OOMKilled=True, memory=64 << 20))

    assert verdict.suspicions[0].finding.message == "service web exceeded its memory limit of 64 MiB"
    assert causes(exited(0, OOMKilled=True)) == [("OOMKilled", 0)]


def test_restarting_container_is_a_crash():
    assert causes(container(Restarting=True, ExitCode=2)) == [("Crash", 0)]


def test_unhealthy_container_has_its_last_outputs_as_evidence():
    verdict = judge_container(
        health("unhealthy", FailingStreak=3, Log=[{"Output": "a\nrefused\n"}, {"Output": "timed out"}])
    )

    (suspicion,) = verdict.suspicions
    assert suspicion.finding.cause == "Unhealthy"
    assert suspicion.finding.evidence == ("refused", "timed out")
    assert suspicion.grace > 0


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "PortTaken"),
        ('exec: "nosuch": executable file not found in $PATH', "StartError"),
        ("exec /bin/x: no such file or directory", "StartError"),
    ],
)
def test_container_that_cannot_start_has_a_finding(error, cause):
    assert causes(container(Status="created", Running=False, Error=error)) == [(cause, 0)]
    assert causes(exited(127, Error=error)) == [(cause, 0)]


@pytest.mark.parametrize(
    ("of", "state", "reason"),
    [
        (None, "gone", ""),
        (container(), "running", ""),
        (container(Status="created", Running=False), "waiting", "created"),
        (exited(137, OOMKilled=True, memory=1 << 30), "terminated", "OOMKilled"),
        (exited(2), "terminated", ""),
    ],
)
def test_state_in_terms_of_the_port(of, state, reason):
    found = engine_container_state(of)

    assert (found.state, found.reason) == (state, reason)


def test_state_of_ended_container_has_exit_code_and_limit():
    found = engine_container_state(exited(137, memory=1 << 30))

    assert (found.code, found.memory_limit) == (137, "1024 MiB")
