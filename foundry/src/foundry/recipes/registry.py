"""The OCI registry of the distribution project, as Debian packages it.

Keeps the contract of Docker Hub's `registry:2`: port 5000, data in /var/lib/registry, REGISTRY_* variables override the
configuration file, whose path is the command. Deleting is allowed, as a cache's owner needs it; upstream's image wants
REGISTRY_STORAGE_DELETE_ENABLED=true for that. https://distribution.github.io/distribution/about/configuration/
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    with b.container(b.ref("debian"), env={**b.network_environment, "DEBIAN_FRONTEND": "noninteractive"}) as c:
        c.sh(
            "apt-get update; apt-get install --yes --no-install-recommends docker-registry; rm -rf /var/lib/apt/lists/*"
        )
        c.sh("mkdir -p /var/lib/registry; ln -s docker-registry /usr/bin/registry; rm -rf /var/cache/* /var/log/*")
        c.copy(b.assets / "config.yml", "/etc/docker/registry/config.yml")
        b.image_commit(
            c,
            changes=[
                'ENTRYPOINT ["registry", "serve"]',
                'CMD ["/etc/docker/registry/config.yml"]',
                "VOLUME /var/lib/registry",
                "EXPOSE 5000",
            ],
        )
