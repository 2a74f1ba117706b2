"""Docker Compose v2, from its Go module; works as the program `docker-compose` and as Docker's plugin `compose`."""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build(
        "github.com/docker/compose/v2",
        f"v{b.version}",
        ["cmd"],
        ldflags=f"-s -w -X github.com/docker/compose/v2/internal.Version=v{b.version}",
    )
    (b.out / "cmd").rename(b.out / "docker-compose")
