"""Registries that clusters pull from: one of our own beside kind's nodes, or the company's for an existing cluster.

Ours runs as a container with a volume, published on loopback. Nodes use it as a mirror of every registry whose images
we deliver, each below a path of its own, so that pods keep the names that production says.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.adapters.docker import DockerEngine
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime
from seatrial.model.names import canonical
from seatrial.ports import Object, Progress

__all__ = ["CONTAINER", "VOLUME", "LocalRegistry", "RemoteRegistry"]

CONTAINER: Final = "seatrial-registry"
VOLUME: Final = "seatrial-registry"
_INSIDE: Final = 5000
_IMAGES: Final = ("foundry.invalid/registry:2", "registry:2")
"""What it runs, first come first served; the last is pulled."""

_FIRST_PORT: Final = 5001
_QUICK: Final = 30.0
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json,"
    " application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_OK: Final = 200
_UNCACHED: Final = ("--env", "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none")
"""Else it remembers layers that a garbage collection removed, and takes a push without them."""


class LocalRegistry:
    """Our registry.

    Args:
        image: what it runs; None: the first of the usual ones that is on the engine.
        network: Docker network of the nodes; joined when it is there.
        mark: file that says that the network is there because of us.
        port_is_free: says whether a port of the loopback address is.
    """

    def __init__(
        self,
        engine: DockerEngine,
        *,
        image: str | None,
        network: str,
        mark: Path,
        port_is_free: Callable[[str, int], bool],
    ) -> None:
        self._engine = engine
        self._mark = mark
        self._images = (image,) if image else _IMAGES
        self._network = network
        self._port_is_free = port_is_free
        self._port = 0
        self._networks: set[str] = set()

    @property
    def host(self) -> str:
        """Where this machine reaches it: `localhost:5001`."""
        return f"localhost:{self._port}"

    def ensure(self, *, deadline: Deadline) -> None:
        """Have it run, and join the nodes' network if that is there already.

        Raises:
            EnvironmentFailed: it does not answer in spite of all.
        """
        there = self._engine.container(CONTAINER)
        if there and not there["State"]["Running"]:
            # It may be beyond starting (its port is taken, its network gone); all it knows is in the volume.
            self._engine.remove_containers([CONTAINER], deadline=deadline)
            there = None
        if there is None:
            self._start(deadline)
            there = self._engine.container(CONTAINER) or {}
        published = (there.get("NetworkSettings") or {}).get("Ports") or {}
        bindings = published.get(f"{_INSIDE}/tcp") or ()
        if not bindings:
            raise EnvironmentFailed(f"container {CONTAINER} publishes no port", try_=f"docker rm -f {CONTAINER}")
        self._port = int(bindings[0]["HostPort"])
        self._networks = set((there.get("NetworkSettings") or {}).get("Networks") or ())
        self._await(deadline)

    def join(self) -> bool:
        """Join the nodes' network; False: there is none yet."""
        if self._network not in self._networks:
            done = self._engine.docker("network", "connect", self._network, CONTAINER, check=False)
            if done.code and b"already exists" not in done.stderr:
                return False
            self._networks.add(self._network)
        return True

    def claim_network(self) -> None:
        """Write down that the nodes' network is ours to remove, if it is not there yet: kind makes it and leaves it."""
        if self._engine.docker("network", "inspect", self._network, check=False).code:
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.touch()

    def remove(self) -> None:
        """Remove the container and a network that is ours. The volume stays: it is the cache of what was pushed."""
        self._engine.remove_containers([CONTAINER], deadline=Deadline.after(_QUICK))
        if self._mark.exists():
            # Who is still in it keeps it.
            self._engine.docker("network", "rm", self._network, check=False)
            self._mark.unlink()

    def name_for(self, reference: str) -> str:
        """Return the reference as it is: nodes look here first whatever it says."""
        return reference

    def digest(self, reference: str) -> str | None:
        """Return the digest of an image's manifest, None if it is not here."""
        repository, tag = self._place(reference)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFESTS})
            response = connection.getresponse()
            return response.headers.get("Docker-Content-Digest") if response.status == _OK else None
        except OSError as error:
            raise EnvironmentFailed(f"the registry at {self.host} does not answer", why=str(error)) from error
        finally:
            connection.close()

    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str:
        """Push a local image and return the digest of its manifest as the registry has it."""
        repository, tag = self._place(reference)
        self._engine.push(reference, f"{self.host}/{repository}:{tag}", deadline=deadline, progress=progress)
        digest = self.digest(reference)
        if digest is None:
            raise EnvironmentFailed(
                f"the registry lost {reference} right after the push", try_=f"docker rm -f {CONTAINER}"
            )
        return digest

    def mirrors(self, references: list[str]) -> dict[str, str]:
        """Return hosts.toml by registry host, for nodes that are to find the images here."""
        hosts = {canonical(reference).partition("/")[0] for reference in references}
        texts = {host: _hosts_toml(f"/v2/{_component(host)}") for host in hosts}
        # What other tools push to it by its address (KEP-1755).
        texts[self.host] = _hosts_toml("")
        return texts

    def announcement(self) -> Object:
        """Return the ConfigMap that tells Skaffold, Tilt and others of this registry: KEP-1755."""
        hosting = f'host: "{self.host}"\nhostFromContainerRuntime: "{CONTAINER}:{_INSIDE}"\n'
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
            "data": {"localRegistryHosting.v1": hosting},
        }

    def _start(self, deadline: Deadline) -> None:
        present = self._engine.inspect(self._images)
        image = next((name for name in self._images if name in present), self._images[-1])
        if image not in present:
            self._pull(image, deadline)
        port = next(port for port in range(_FIRST_PORT, 1 << 16) if self._port_is_free("127.0.0.1", port))
        argv = ["run", "--detach", "--name", CONTAINER, "--publish", f"127.0.0.1:{port}:{_INSIDE}"]
        if not self._engine.docker("network", "inspect", self._network, check=False).code:
            argv += ["--network", self._network]
        argv += ["--volume", f"{VOLUME}:/var/lib/registry", "--env", "REGISTRY_STORAGE_DELETE_ENABLED=true"]
        argv += _UNCACHED
        try:
            self._engine.docker(*argv, "--label", "seatrial.dev/owner=seatrial", image, deadline=deadline)
        except CommandFailed as failed:
            # Another run of ours may have been quicker.
            if "already in use" not in failed.tail:
                raise

    def _pull(self, image: str, deadline: Deadline) -> None:
        try:
            self._engine.pull(image, deadline=deadline)
        except CommandFailed as failed:
            raise EnvironmentFailed(
                f"image {image}, which the registry runs, cannot be pulled",
                why=failed.why,
                try_="name one that this machine has: SEATRIAL_REGISTRY_IMAGE=…",
            ) from failed

    def _await(self, deadline: Deadline) -> None:
        limit = deadline.child(30)
        while not limit.passed:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/v2/")
                if connection.getresponse().status == _OK:
                    return
            connection.close()
            time.sleep(0.05)
        raise OutOfTime(f"the registry at {self.host} does not answer", try_=f"docker logs {CONTAINER}")

    def _place(self, reference: str) -> tuple[str, str]:
        host, _, rest = canonical(reference).partition("/")
        path, _, tag = rest.rpartition(":")
        return f"{_component(host)}/{path}", tag


class RemoteRegistry:
    """A registry that a given cluster pulls from; images are renamed to live there.

    Args:
        prefix: host and path: `registry.example.com/team`.
    """

    def __init__(self, engine: DockerEngine, prefix: str) -> None:
        self._engine = engine
        self._prefix = prefix.rstrip("/")

    def ensure(self, *, deadline: Deadline) -> None:
        """Do nothing: it is somebody else's."""
        del deadline

    def name_for(self, reference: str) -> str:
        """Return what pods have to say."""
        return f"{self._prefix}/{canonical(reference).partition('/')[2].removeprefix('library/')}"

    def digest(self, reference: str) -> str | None:
        """Return the digest of an image's manifest, None if it is not there."""
        host = self._prefix.partition("/")[0].rpartition(":")[0] or self._prefix
        # As the engine does, which takes a registry on this machine for one without TLS.
        plain = ["--insecure"] if host in ("localhost", "127.0.0.1") else []
        argv = ["manifest", "inspect", "--verbose", *plain, self.name_for(reference)]
        done = self._engine.docker(*argv, check=False)
        if done.code:
            return None
        found = json.loads(done.stdout)
        entry = found[0] if isinstance(found, list) else found
        return str(entry["Descriptor"]["digest"])

    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str:
        """Push a local image and return the digest of its manifest as the registry has it."""
        self._engine.push(reference, self.name_for(reference), deadline=deadline, progress=progress)
        digest = self.digest(reference)
        if digest is None:
            raise EnvironmentFailed(f"{self._prefix} does not have {reference} after the push")
        return digest


def _component(host: str) -> str:
    """Return a registry host as one component of a repository's path, where a colon may not stand."""
    return re.sub(r"[^a-z0-9.-]", "_", host.lower())


def _hosts_toml(path: str) -> str:
    override = "  override_path = true\n" if path else ""
    return f'[host."http://{CONTAINER}:{_INSIDE}{path}"]\n  capabilities = ["pull", "resolve"]\n{override}'
