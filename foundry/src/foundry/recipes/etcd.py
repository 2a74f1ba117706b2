"""etcd, as `kubeadm config images list` asks for it (tag `3.6.5-0`)."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("go.etcd.io/etcd/server/v3", f"v{b.version}")
    (b.out / "server").rename(b.out / "etcd")
