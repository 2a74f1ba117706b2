from __future__ import annotations

import pytest
from seatrial.chart_checks.images import described_images, images_without_source, registry_host
from seatrial.model.finding import ObjectRef

POD = ObjectRef(kind="Pod", name="web", namespace="shop")


def test_images_of_all_containers_are_described_once():
    spec = {
        "initContainers": [{"name": "wait", "image": "busybox:1"}],
        "containers": [{"name": "a", "image": "web:1"}, {"name": "b", "image": "busybox:1"}, {"name": "c"}],
    }
    found = described_images([{"kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}])
    assert found == {"busybox:1": POD, "web:1": POD}


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("postgres:17", "registry-1.docker.io"),
        ("bitnami/postgres", "registry-1.docker.io"),
        ("docker.io/a/b@sha256:0", "registry-1.docker.io"),
        ("ghcr.io/a/b:1", "ghcr.io"),
        ("localhost:5000/a:1", "localhost:5000"),
    ],
)
def test_registry_host(image, host):
    assert registry_host(image) == host


def test_image_without_engine_and_registry_is_found():
    images = {"ghcr.io/a/b:1": POD, "ghcr.io/a/c:1": POD, "quay.io/d:1": POD}
    problems = {"ghcr.io": "connection refused", "quay.io": ""}
    (finding,) = images_without_source(images, present=["ghcr.io/a/c:1"], problems=problems)

    assert (finding.cause, finding.fatal, finding.evidence) == ("ImageWithoutSource", True, ("connection refused",))
    assert finding.message == "image ghcr.io/a/b:1 is not on the engine, and its registry ghcr.io does not answer"
