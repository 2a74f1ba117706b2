"""Each set of values that is used gives objects that the pinned Kubernetes knows, field by field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from chart_openapi import kubernetes
from chart_rendering import CASES, ROOT, find, helm, key_of, render

EACH_CASE = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


@EACH_CASE
def test_helm_lint_is_content(values: Mapping[str, Any]):
    done = helm("lint", "--strict", values=values)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "0 chart(s) failed" in done.stdout


@EACH_CASE
def test_objects_are_valid(values: Mapping[str, Any]):
    manifests = render(values)

    wrong = {key_of(manifest): found for manifest in manifests if (found := kubernetes().complaints(manifest))}
    assert not wrong
    assert len(manifests) > 15


@pytest.mark.parametrize(
    "path", sorted((ROOT / "testing" / "k8s" / "manifests").glob("*.yaml")), ids=lambda path: path.name
)
def test_manifests_beside_the_chart_are_valid(path):
    manifests = [document for document in yaml.safe_load_all(path.read_text()) if document]

    wrong = {key_of(manifest): found for manifest in manifests if (found := kubernetes().complaints(manifest))}
    assert not wrong
    assert manifests


def test_the_specification_is_that_of_the_nodes():
    artefacts = tomllib.loads((ROOT / "foundry" / "artefacts.toml").read_text())["artefact"]
    config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())

    images = {node["image"] for node in config["nodes"]}
    assert images == {f"foundry/node:v{artefacts['kubernetes-openapi']['version']}"}


@EACH_CASE
def test_no_object_is_rendered_twice(values: Mapping[str, Any]):
    keys = [key_of(manifest) for manifest in render(values)]

    assert sorted(keys) == sorted(set(keys))


class TestValidator:
    """The validator itself: it would be content with everything if it looked at nothing."""

    def test_unknown_field(self):
        deployment = find(render(), "Deployment/polaris")
        deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}

        (complaint,) = kubernetes().complaints(deployment)
        assert "livenesProbe" in complaint

    def test_wrong_type(self):
        service = find(render(), "Service/polaris")
        service["spec"]["ports"][0]["port"] = "8181"

        (complaint,) = kubernetes().complaints(service)
        assert "'8181' is not of type 'integer'" in complaint

    def test_boolean_in_the_environment(self):
        deployment = find(render(), "Deployment/polaris")
        deployment["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "A", "value": True})

        (complaint,) = kubernetes().complaints(deployment)
        assert "True is not of type 'string'" in complaint

    def test_missing_field(self):
        job = find(render(), "Job/polaris-bootstrap-1")
        del job["spec"]["template"]

        (complaint,) = kubernetes().complaints(job)
        assert "'template' is a required property" in complaint

    def test_unknown_kind(self):
        (complaint,) = kubernetes().complaints({"apiVersion": "extensions/v1beta1", "kind": "Deployment"})

        assert complaint.endswith("knows no extensions/v1beta1 Deployment")
