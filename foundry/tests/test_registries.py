"""Names of images in registries, and which registries are asked."""

from __future__ import annotations

import pytest

from foundry import registries
from foundry.artefacts import Artefact

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
def test_a_reference_has_a_registry_and_a_path(ref, host, path):
    assert (registries.host(ref), registries.path(ref)) == (host, path)


def artefact(**more: object) -> Artefact:
    return Artefact(**{"name": "postgresql", "kind": "image", "version": "17", "upstream": "postgres:17", **more})


def refs(found: list[registries.Source]) -> list[str]:
    return [source.ref for source in found]


def test_upstream_is_asked_by_digest_where_one_is_pinned_for_this_processor():
    pinned = artefact(digests={"amd64": DIGEST})

    assert refs(registries.sources(pinned, "", "amd64", "")) == [f"postgres@{DIGEST}"]
    assert refs(registries.sources(pinned, "", "arm64", "")) == ["postgres:17"]


def test_a_port_is_no_tag():
    pinned = artefact(upstream="localhost:5000/postgres", digests={"amd64": DIGEST})

    assert refs(registries.sources(pinned, "", "amd64", "")) == [f"localhost:5000/postgres@{DIGEST}"]


def test_a_private_registry_is_asked_first_for_foundrys_own_image_then_for_upstreams():
    key = "0123456789abcdef0123"

    found = registries.sources(artefact(), key, "amd64", "r.example/ci/")

    assert refs(found) == [
        "r.example/ci/foundry/postgresql:17-0123456789abcdef",
        "r.example/ci/library/postgres:17",
        "postgres:17",
    ]
    assert [source.key for source in found] == [key, "", ""]


@pytest.mark.parametrize(
    ("told", "answered"),
    [
        ("Error response from daemon: manifest for postgres:99 not found: manifest unknown", True),
        ("Error response from daemon: pull access denied for x, repository does not exist", True),
        ("Error response from daemon: toomanyrequests: You have reached your pull rate limit", False),
        ('Error response from daemon: Get "https://r/v2/": dial tcp: lookup r: no such host', False),
        ("", False),
    ],
)
def test_a_missing_image_is_told_from_a_missing_registry(told, answered):
    assert registries.absent(told) is answered


def test_what_was_pulled_is_written_down_with_its_digest():
    digests = (f"other@sha256:{'b' * 64}", f"postgres@{DIGEST}")

    assert registries.resolved("postgres:17", digests) == f"postgres:17@{DIGEST}"
    assert registries.resolved("docker.io/library/postgres:17", digests) == f"docker.io/library/postgres:17@{DIGEST}"
    assert registries.resolved("localhost:5000/x:1", digests) == "localhost:5000/x:1"
