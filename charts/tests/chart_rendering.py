"""Render the chart with Helm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "floe-infrastructure"
VALUES_TEST = ROOT / "testing" / "k8s" / "values-test.yaml"

Manifest = Mapping[str, Any]

# The file that `foundry up` writes, with built images and with pulled ones (an empty map).
FOUNDRY_IMAGES = {
    "postgresql": {"image": {"repository": "foundry.invalid/postgresql", "tag": "17"}},
    "localstack": {"image": {"repository": "foundry.invalid/localstack", "tag": "4.14.0"}},
    "polaris": {"image": {"repository": "foundry.invalid/iceberg-rest", "tag": "1.10.1"}, "standIn": True},
    "jaeger": {"image": {"repository": "foundry.invalid/jaeger", "tag": "2"}},
    "tools": {"image": {"repository": "foundry.invalid/python", "tag": "3.13"}},
}
EVERYTHING = {
    "imagePullSecrets": ["private"],
    "postgresql": {
        "databases": ["dagster", "polaris", "extra-one"],
        "primary": {"initdbArgs": "--no-sync", "settings": {"max_connections": "200"}},
    },
    "localstack": {"service": {"type": "NodePort"}, "buckets": ["raw", "cooked"], "region": "eu-central-1"},
    "polaris": {"replicaCount": 3, "service": {"type": "LoadBalancer"}, "image": {"registry": "registry.example:5000"}},
    "jaeger": {"image": {"digest": "sha256:" + "0" * 64}},
    "hostPorts": {"enabled": True},
    "migrations": {"database": "extra-one"},
    "networkPolicies": {"enabled": True},
    "resourceQuota": {"enabled": True},
    "limitRange": {"enabled": True, "max": {"cpu": "8", "memory": "16Gi"}},
}
TEST: dict[str, Any] = yaml.safe_load(VALUES_TEST.read_text())


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge layers as Helm does: maps are merged, other values are replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


# The value sets to validate, by name.
CASES: dict[str, Mapping[str, Any]] = {
    "defaults": {},
    "test": TEST,
    "test with images of foundry": merge(TEST, FOUNDRY_IMAGES),
    "everything": EVERYTHING,
    "external secrets": {"secrets": {"create": False}},
}


@cache
def helm_binary() -> str:
    """Return Helm as provided by `make setup`, or from PATH."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    foundry = Path(os.environ.get("FOUNDRY_CACHE") or cache_home / "foundry")
    found = shutil.which("helm", path=f"{foundry / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    assert found, "helm not found in foundry's cache or on PATH; run: make setup"
    return found


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm on the chart; `arguments` precede the chart's path, `values` follow it."""
    argv = [helm_binary(), *arguments, str(CHART), "--namespace", "floe", "--values", "-"]
    return subprocess.run(argv, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, check=False)


def render(values: Mapping[str, Any] | None = None) -> list[Manifest]:
    """Return the manifests of the chart, with `values` over its defaults."""
    return list(yaml.safe_load_all(_rendered(json.dumps(values or {}))))


@cache
def _rendered(values: str) -> str:
    """Return the rendered text, cached; each test parses its own objects."""
    done = helm("template", "floe-infra", values=json.loads(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def chart_values() -> dict[str, Any]:
    """Return the default values."""
    loaded: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return loaded


def key_of(manifest: Manifest) -> str:
    """Return kind and name as kubectl writes them."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def find(manifests: list[Manifest], key: str) -> Manifest:
    """Return the one manifest with this kind and name."""
    (found,) = [manifest for manifest in manifests if key_of(manifest) == key]
    return found


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield kind and name of each workload, with its pod (metadata and spec)."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield key_of(manifest), manifest
        elif "template" in manifest.get("spec", {}):
            yield key_of(manifest), manifest["spec"]["template"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield a name and the container for each container and init container of all workloads."""
    for key, pod in pods(manifests):
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            yield f"{key} {container['name']}", container


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of each leaf of nested maps and lists."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value
