"""Rendered releases: their images, secret values and single values."""

from __future__ import annotations

import base64

from seatrial.releases.rendering import images_of, secret_values


def test_images_of_finds_containers_at_any_depth():
    template = {"spec": {"initContainers": [{"image": "a:1"}], "containers": [{"image": "b:1"}, {"image": ""}]}}
    objects = [
        {"kind": "Deployment", "spec": {"template": template}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
        {"kind": "Odd", "spec": {"containers": "none", "list": [[{"containers": [{"image": "c:1"}]}]]}},
    ]

    assert images_of(objects) == ["a:1", "b:1", "c:1"]


def test_secret_values_are_decoded():
    objects = [
        {"kind": "Secret", "data": {"a": base64.b64encode(b"in data").decode()}, "stringData": {"b": "as string"}},
        {"kind": "ConfigMap", "data": {"c": "no secret"}},
    ]

    assert sorted(secret_values(objects)) == ["as string", "in data"]
