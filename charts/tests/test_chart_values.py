"""Test the values: overrides for tests, schema, and images of foundry."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from chart_rendering import (
    CHART,
    FOUNDRY_IMAGES,
    ROOT,
    TEST,
    chart_values,
    containers,
    find,
    helm,
    leaves,
    merge,
    render,
)

ARTIFACTS = tomllib.loads((ROOT / "foundry" / "artifacts.toml").read_text())["artifact"]
# Maps with keys of the user.
OPEN_MAPS = ("postgresql.primary.settings.", "hostPorts.nodeSelector.", "networkPolicies.clients[")
SEED = {
    "polaris.replicaCount": 1,
    "polaris.resources.requests.memory": "512Mi",
    "polaris.resources.requests.cpu": "500m",
    "polaris.resources.limits.memory": "1Gi",
    "polaris.resources.limits.cpu": "1000m",
    "localstack.service.type": "ClusterIP",
    "localstack.persistence.enabled": False,
    "postgresql.primary.persistence.enabled": False,
}


def image_keys(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted path of each image in the values."""
    for key, value in values.items():
        if key == "image":
            yield f"{path}{key}"
        elif isinstance(value, Mapping):
            yield from image_keys(value, f"{path}{key}.")


class TestOverridesForTests:
    def test_overrides_use_existing_keys(self):
        known = dict(leaves(chart_values()))

        unknown = [key for key, _ in leaves(TEST) if key not in known and not key.startswith(OPEN_MAPS)]
        assert not unknown

    def test_overrides_equal_seed(self):
        said = dict(leaves(TEST))

        assert {key: said.get(key) for key in SEED} == SEED

    def test_overrides_contain_no_image_or_secret(self):
        """The tested images are those of production; foundry replaces them only if they are not available."""
        assert not [key for key, _ in leaves(TEST) if ".image." in key or "secrets" in key]


class TestImages:
    def test_foundry_maps_each_image(self):
        mapped = {key for artifact in ARTIFACTS.values() for key in artifact.get("values", [])}

        assert mapped == set(image_keys(chart_values()))

    def test_foundry_pulls_default_images(self):
        shipped = {}
        for key in image_keys(chart_values()):
            image = chart_values()
            for part in key.split("."):
                image = image[part]
            shipped[key] = f"{image['repository']}:{image['tag']}"
        upstream = {
            key: artifact["upstream"]
            for artifact in ARTIFACTS.values()
            if "upstream" in artifact
            for key in artifact.get("values", [])
        }

        assert upstream
        assert {key: shipped[key] for key in upstream} == upstream

    def test_foundry_flags_exist(self):
        known = dict(leaves(chart_values()))

        flags = {key for artifact in ARTIFACTS.values() for key in artifact.get("flags", {})}
        assert flags == {"polaris.standIn"}
        assert flags <= set(known)

    def test_foundry_values_replace_every_image(self):
        images = {container["image"] for _, container in containers(render(merge(TEST, FOUNDRY_IMAGES)))}

        assert images
        assert all(image.startswith("foundry.invalid/") for image in images)

    def test_default_rendering(self):
        images = {container["image"] for _, container in containers(render())}

        assert images == {
            "postgres:17",
            "localstack/localstack:4.14.0",
            "apache/polaris:1.8.0",
            "apache/polaris-admin-tool:1.8.0",
            "jaegertracing/jaeger:2.20.0",
            "python:3.13-slim-trixie",
        }

    def test_image_registry_and_digest_are_rendered(self):
        image = {"registry": "registry.example:5000", "repository": "a/b", "tag": "1", "digest": "sha256:" + "0" * 64}
        deployment = find(render({"jaeger": {"image": image}}), "Deployment/jaeger")

        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example:5000/a/b:1@sha256:" + "0" * 64


class TestSchema:
    def test_schema_and_values_have_same_keys(self):
        """A value missing in the schema could not be set; a schema entry without a value is useless."""
        schema = json.loads((CHART / "values.schema.json").read_text())

        def walk(node: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[str]:
            if "$ref" in node:
                node = schema["definitions"][node["$ref"].rpartition("/")[2]]
            properties = node.get("properties", {})
            optional = {"registry", "digest"} if path.endswith("image.") else set()
            yield from (f"{path}{key} is not in values.yaml" for key in set(properties) - set(values) - optional)
            for key, value in values.items():
                if properties and key not in properties:
                    yield f"{path}{key} is not in the schema"
                elif properties and isinstance(value, Mapping):
                    assert properties[key].get("additionalProperties") is not None or "$ref" in properties[key]
                    yield from walk(properties[key], value, f"{path}{key}.")

        schema["properties"].pop("global")
        assert not list(walk(schema, chart_values(), ""))

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"polaris": {"replicas": 2}}, "'replicas' not allowed"),
            ({"localstck": {}}, "'localstck' not allowed"),
            ({"postgresql": {"persistence": {"enabled": False}}}, "'persistence' not allowed"),
            ({"postgresql": {"image": {"tag": 17}}}, "got number, want string"),
            ({"postgresql": {"primary": {"settings": {"fsync": False}}}}, "got boolean, want string"),
            ({"postgresql": {"databases": ["dagster"]}}, "/postgresql/databases"),
            ({"postgresql": {"databases": ["polaris", "x; rm -rf /"]}}, "/postgresql/databases/1"),
            ({"jaeger": {"image": {"tag": "latest"}}}, "/jaeger/image/tag"),
            ({"jaeger": {"resources": {"limits": {"memory": "1 GB"}}}}, "/jaeger/resources/limits/memory"),
            ({"localstack": {"service": {"type": "clusterip"}}}, "/localstack/service/type"),
            ({"localstack": {"buckets": ["Not_A_Bucket"]}}, "/localstack/buckets/0"),
            ({"polaris": {"resources": {"limits": None}}}, "/polaris/resources"),
            ({"hostPorts": {"enabled": "true"}}, "got string, want boolean"),
            ({"networkPolicies": {"clients": [{"podSelektor": {}}]}}, "/networkPolicies/clients/0"),
            ({"limitRange": {"max": {"memory": "4 GB"}}}, "/limitRange/max/memory"),
            (
                {"migrations": {"database": "floe"}},
                'migrations.database is "floe", which is not among postgresql.databases',
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_schema_refuses_invalid_values(self, values, says):
        done = helm("template", "floe-infra", values=values)

        assert done.returncode != 0
        assert says in done.stderr
