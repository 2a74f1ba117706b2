"""containerd, its client and its shim for the node, without the snapshotters that kind never selects either.

https://github.com/kubernetes-sigs/kind/blob/v0.33.0/images/base/Dockerfile
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build(
        "github.com/containerd/containerd/v2",
        f"v{b.version}",
        ["cmd/containerd", "cmd/ctr", "cmd/containerd-shim-runc-v2"],
        ldflags=f"-s -w -X github.com/containerd/containerd/v2/version.Version=v{b.version}",
        tags=["no_btrfs", "no_devmapper", "no_zfs"],
    )
