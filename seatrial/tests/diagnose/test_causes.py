"""Which cause comes first."""

from __future__ import annotations

from seatrial.diagnose.causes import ranked, restarts, troubled_nodes, unserved
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object


def finding(cause, **more):
    return Finding(cause=cause, subject=ObjectRef(kind="Pod", name="web"), message="it", **more)


def test_ranked_sorts_causes_before_their_consequences():
    given = [
        finding(cause) for cause in ("Strange", "NoEndpoints", "Crash", "ImagePull", "NodeNotReady", "Unschedulable")
    ]

    assert [each.cause for each in ranked([*given, *given])] == [
        "NodeNotReady",
        "Unschedulable",
        "ImagePull",
        "Crash",
        "NoEndpoints",
        "Strange",
    ]


def test_ranked_sorts_fatal_findings_first():
    assert [each.fatal for each in ranked([finding("NodeNotReady"), finding("NoEndpoints", fatal=True)])] == [
        True,
        False,
    ]


def node(**conditions):
    entries = [{"type": kind, "status": status, "message": f"{kind}!"} for kind, status in conditions.items()]
    return {"metadata": {"name": "n"}, "status": {"conditions": entries}}


def test_unhealthy_conditions_of_nodes_are_findings():
    assert troubled_nodes([node(Ready="True", MemoryPressure="False"), {"metadata": {"name": "new"}}]) == []
    found = troubled_nodes([node(Ready="False", DiskPressure="True")])

    assert [(each.cause, each.evidence) for each in found] == [
        ("NodeNotReady", ("Ready!",)),
        ("DiskPressure", ("DiskPressure!",)),
    ]


def pod(*statuses):
    return {"metadata": {"name": "web-1", "namespace": "shop"}, "status": {"containerStatuses": list(statuses)}}


def status(restarts=1, state="running", **before):
    return {"name": "c", "restartCount": restarts, "state": {state: {}}, "lastState": {"terminated": before}}


def test_restarted_containers_are_findings_with_the_reason():
    found = restarts(
        [
            pod(status(exitCode=137, reason="OOMKilled"), status(2, exitCode=1, reason="Error"), status(3)),
            pod(status(0), status(1, "waiting")),
        ]
    )

    assert [each.cause for each in found] == ["OOMKilled", "Restarted", "Restarted"]
    assert found[1].message == "restarted 2 times, last because of Error, exit code 1"
    assert found[2].message == "restarted 3 times, last because of unknown, exit code None"


def service(name, selector=None):
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": selector}}


def test_services_without_ready_pods_are_findings():
    labels = {"kubernetes.io/service-name": "up"}
    parts: list[Object] = [
        {"metadata": {"namespace": "shop", "labels": labels}, "endpoints": [{"conditions": {"ready": True}}]},
        {"metadata": {"namespace": "shop"}, "endpoints": None},
        {
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "sick"}},
            "endpoints": [{"conditions": {"ready": False}}],
        },
    ]
    services = [
        service("up", {"a": "b"}),
        service("sick", {"a": "b"}),
        service("none", {"a": "b"}),
        service("external"),
    ]

    assert [each.subject.name for each in unserved(services, parts)] == ["sick", "none"]
