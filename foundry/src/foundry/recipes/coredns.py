"""CoreDNS, as `kubeadm config images list` asks for it."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("github.com/coredns/coredns", f"v{b.version}")
