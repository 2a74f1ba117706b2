"""Docker's plugin `buildx`, from its Go module, under the name that a client looks for in `cli-plugins`."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build(
        "github.com/docker/buildx",
        f"v{b.version}",
        ["cmd/buildx"],
        ldflags=f"-s -w -X github.com/docker/buildx/version.Version=v{b.version}",
    )
    (b.out / "buildx").rename(b.out / "docker-buildx")
