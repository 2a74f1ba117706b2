"""Image of buildx container builders: BuildKit's daemon and client with Debian's runc.

It behaves as `moby/buildkit`: the entrypoint is the daemon, arguments are its flags, `buildctl` is on PATH, and the
state is in /var/lib/buildkit. It lacks git, SSH and FUSE, which contexts from repositories and lazy pulls need.
https://github.com/moby/buildkit/blob/v0.33.0/Dockerfile
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build(
        "github.com/moby/buildkit",
        f"v{b.version}",
        ["cmd/buildkitd", "cmd/buildctl"],
        ldflags=f"-s -w -X github.com/moby/buildkit/version.Version=v{b.version}",
    )
    with b.container(b.ref("debian"), env={**b.network_environment, "DEBIAN_FRONTEND": "noninteractive"}) as c:
        c.sh("apt-get update; apt-get install --yes --no-install-recommends runc; rm -rf /var/lib/apt/lists/*")
        for program in ("buildkitd", "buildctl"):
            c.copy(b.out / program, f"/usr/bin/{program}")
        b.image_commit(c, changes=['ENTRYPOINT ["buildkitd"]', "VOLUME /var/lib/buildkit"])
