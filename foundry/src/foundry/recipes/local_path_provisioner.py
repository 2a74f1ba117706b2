"""Rancher's local path provisioner: the StorageClass that kind installs by default."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("github.com/rancher/local-path-provisioner", f"v{b.version}")
