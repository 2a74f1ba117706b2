"""Test image references and the order of registries."""

from __future__ import annotations

import pytest

from foundry import registries
from foundry.artifacts import Artifact

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("ref", "host", "path"),
    [
        ("postgres:17", "docker.io", "library/postgres:17"),
        ("kindest/node:v1", "docker.io", "kindest/node:v1"),
        ("docker.io/library/postgres", "docker.io", "library/postgres"),
        ("localhost/a:1", "localhost", "a:1"),
        ("localhost:5000/a/b:1", "localhost:5000", "a/b:1"),
        ("quay.example.org/a@sha256:1", "quay.example.org", "a@sha256:1"),
    ],
)
def test_reference_has_registry_and_path(ref, host, path):
    assert (registries.host(ref), registries.path(ref)) == (host, path)


def artifact(**more: object) -> Artifact:
    return Artifact(**{"name": "postgresql", "kind": "image", "version": "17", "upstream": "postgres:17", **more})


def refs(found: list[registries.Source]) -> list[str]:
    return [source.ref for source in found]


def test_sources_upstream_uses_pinned_digest():
    pinned = artifact(digests={"amd64": DIGEST})

    assert refs(registries.sources(pinned, "", "amd64", "")) == [f"postgres@{DIGEST}"]
    assert refs(registries.sources(pinned, "", "arm64", "")) == ["postgres:17"]


def test_sources_registry_port_is_not_a_tag():
    pinned = artifact(upstream="localhost:5000/postgres", digests={"amd64": DIGEST})

    assert refs(registries.sources(pinned, "", "amd64", "")) == [f"localhost:5000/postgres@{DIGEST}"]


def test_sources_private_registry_comes_first():
    key = "0123456789abcdef0123"

    found = registries.sources(artifact(), key, "amd64", "r.example/ci/")

    assert refs(found) == [
        "r.example/ci/foundry/postgresql:17-0123456789abcdef",
        "r.example/ci/library/postgres:17",
        "postgres:17",
    ]
    assert [source.key for source in found] == [key, "", ""]


@pytest.mark.parametrize(
    ("message", "not_found"),
    [
        ("Error response from daemon: manifest for postgres:99 not found: manifest unknown", True),
        ("Error response from daemon: pull access denied for x, repository does not exist", True),
        ("Error response from daemon: toomanyrequests: You have reached your pull rate limit", False),
        ('Error response from daemon: Get "https://r/v2/": dial tcp: lookup r: no such host', False),
        ("", False),
    ],
)
def test_is_not_found_differs_from_unreachable_registry(message, not_found):
    assert registries.is_not_found(message) is not_found


def test_resolved_adds_digest_to_reference():
    digests = (f"other@sha256:{'b' * 64}", f"postgres@{DIGEST}")

    assert registries.resolved("postgres:17", digests) == f"postgres:17@{DIGEST}"
    assert registries.resolved("docker.io/library/postgres:17", digests) == f"docker.io/library/postgres:17@{DIGEST}"
    assert registries.resolved("localhost:5000/x:1", digests) == "localhost:5000/x:1"
