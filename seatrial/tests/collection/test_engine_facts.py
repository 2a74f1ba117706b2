"""Facts about containers of Compose are derived from `docker inspect`."""

from __future__ import annotations

import pytest
from seatrial.collection.cluster_facts import variable
from seatrial.collection.engine_facts import engine_facts
from seatrial.model.environment_facts import Limits, Mount

KEY = b"key"


def inspected(service="web", *, config=None, host=None, state=None, depends_on="", **more):
    labels = {"com.docker.compose.service": service, "com.docker.compose.depends_on": depends_on}
    return {
        "Id": "0123456789abcdef",
        "Name": f"/shop-{service}-1",
        "Image": "sha256:id",
        "Config": {"Image": "web:1", "Labels": labels, **(config or {})},
        "HostConfig": host or {},
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:10.123456789Z", **(state or {})},
        **more,
    }


def facts(*containers, logs=None, image_variables=None):
    return engine_facts(
        containers, own=("tests",), key=KEY, image_variables=image_variables or {}, logs=logs or {"shop-web-1": 3}
    )


def test_service_is_named_as_in_the_file_and_by_its_aliases():
    networks = {"shop_default": {"Aliases": ["web", "www", "0123456789ab", "shop-web-1"]}}
    (found,) = facts(inspected(NetworkSettings={"Networks": networks}), inspected("tests"))

    assert (found.name, found.names) == ("web", ("web", "www"))
    assert (found.image, found.image_id, found.digest, found.log) == ("web:1", "sha256:id", "", 3)


def test_service_with_several_containers_is_one_service():
    first = inspected(state={"StartedAt": "2026-01-01T00:00:20Z"}, RestartCount=1)
    second = {**inspected(config={"User": "7"}, RestartCount=2), "Name": "/shop-web-2"}
    second["State"] = {**second["State"], "Status": "exited", "ExitCode": 1}
    (found,) = facts(first, second)

    assert (found.restarts, found.ready, found.user, found.log) == (3, False, "", 3)


def test_service_completed_if_all_its_containers_did():
    ended = {"Status": "exited", "ExitCode": 0}

    assert [each.completed for each in facts(inspected(state=ended), inspected(state=ended))] == [True]
    assert [each.completed for each in facts(inspected(state=ended), inspected())] == [False]


def test_container_of_another_tool_is_left_out():
    assert facts(inspected("")) == ()


def test_variables_of_the_image_are_left_out():
    config = {"Env": ["PATH=/bin", "MODE=exact", "EMPTY="]}
    (found,) = facts(inspected(config=config), image_variables={"sha256:id": {"PATH": "/bin", "MODE": "default"}})

    assert found.variables == {"MODE": variable(KEY, "MODE", "exact"), "EMPTY": variable(KEY, "EMPTY", "")}


def test_limits_mounts_and_probe_are_read():
    (found,) = facts(
        inspected(
            config={"Healthcheck": {"Test": ["CMD", "true"]}, "ExposedPorts": {"80/tcp": {}}, "User": "1000"},
            host={"Memory": 64 << 20, "NanoCpus": 500_000_000, "ReadonlyRootfs": True, "Tmpfs": {"/tmp": ""}},
            Mounts=[{"Type": "bind", "Destination": "/data", "RW": False}],
        )
    )

    assert found.limits == Limits(memory=64 << 20, cpu=0.5)
    assert found.mounts == (Mount(path="/data", kind="bind", read_only=True), Mount(path="/tmp", kind="tmpfs"))
    assert (found.probes, found.ports, found.user, found.read_only_root) == (("healthcheck",), (80,), "1000", True)


@pytest.mark.parametrize(
    ("state", "last"),
    [
        ({}, ""),
        ({"Status": "exited", "ExitCode": 3}, "Error 3"),
        ({"Status": "exited", "ExitCode": 0}, "Completed 0"),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, "OOMKilled 137"),
    ],
)
def test_last_exit_is_read(state, last):
    assert facts(inspected(state=state))[0].last_exit == last


def test_service_that_others_wait_for_until_it_completed_is_meant_to_end():
    ended = inspected("migrate", state={"Status": "exited"})
    web = inspected(depends_on="migrate:service_completed_successfully:false,db:service_healthy:true")

    migrate, found = facts(ended, web)
    assert (migrate.once, migrate.completed) == (True, True)
    assert found.waits_for == ("db (service_healthy)", "migrate (service_completed_successfully)")


@pytest.mark.parametrize(("code", "once"), [(0, True), (3, False)])
def test_service_that_completed_was_meant_to_end(code, once):
    (seed,) = facts(inspected("seed", state={"Status": "exited", "ExitCode": code}))

    assert seed.once is once


def check(seconds, code=0):
    return {"End": f"2026-01-01T00:00:{10 + seconds:02}.123456789Z", "ExitCode": code}


@pytest.mark.parametrize(
    ("log", "seconds"),
    [([], None), ([check(1, 1), check(2)], 2.0), ([check(3)], 3.0), ([check(each) for each in range(5)], None)],
)
def test_time_to_ready_is_that_of_the_first_successful_check(log, seconds):
    assert facts(inspected(state={"Health": {"Status": "healthy", "Log": log}}))[0].seconds_to_ready == seconds


@pytest.mark.parametrize(("status", "ready"), [("healthy", True), ("starting", False)])
def test_unhealthy_container_is_not_ready(status, ready):
    assert facts(inspected(state={"Health": {"Status": status}}))[0].ready is ready
