"""Helm 3, from its Go module; the linker sets the version it reports, as Helm's Makefile does."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build(
        "helm.sh/helm/v3",
        f"v{b.version}",
        ["cmd/helm"],
        ldflags=f"-s -w -X helm.sh/helm/v3/internal/version.version=v{b.version}",
    )
    (b.out / "helm").rename(b.out / "helm3")
