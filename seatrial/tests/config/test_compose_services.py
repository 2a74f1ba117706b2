from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from seatrial.config.compose_services import compose_project
from seatrial.model.spec import ComposeSpec, Project, ReadySpec, RunnerSpec, ServiceSpec

API = ServiceSpec(port=80, ready=ReadySpec(http="/health"))
DATABASE = ServiceSpec(port=5432, namespace="data", scheme="postgresql")


def project(**env: str) -> Project:
    return Project(
        root=Path("/project"),
        runner=RunnerSpec(image="x:1", env={"MODE": "test"}),
        service={"orders-api": API, "database": DATABASE},
        compose=ComposeSpec(file=Path("compose.yaml"), env=env),
    )


def test_services_have_name_and_port_of_the_compose_file():
    moved = compose_project(
        project(SEATRIAL_SERVICE_ORDERS_API="https://api:8443", SEATRIAL_SERVICE_DATABASE="db:5433")
    )

    assert moved.service["orders-api"] == replace(API, name="api", port=8443, scheme="https")
    assert moved.service["database"] == ServiceSpec(name="db", port=5433, scheme="postgresql")


def test_service_without_an_address_keeps_the_name_and_port_of_its_service():
    moved = compose_project(project(SEATRIAL_SERVICE_DATABASE="db:5432"))

    assert moved.service["orders-api"] == API


def test_tests_do_not_get_the_variables_of_addresses():
    moved = compose_project(project(SEATRIAL_SERVICE_DATABASE="db:5432", PASSWORD="orders"))

    assert moved.compose is not None
    assert moved.compose.env == {"PASSWORD": "orders"}
    assert moved.runner.env == {"MODE": "test"}


def test_project_without_compose_is_unchanged():
    without = replace(project(), compose=None)

    assert compose_project(without) is without
