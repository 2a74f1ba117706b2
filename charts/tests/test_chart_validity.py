"""Test that each value set renders to objects that the pinned Kubernetes version accepts, field by field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from chart_openapi import kubernetes
from chart_rendering import CASES, ROOT, find, helm, key_of, render

EACH_CASE = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


@EACH_CASE
def test_chart_passes_helm_lint(values: Mapping[str, Any]):
    done = helm("lint", "--strict", values=values)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "0 chart(s) failed" in done.stdout


@EACH_CASE
def test_manifests_are_valid(values: Mapping[str, Any]):
    manifests = render(values)

    wrong = {key_of(manifest): found for manifest in manifests if (found := kubernetes().problems(manifest))}
    assert not wrong
    assert len(manifests) > 15


def test_failure_manifests_are_valid():
    manifests = list(yaml.safe_load_all((ROOT / "testing" / "parity" / "failures.yaml").read_text()))

    assert not [found for manifest in manifests for found in kubernetes().problems(manifest)]
    assert len(manifests) == 3


def test_scene_manifests_are_valid():
    text = (ROOT / "tests" / "parity" / "scene" / "scene.yaml").read_text()
    items = yaml.safe_load(re.sub(r"\$[A-Z]+", "filled-in", text))["items"]

    wrong = {key_of(item): found for item in items if (found := kubernetes().problems(item))}
    assert not wrong
    assert len(items) > 5


def test_specification_version_equals_node_version():
    artifacts = tomllib.loads((ROOT / "foundry" / "artifacts.toml").read_text())["artifact"]
    config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())

    images = {node["image"] for node in config["nodes"]}
    assert images == {f"foundry.invalid/node:v{artifacts['kubernetes-openapi']['version']}"}


@EACH_CASE
def test_no_object_is_rendered_twice(values: Mapping[str, Any]):
    keys = [key_of(manifest) for manifest in render(values)]

    assert sorted(keys) == sorted(set(keys))


class TestValidator:
    """Test the validator itself, so that it cannot accept everything."""

    def test_unknown_field_is_reported(self):
        deployment = find(render(), "Deployment/polaris")
        deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}

        (complaint,) = kubernetes().problems(deployment)
        assert "livenesProbe" in complaint

    def test_wrong_type_is_reported(self):
        service = find(render(), "Service/polaris")
        service["spec"]["ports"][0]["port"] = "8181"

        (complaint,) = kubernetes().problems(service)
        assert "'8181' is not of type 'integer'" in complaint

    def test_boolean_in_environment_is_reported(self):
        deployment = find(render(), "Deployment/polaris")
        deployment["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "A", "value": True})

        (complaint,) = kubernetes().problems(deployment)
        assert "True is not of type 'string'" in complaint

    def test_missing_field_is_reported(self):
        job = find(render(), "Job/polaris-bootstrap-1")
        del job["spec"]["template"]

        (complaint,) = kubernetes().problems(job)
        assert "'template' is a required property" in complaint

    def test_unknown_kind_is_reported(self):
        (complaint,) = kubernetes().problems({"apiVersion": "extensions/v1beta1", "kind": "Deployment"})

        assert complaint.endswith("unknown kind extensions/v1beta1 Deployment")
