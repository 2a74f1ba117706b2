"""kubectl of the Kubernetes build."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.copy(b.path("kubernetes") / "kubectl", b.out / "kubectl")
