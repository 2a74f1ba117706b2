"""The OpenAPI documents of a Kubernetes version, which manifests are validated against; a part of its Go module."""

from foundry.recipe import Build


def build(b: Build) -> None:
    module = b.go_module("k8s.io/kubernetes", f"v{b.version}")
    b.copy(module / "api" / "openapi-spec", b.out)
