"""Test that the plain commands are those of the first user's notes, with marked additions."""

from __future__ import annotations

import json

from seatrial.model.spec import Reference

from benchmarks.plain import Plain, typed

PLAIN = Plain(cluster="floe-test", image="floe-test:latest", namespace="floe", pod="test-runner")


def test_plain_commands_equal_notes() -> None:
    assert (
        typed(PLAIN.create("testing/k8s/kind-config.yaml"))
        == "kind create cluster --name floe-test --config testing/k8s/kind-config.yaml"
    )
    assert typed(PLAIN.build()) == "docker build -t floe-test:latest ."
    assert typed(PLAIN.load()) == "kind load docker-image floe-test:latest --name floe-test"
    assert typed(PLAIN.install("floe-infra", "charts/floe-infrastructure/", ["testing/k8s/values-test.yaml"])) == (
        "helm install floe-infra charts/floe-infrastructure/ --namespace floe --create-namespace"
        " --values testing/k8s/values-test.yaml"
    )
    assert typed(PLAIN.pods_ready("app=polaris")).startswith(
        "kubectl wait --for=condition=ready pod -l app=polaris --timeout=120s"
    )
    assert typed(PLAIN.logs()) == "kubectl logs -n floe test-runner"
    assert typed(PLAIN.delete()) == "kind delete cluster --name floe-test"


def test_run_has_words_of_notes_and_environment() -> None:
    argv = PLAIN.run(
        ("uv", "run", "pytest", "tests/", "--cov"), {"A": "b", "URI": Reference("secret", "polaris-client", "uri")}
    )

    assert typed(argv[:6]) == "kubectl run test-runner --image=floe-test:latest --restart=Never --namespace=floe"
    assert typed(argv[-6:]) == "-- uv run pytest tests/ --cov"
    (overrides,) = (word.partition("=")[2] for word in argv if word.startswith("--overrides="))
    (container,) = json.loads(overrides)["spec"]["containers"]
    assert container["env"] == [
        {"name": "A", "value": "b"},
        {"name": "URI", "valueFrom": {"secretKeyRef": {"name": "polaris-client", "key": "uri"}}},
    ]


def test_load_includes_images_of_chart() -> None:
    assert typed(PLAIN.load("db:1", "web:2")) == "kind load docker-image floe-test:latest db:1 web:2 --name floe-test"
