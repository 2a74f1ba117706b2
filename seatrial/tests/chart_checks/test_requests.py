from __future__ import annotations

from seatrial.chart_checks.requests import oversized_pods

GIB = 1 << 30


def needs(part="requests", **resources):
    return {"name": "c", "resources": {part: resources}}


def deployment(*containers, init=()):
    spec = {"containers": list(containers), "initContainers": list(init)}
    meta = {"name": "web", "namespace": "shop"}
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": spec}}}


def causes(obj, *, cpus=2, memory=4 * GIB):
    return [finding.message for finding in oversized_pods([obj], cpus=cpus, memory=memory)]


def test_containers_add_up():
    obj = deployment(needs(cpu="1500m", memory="2Gi"), needs(cpu="750m", memory="3Gi"))
    assert causes(obj) == [
        "requests 2.25 CPUs, and a node has 2",
        "requests 5120 MiB of memory, and a node has 4096 MiB",
    ]


def test_pod_that_just_fits_is_fine():
    assert causes(deployment(needs(cpu="2", memory="4Gi"))) == []


def test_largest_init_container_counts_by_itself():
    assert causes(deployment(needs(cpu="1"), init=[needs(cpu="1500m"), needs(cpu="1900m")])) == []
    assert causes(deployment(needs(cpu="1"), init=[needs(cpu="3")])) == ["requests 3 CPUs, and a node has 2"]


def test_sidecar_adds_to_the_containers():
    sidecar = {**needs(cpu="1500m"), "restartPolicy": "Always"}
    assert causes(deployment(needs(cpu="1"), init=[sidecar])) == ["requests 2.5 CPUs, and a node has 2"]


def test_limit_is_the_request_of_a_container_without_one():
    assert causes(deployment(needs("limits", cpu="3"))) == ["requests 3 CPUs, and a node has 2"]
    assert causes(deployment({"name": "c", "resources": {"limits": {"cpu": "3"}, "requests": {"cpu": "1"}}})) == []


def test_unknown_capacity_and_invalid_quantities_are_no_finding():
    assert causes(deployment(needs(cpu="64")), cpus=0, memory=0) == []
    assert causes(deployment(needs(cpu="many"))) == []
