from __future__ import annotations

import json

import pytest
from seatrial.config.draft_services import services_of


def rendered(**changes):
    service = {
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "http"}, {"port": 9000}]},
    }
    workload = {
        "kind": "Deployment",
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "api", "x": "y"}},
                "spec": {
                    "containers": [
                        {"name": "sidecar"},
                        {
                            "name": "api",
                            "ports": [
                                {"name": "http", "containerPort": 8080},
                                {"name": "admin", "containerPort": 9000},
                            ],
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                        },
                    ]
                },
            }
        },
    }
    objects = json.loads(json.dumps([service, workload]))
    for path, value in changes.items():
        at = objects
        *parents, last = path.split("__")
        for part in parents:
            at = at[int(part)] if part.isdigit() else at[part]
        at[int(last) if last.isdigit() else last] = value
    return objects


_PROBE = "1__spec__template__spec__containers__1__readinessProbe"


@pytest.mark.parametrize(
    ("changes", "path", "port"),
    [
        ({}, "/ready", None),
        ({_PROBE: {"httpGet": {"port": 9000}}}, "/", 9000),
        ({_PROBE: {"httpGet": {"path": "/x", "port": "9000"}}}, "/x", 9000),
        ({_PROBE: {"httpGet": {"path": "/x", "port": "unknown"}}}, "", None),
        ({_PROBE: {"exec": {}}}, "", None),
        ({"0__spec__selector": {}}, "", None),
        ({"0__spec__selector": {"app": "other"}}, "", None),
    ],
)
def test_service_is_ready_as_the_readiness_probe_of_its_pods_says(changes, path, port):
    (found,) = services_of(rendered(**changes))

    assert (found.name, found.port, found.path, found.path_port) == ("api", 80, path, port)


@pytest.mark.parametrize(
    ("changes", "port"),
    [
        ({}, 8080),
        ({"0__spec__ports__0__targetPort": 8081}, 8081),
        ({"0__spec__ports__0__targetPort": "8082"}, 8082),
        ({"0__spec__ports__0": {"port": 80}}, 80),
        ({"0__spec__selector": {}}, None),
        ({"0__spec__ports__0__targetPort": "unknown"}, None),
    ],
)
def test_container_port_is_that_behind_the_first_port_of_the_service(changes, port):
    assert [service.container_port for service in services_of(rendered(**changes))] == [port]


def test_headless_service_of_pods_that_have_another_service_is_left_out():
    first, workload = rendered()
    twin, alone, external = (json.loads(json.dumps(first)) for _ in range(3))
    twin["metadata"]["name"], twin["spec"]["clusterIP"] = "api-headless", "None"
    alone["metadata"]["name"], alone["spec"]["clusterIP"] = "alone", "None"
    alone["spec"]["selector"] = {"app": "alone"}
    del external["spec"]["ports"]

    assert [service.name for service in services_of([workload, twin, first, alone, external])] == ["alone", "api"]
