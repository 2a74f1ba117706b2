"""kind, from its Go module."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("sigs.k8s.io/kind", f"v{b.version}")
