"""testing/docker/docker-compose.yml against the rendered chart: the same names, ports, images, settings and limits."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "floe-infrastructure"
FILES = CHART / "files"
COMPOSE = ROOT / "testing" / "docker" / "docker-compose.yml"
VALUES = ROOT / "testing" / "k8s" / "values-test.yaml"


def program(name: str) -> str:
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    foundry = Path(os.environ.get("FOUNDRY_CACHE") or cache_home / "foundry") / "bin"
    found = shutil.which(name, path=f"{foundry}{os.pathsep}{os.environ.get('PATH', '')}")
    assert found, f"{name} is neither in foundry's cache nor on PATH; run: .venv/bin/foundry up {name}"
    return found


def output(*argv: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def services() -> dict[str, Any]:
    """Return the Compose services as Compose reads the file, with production's images."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COMPOSE_"))}
    found = output(program("docker-compose"), "--file", str(COMPOSE), "config", "--format", "json", env=clean)
    loaded: dict[str, Any] = json.loads(found)["services"]
    return loaded


@cache
def chart() -> tuple[dict[str, Any], ...]:
    """Return the chart's objects with the values of the tests and production's images, without a stand-in."""
    found = output(
        program("helm"), "template", "floe-infra", str(CHART), "--namespace", "floe", "--values", str(VALUES)
    )
    return tuple(filter(None, yaml.safe_load_all(found)))


def objects(kind: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each for each in chart() if each["kind"] == kind}


def containers() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return the main container and pod spec of each workload that has a Compose service, by that service's name."""
    found = {}
    for kind in ("Deployment", "StatefulSet", "Job"):
        for name, each in objects(kind).items():
            pod = each["spec"]["template"]["spec"]
            # The admin tool is an init container: the main one records its success.
            main = [each for each in pod.get("initContainers", ()) if each["name"] == "admin-tool"] or pod["containers"]
            found[name.removesuffix("-1")] = (main[0], pod)
    return {name: each for name, each in found.items() if name in services()}


NAMES = (
    "jaeger",
    "localstack",
    "migrations",
    "polaris",
    "polaris-bootstrap",
    "polaris-schema",
    "postgresql",
    "seed-data",
)


def test_compose_has_the_workloads_of_the_chart():
    assert tuple(sorted(services())) == NAMES
    assert tuple(sorted(containers())) == NAMES


def test_services_have_the_names_and_ports_of_the_chart():
    for name, service in objects("Service").items():
        assert sorted(services()[name]["expose"]) == sorted(str(each["port"]) for each in service["spec"]["ports"]), (
            name
        )
        assert services()[name]["networks"]["default"]["aliases"] == [
            f"{name}.floe",
            f"{name}.floe.svc",
            f"{name}.floe.svc.cluster.local",
        ]


def test_stand_in_needs_neither_schema_nor_catalog():
    env = {**os.environ, "COMPOSE_PROFILES": "", "FLOE_CATALOG": ""}
    found = json.loads(output(program("docker-compose"), "--file", str(COMPOSE), "config", "--format", "json", env=env))

    assert "polaris-schema" not in found["services"]
    assert found["services"]["polaris-bootstrap"]["environment"]["CATALOG"] == ""


def test_no_port_is_published_on_the_host():
    assert [name for name, each in services().items() if each.get("ports")] == []


@pytest.mark.parametrize("name", NAMES)
def test_images_users_limits_and_commands_are_those_of_the_chart(name):
    container, pod = containers()[name]
    service = services()[name]
    context = container["securityContext"]

    assert service["image"] == container["image"]
    if "runAsUser" in context:
        assert service["user"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert service.get("read_only", False) == context.get("readOnlyRootFilesystem", False)
    assert service["cap_drop"] == context["capabilities"]["drop"]
    limits = container["resources"]["limits"]
    assert int(service["mem_limit"]) == bytes_of(limits["memory"])
    assert float(service["cpus"]) == cores_of(limits["cpu"])
    assert [str(each) for each in service.get("command") or ()] == (
        container.get("command") or container.get("args") or []
    )
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("name", NAMES)
def test_environment_variables_are_those_of_the_chart(name):
    container, _ = containers()[name]
    wanted = {each["name"]: each for each in container.get("env") or ()}
    found = services()[name].get("environment") or {}

    assert sorted(found) == sorted(wanted)
    for key, each in wanted.items():
        if key == "CATALOG":
            assert json.loads(found[key]) == json.loads(each["value"])
        elif "value" in each:
            assert found[key] == each["value"], key


def test_credentials_agree_between_server_and_clients():
    roles = {path.name: path.read_text() for path in (COMPOSE.parent / "roles").iterdir()}
    polaris = services()["polaris"]["environment"]
    databases = [key.removeprefix("postgresql-") for key in objects("Secret") if key.startswith("postgresql-")]

    assert sorted(roles) == sorted(set(databases) - {"admin"})
    assert (polaris["QUARKUS_DATASOURCE_USERNAME"], polaris["QUARKUS_DATASOURCE_PASSWORD"]) == (
        "polaris",
        roles["polaris"],
    )
    assert (polaris["CATALOG_JDBC_USER"], polaris["CATALOG_JDBC_PASSWORD"]) == ("polaris", roles["polaris"])
    secret = json.loads((COMPOSE.parent / "polaris-root" / "credentials.json").read_text())["POLARIS"]
    bootstrap = services()["polaris-bootstrap"]["environment"]
    assert (bootstrap["CLIENT_ID"], bootstrap["CLIENT_SECRET"]) == (secret["client-id"], secret["client-secret"])
    for name in ("migrations", "seed-data"):
        environment = services()[name]["environment"]
        assert (environment["PGUSER"], environment["PGPASSWORD"]) == ("dagster", roles["dagster"])


def test_mounted_files_are_those_of_the_chart():
    mounted = {
        (name, each["target"]): Path(each["source"])
        for name, service in services().items()
        for each in service.get("volumes") or ()
    }
    maps = {name: each["data"] for name, each in objects("ConfigMap").items()}

    def text(name: str, target: str) -> str:
        return mounted[name, target].read_text()

    assert text("postgresql", "/docker-entrypoint-initdb.d/databases.sh") == maps["postgresql-init"]["databases.sh"]
    assert text("postgresql", "/etc/postgresql/pg_hba.conf") == maps["postgresql-access"]["pg_hba.conf"]
    assert text("localstack", "/etc/localstack/init/ready.d/resources.py") == maps["localstack-init"]["resources.py"]
    assert text("polaris-bootstrap", "/scripts/bootstrap.py") == maps["polaris-bootstrap"]["bootstrap.py"]
    properties = mounted["polaris", "/deployments/config"] / "application.properties"
    assert properties.read_text() == maps["polaris"]["application.properties"]
    for name in ("migrations", "seed-data"):
        assert mounted[name, "/scripts"] == FILES
        assert mounted[name, "/migrations"] == FILES / "migrations"


def test_start_order_is_that_of_the_chart():
    """What init containers and hooks wait for in the cluster, `depends_on` waits for here."""
    order = {
        name: {on: each["condition"] for on, each in (service.get("depends_on") or {}).items()}
        for name, service in services().items()
    }

    assert order["polaris"] == {
        "polaris-schema": "service_completed_successfully",
        "postgresql": "service_healthy",
    }
    assert order["polaris-schema"] == {"postgresql": "service_healthy"}
    assert order["migrations"] == {"postgresql": "service_healthy"}
    assert order["seed-data"] == {"migrations": "service_completed_successfully"}
    assert order["polaris-bootstrap"] == {"localstack": "service_healthy", "polaris": "service_healthy"}


def test_variables_of_the_tests_have_the_values_of_the_chart():
    configuration = tomllib.loads((ROOT / "seatrial.toml").read_text())
    references = {
        name: source.split("/")[1:] for name, source in configuration["runner"]["env-from"].items() if "/" in source
    }
    secrets = objects("Secret")
    values = {
        name: base64.b64decode(secrets[secret]["data"][key]).decode() for name, (secret, key) in references.items()
    }
    # The chart creates random passwords; those of Compose are in its files.
    passwords = {path.name: path.read_text() for path in (COMPOSE.parent / "roles").iterdir()} | {"root": "floe-root"}
    expected = {
        name: re.sub(r"\b(dagster|polaris|root):\w+", lambda found: f"{found[1]}:{passwords[found[1]]}", value)
        if "://" not in value or "@" in value
        else value
        for name, value in values.items()
    }

    assert configuration["compose"]["env"] == expected


def bytes_of(quantity: str) -> int:
    for suffix, factor in (("Mi", 2**20), ("Gi", 2**30)):
        if quantity.endswith(suffix):
            return int(quantity.removesuffix(suffix)) * factor
    return int(quantity)


def cores_of(quantity: str) -> float:
    return int(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)
