from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seatrial.model.names import LABEL_ISOLATED_FOR
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.runner.fixture_settings import fixture_settings, isolation_rights, isolation_role, services_of


def project(*, service: dict[str, ServiceSpec] | None = None, **runner: Any) -> Project:
    spec = RunnerSpec(image="t", namespace="shop", **runner)
    return Project(root=Path("/p"), runner=spec, service=service or {})


def test_service_is_in_the_namespace_of_the_runner_by_default() -> None:
    settings = services_of({"api": ServiceSpec(port=80)}, "shop")

    assert settings == {"api": {"service": "api", "namespace": "shop", "port": 80, "scheme": "http", "ready": None}}


def test_configured_name_and_namespace_of_a_service_are_used() -> None:
    settings = services_of({"db": ServiceSpec(port=5432, name="postgres", namespace="data", scheme="postgresql")}, "x")

    assert settings["db"]["service"] == "postgres"
    assert settings["db"]["namespace"] == "data"
    assert settings["db"]["scheme"] == "postgresql"


def test_readiness_check_of_a_service_is_sent() -> None:
    ready = ReadySpec(http="/health", status=(200, 204))

    settings = services_of({"api": ServiceSpec(port=80, ready=ready)}, "shop")

    assert settings["api"]["ready"]["http"] == "/health"
    assert settings["api"]["ready"]["status"] == [200, 204]
    assert settings["api"]["ready"]["sql"] is None


def test_settings_are_plain_json() -> None:
    services = {"api": ServiceSpec(port=80, ready=ReadySpec(command=("true",)))}

    settings = fixture_settings(project(service=services, isolated_namespaces=True), {"a": "b"})

    assert json.loads(json.dumps(settings)) == settings


def test_objects_of_tests_have_the_labels_of_the_environment_and_of_their_namespace() -> None:
    assert fixture_settings(project(), {"a": "b"})["labels"] == {"a": "b", LABEL_ISOLATED_FOR: "shop"}


def test_runner_without_isolated_namespaces_gets_no_rights_in_namespaces() -> None:
    assert isolation_rights(project()) is None


def test_runner_with_isolated_namespaces_gets_the_role_that_only_it_has() -> None:
    rights = isolation_rights(project(isolated_namespaces=True, pod="first"))

    assert rights == {"role": "seatrial.shop.first.inside", "account": "first", "namespace": "shop"}


def test_runners_of_a_cluster_have_different_roles() -> None:
    """The parts are joined by dots, which names of namespaces do not have."""
    roles = {
        isolation_role(RunnerSpec(image="t", namespace=namespace, pod=pod))
        for namespace, pod in (("a", "b.c"), ("a-b", "c"), ("a", "b-c"))
    }

    assert len(roles) == 3
