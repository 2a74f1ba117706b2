from __future__ import annotations

import tomllib

from seatrial.config import load
from seatrial.config.draft import draft
from seatrial.config.draft_services import FoundService
from seatrial.config.lint import lint

DOCKERFILE = "FROM python:3.13 AS app\nCOPY shop shop\nFROM app AS tests\nRUN pip install pytest\nCOPY tests tests\n"
CHART = {
    "chart/Chart.yaml": "name: my-app\n",
    "chart/values.yaml": "image: {repository: my-app, tag: x}\n",
    "Dockerfile": DOCKERFILE,
    "tests/test_a.py": "",
}
API = FoundService(name="api", port=80, container_port=8080)
DATABASE = FoundService(name="postgresql", port=5432, container_port=5432)


def drafted(project, compose, services=(API, DATABASE)):
    """Return the tables and the guesses of a draft that `config lint` accepts."""
    found = project({**CHART, "compose.yaml": compose})
    result = draft(found, list(services), "my-app-3f2a9c1b")
    (found.root / "seatrial.toml").write_text(result.text)
    assert [str(problem) for problem in lint(load(str(found.root), environ={}))] == []
    return tomllib.loads(result.text), [line for line in result.guessed if "ompose" in line]


def test_service_with_another_port_in_compose_has_an_address(project):
    document, guessed = drafted(
        project, "services: {api: {image: x, ports: ['8080:8080']}, postgresql: {image: x, expose: [5432]}}"
    )

    assert document["compose"] == {"file": "compose.yaml", "env": {"SEATRIAL_SERVICE_API": "api:8080"}}
    assert guessed == [
        '[compose.env] SEATRIAL_SERVICE_API = "api:8080": the container port in compose.yaml; the Service is api:80'
    ]


def test_container_port_of_the_chart_is_used_where_compose_has_none(project):
    document, _ = drafted(project, "services: {api: {image: x}, postgresql: {image: x}}")

    assert document["compose"]["env"] == {"SEATRIAL_SERVICE_API": "api:8080"}


def test_only_service_with_the_same_container_port_is_the_one_with_another_name(project):
    document, _ = drafted(project, "services: {api: {expose: [80]}, db: {ports: ['5433:5432']}}")

    assert document["compose"]["env"] == {"SEATRIAL_SERVICE_POSTGRESQL": "db:5432"}


def test_service_that_compose_does_not_have_is_named(project):
    document, guessed = drafted(
        project, "services: {api: {expose: [80]}, db: {expose: [5432]}, other-db: {expose: [5432]}}"
    )

    assert "env" not in document["compose"]
    assert guessed == [
        (
            "[service.postgresql]: compose.yaml has no such service; for another name, set"
            ' SEATRIAL_SERVICE_POSTGRESQL = "HOST:PORT" in [compose.env]'
        )
    ]


def test_service_with_the_same_stage_runs_the_image_of_the_project(project):
    document, guessed = drafted(
        project, "services: {api: {build: {context: ., target: app}, expose: [80]}, postgresql: {image: x}}"
    )

    assert document["compose"]["images"] == {"api": "my-app"}
    assert guessed == [
        (
            '[compose] images = { api = "my-app" }: they have the same Dockerfile and target;'
            " remove a service that Compose shall build"
        )
    ]


def test_service_that_runs_the_tests_gives_its_variables_and_is_left_out(project):
    document, guessed = drafted(
        project,
        """
services:
  api: {image: x, expose: [80]}
  checks:
    image: x
    command: pytest -q
    environment: {DATABASE_URI: "postgresql://shop@postgresql/shop", TOKEN: "${TOKEN}", SEATRIAL_LOCATION: host, A-B: 1}
  postgresql: {image: x}
""",
    )

    assert document["compose"]["services"] == ["api", "postgresql"]
    assert document["compose"]["env"] == {"DATABASE_URI": "postgresql://shop@postgresql/shop"}
    assert guessed == [
        "[compose] services: without checks, because seatrial runs the tests",
        (
            "[compose.env] DATABASE_URI: from checks in compose.yaml;"
            " add their values in Kubernetes to [runner.env] or [runner.env-from]"
        ),
        "[compose.env] TOKEN: compose.yaml does not have the values; add those that the tests need",
    ]


def test_service_of_the_stage_for_tests_runs_the_tests(project):
    document, _ = drafted(
        project, "services: {api: {expose: [80]}, t: {build: {context: ., target: tests}}, postgresql: {image: x}}"
    )

    assert document["compose"]["services"] == ["api", "postgresql"]


def test_services_of_compose_need_no_addresses(project):
    document, _ = drafted(project, "services: {db: {expose: [5432]}}", services=())

    assert document["service"] == {"db": {"port": 5432}}
    assert document["compose"] == {"file": "compose.yaml"}
