"""Records of a timeline, written by hand: a shop with a web server that uses a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from seatrial.diagnose.failed_test import FailedTest
from seatrial.diagnose.incidents.find import find_incidents
from seatrial.diagnose.service_map import ServiceMap, service_map
from seatrial.model.timeline import (
    Condition,
    ContainerRecord,
    Controller,
    Endpoint,
    EndpointPort,
    EndpointsRecord,
    PodRecord,
    Termination,
    WorkloadRecord,
)
from seatrial.model.timeline_index import TimelineIndex

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds):
    """Return a time, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def pod(name="web", number=1, when=0.0, **more):
    values = {
        "seen": "listed", "namespace": "shop", "name": f"{name}-{number}", "uid": f"{name}-{number}",
        "controller": Controller(kind="Deployment", name=name), "labels": {"app": name}, "node": "n1",
        "phase": "Running", "ready": True, "addresses": (f"10.1.{len(name)}.{number}",),
    }  # fmt: skip
    return PodRecord(at=at(when), **{**values, **more})


def container(name="web", number=1, when=0.0, **more):
    values = {
        "seen": "listed", "namespace": "shop", "pod": f"{name}-{number}", "uid": f"{name}-{number}", "container": "c",
        "controller": Controller(kind="Deployment", name=name), "container_id": f"containerd://{name}{number}a",
        "state": "running", "ready": True, "memory_limit": "64Mi", "ports": (8080,),
        "probes": {"liveness": "GET http://:8080/live", "readiness": "GET http://:8080/ready"},
    }  # fmt: skip
    return ContainerRecord(at=at(when), **{**values, **more})


def ended(name="web", when=10.0, *, reason="Error", code=1, **more):
    """Return the record of a container that was restarted."""
    last = Termination(
        exit_code=code, reason=reason, finished=at(int(when)), container_id=f"containerd://{name}1a", **more
    )
    return container(
        name, when=when, seen="modified", ready=False, restarts=1, last=last, container_id=f"containerd://{name}1b"
    )


def endpoints(name="web", when=0.0, *, ready=(1,), **more):
    values = {
        "seen": "listed" if not when else "modified", "namespace": "shop", "name": f"{name}-abc", "uid": f"{name}-es",
        "service": name, "ports": (EndpointPort(port=8080),),
        "ready": tuple(
            Endpoint(addresses=(f"10.1.{len(name)}.{number}",), pod=f"{name}-{number}", uid=f"{name}-{number}")
            for number in ready
        ),
    }  # fmt: skip
    return EndpointsRecord(at=at(when), **{**values, **more})


def workload(name="web", when=0.0, **more):
    values = {
        "seen": "listed" if not when else "modified", "kind": "Deployment", "namespace": "shop", "name": name,
        "uid": f"{name}-d", "replicas": 1, "ready": 1, "generation": 1,
    }  # fmt: skip
    return WorkloadRecord(at=at(when), **{**values, **more})


def healthy(*names):
    """Return the records of services without problems, as the recorder lists them."""
    return [
        record
        for name in names or ("web", "db")
        for record in (pod(name), container(name), endpoints(name), workload(name))
    ]


def deleted(name="web", number=1, when=10.0, *, grace=0, conditions=()):
    """Return the records of a pod whose deletion was requested."""
    first = pod(
        name, number, when, seen="modified", deletion=at(when + grace), deletion_grace=grace, conditions=conditions
    )
    return [first, replace(first, at=at(when + 1), seen="deleted", ready=False)]


def disruption(reason):
    return (Condition(type="DisruptionTarget", status="True", reason=reason, message="by policy"),)


def service(name, **more):
    spec = {"selector": {"app": name}, "clusterIPs": [f"10.96.0.{len(name)}"], "ports": [{"port": 80}], **more}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def deployment(name, **env):
    variables = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "env": variables}]},
            }
        },
    }


def services(records) -> ServiceMap:
    """Return the map of the shop: `web` uses `db`, and is called `store` in the configuration."""
    return service_map(
        TimelineIndex(records),
        namespace="shop",
        configured={"store": {"service": "web", "namespace": "shop", "port": 80}},
        services=[service("web"), service("db"), service("mail")],
        workloads=[deployment("web", DATABASE_URL="postgresql://u:p@db:5432/x"), deployment("db"), deployment("mail")],
    )


def incidents(records):
    index = TimelineIndex(records)
    return find_incidents(index, services(records), "test-runner")


def failed(error="", begin=9.0, end=12.0, **more) -> FailedTest:
    return FailedTest(nodeid="test_a.py::test_a", begin=at(begin), end=at(end), error=error, **more)
