"""actionlint, from its Go module."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("github.com/rhysd/actionlint", f"v{b.version}", ("cmd/actionlint",))
