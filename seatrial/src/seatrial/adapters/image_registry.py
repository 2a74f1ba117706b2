"""Deliver images through a registry: a local one for kind clusters, or the configured one of an existing cluster.

The local registry is two containers with one volume, each with its own password. The writer accepts pushes on
loopback. The reader is in the network of the nodes and is read-only: it refuses writes, and its volume is mounted
read-only. Nodes use the reader as a mirror of each registry whose images are delivered, under a separate path. So pods
keep the image names of production.

Each user (each state directory) has a separate registry. So one ledger decides whether it is still in use, and no user
runs images that another user pushed.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.registry_keys import (
    HTPASSWD,
    READER,
    WRITER,
    Keys,
    authorization,
    client_config,
    keys_in,
    lock_registry,
    password_file,
)
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime
from seatrial.model.names import canonical
from seatrial.ports import Object, Progress

__all__ = ["DOMAIN", "LocalRegistry", "RemoteRegistry"]

DOMAIN: Final = "seatrial-registry"
"""Domain of the names of local registries. NO_PROXY contains it, so that nodes reach them without a proxy."""

_CONTAINER_PORT: Final = 5000
_IMAGES: Final = ("foundry.invalid/registry:2", "registry:2")
"""Images of the registry. The first one on the engine is used, else the last one is pulled."""

_FIRST_PORT: Final = 5001
_ATTEMPTS: Final = 5
_QUICK: Final = 30.0
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json,"
    " application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_OK: Final = 200
# https://distribution.github.io/distribution/about/configuration/: the same for versions 2 and 3
_READ_ONLY: Final = ("--env", 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled": true}')
_WRITABLE: Final = ("--env", "REGISTRY_STORAGE_DELETE_ENABLED=true")
_HARDENED: Final = (
    *("--env", "REGISTRY_AUTH=htpasswd"),
    *("--env", "REGISTRY_AUTH_HTPASSWD_REALM=seatrial"),
    *("--env", f"REGISTRY_AUTH_HTPASSWD_PATH=/{HTPASSWD}"),
    # By default, version 3 serves profiles and metrics on all addresses without authentication.
    *("--env", "REGISTRY_HTTP_DEBUG_ADDR=127.0.0.1:5001"),
    # Without this, a cache still lists layers that a garbage collection deleted, and a push omits them.
    *("--env", "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)


class LocalRegistry:
    """The local registry of this user.

    Args:
        engine: runs its containers.
        directory: directory with its keys. Each directory has a separate registry.
        image: image of the registry; None: one of the default images.
        network: Docker network of the nodes; joined once it exists.
        network_marker: file that records that seatrial created the network.
        port_is_free: whether a port of an address is free.
    """

    def __init__(
        self,
        engine: DockerEngine,
        *,
        directory: Path,
        image: str | None,
        network: str,
        network_marker: Path,
        port_is_free: Callable[[str, int], bool],
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._network_marker = network_marker
        self._images = (image,) if image else _IMAGES
        self._network = network
        self._port_is_free = port_is_free
        self._port = 0
        self._networks: set[str] = set()

    @property
    def host(self) -> str:
        """Address of the writer on this machine: `localhost:5001`."""
        return f"localhost:{self._port}"

    @property
    def container(self) -> str:
        """Name of the reader's container, which is its host name for nodes."""
        return f"{self._keys.id}.{DOMAIN}"

    @property
    def volume(self) -> str:
        """Name of the volume with the pushed images."""
        return self.container

    @property
    def _writer(self) -> str:
        return f"{self.container}-writer"

    @cached_property
    def _keys(self) -> Keys:
        return keys_in(self._directory)

    def ensure(self, *, deadline: Deadline) -> None:
        """Start both containers, the reader in the network of the nodes if that exists already.

        Raises:
            EnvironmentFailed: the image of the registry cannot be pulled.
            OutOfTime: a container does not answer.
        """
        found = self._running()
        if not found:
            with lock_registry(self._directory):
                # Another command of this user may have started it in the meantime.
                found = self._running() or self._start(deadline)
        self._port = _published(found[self._writer])
        self._networks = set((found[self.container].get("NetworkSettings") or {}).get("Networks") or ())
        self._await(self._port, WRITER, self._keys.write, deadline)
        self._await(_published(found[self.container]), READER, self._keys.read, deadline)

    def join(self) -> bool:
        """Connect the reader to the network of the nodes; return False if the network does not exist yet."""
        if self._network not in self._networks:
            done = self._engine.docker("network", "connect", self._network, self.container, check=False)
            if done.code and b"already exists" not in done.stderr:
                return False
            self._networks.add(self._network)
        if self._network_marker.exists() and not self._network_marker.read_text():
            # The id distinguishes this network from a later one with the same name.
            self._network_marker.write_text(self._engine.network(self._network))
        return True

    def claim_network(self) -> None:
        """Record that seatrial deletes the network of the nodes, unless it exists: kind creates it and keeps it."""
        if not self._engine.network(self._network):
            self._network_marker.parent.mkdir(parents=True, exist_ok=True)
            self._network_marker.write_text("")

    def remove(self) -> None:
        """Delete the containers, and the network if seatrial created it. The volume is kept as a cache."""
        with lock_registry(self._directory):
            self._engine.remove_containers([self.container, self._writer], deadline=Deadline.after(_QUICK))
        if self._network_marker.exists():
            recorded, current = self._network_marker.read_text(), self._engine.network(self._network)
            # Docker deletes a network whose containers are stopped, for example those of another user.
            if recorded and recorded == current and not self._engine.containers_in(self._network):
                self._engine.docker("network", "rm", self._network, check=False)
            self._network_marker.unlink()

    def name_for(self, reference: str) -> str:
        """Return the reference unchanged: for nodes, this registry is a mirror of all others."""
        return reference

    def digest(self, reference: str) -> str | None:
        """Return the digest of an image's manifest; None if the registry does not have it.

        Raises:
            EnvironmentFailed: the registry does not answer.
        """
        repository, tag = self._place(reference)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Accept": _MANIFESTS, "Authorization": authorization(WRITER, self._keys.write)}
        try:
            connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers=headers)
            response = connection.getresponse()
            return response.headers.get("Docker-Content-Digest") if response.status == _OK else None
        except OSError as error:
            raise EnvironmentFailed(
                f"the registry at {self.host} does not answer",
                reason=str(error),
                hint=f"docker logs {self._writer}",
            ) from error
        finally:
            connection.close()

    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str:
        """Push an image of the engine; return the digest of its manifest in the registry.

        Raises:
            CommandFailed: the push failed.
            EnvironmentFailed: the registry does not have the image afterwards.
        """
        repository, tag = self._place(reference)
        config = client_config(self._directory / "docker", self.host, self._keys, os.environ)
        target = f"{self.host}/{repository}:{tag}"
        self._engine.push(reference, target, deadline=deadline, progress=progress, config=config)
        digest = self.digest(reference)
        if digest is None:
            raise EnvironmentFailed(
                f"the registry does not have {reference} after the push",
                hint=f"docker rm -f {self.container} {self._writer}",
            )
        return digest

    def mirrors(self, references: list[str]) -> dict[str, str]:
        """Return hosts.toml by registry host, which let nodes pull the images from here. They contain a password."""
        hosts = {canonical(reference).partition("/")[0] for reference in references}
        texts = {host: self._hosts_toml(f"/v2/{_component(host)}") for host in hosts}
        # Other tools push to the registry by its address (KEP-1755).
        texts[self.host] = texts[f"{self.container}:{_CONTAINER_PORT}"] = self._hosts_toml("")
        return texts

    def announcement(self) -> Object:
        """Return the ConfigMap that announces the registry to tools such as Skaffold and Tilt (KEP-1755)."""
        hosting = (
            f"# Pushes need a login: DOCKER_CONFIG={self._directory / 'docker'}\n"
            f'host: "{self.host}"\n'
            "# Read-only. Nodes have a login.\n"
            f'hostFromContainerRuntime: "{self.container}:{_CONTAINER_PORT}"\n'
        )
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
            "data": {"localRegistryHosting.v1": hosting},
        }

    def _running(self) -> dict[str, dict[str, Any]]:
        """Return `docker container inspect` of both containers; empty unless both are running."""
        found = self._engine.containers([self.container, self._writer])
        up = [each for each in found.values() if each["State"]["Running"] and _published(each)]
        return found if len(up) == 2 else {}  # noqa: PLR2004

    def _start(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        image = self._image(deadline)
        names = [self.container, self._writer]
        for left in reversed(range(_ATTEMPTS)):
            # Recreate both: one may not start again (port in use, network deleted), and all data is in the volume.
            self._engine.remove_containers(names, deadline=deadline)
            try:
                self._create(image, deadline)
                self._engine.docker("start", *names, deadline=deadline)
            except CommandFailed as failed:
                self._engine.remove_containers(names, deadline=Deadline.after(_QUICK))
                # Another user's registry may have taken the port in the meantime.
                if not left or not re.search(r"already (allocated|in use)", failed.tail):
                    raise
            else:
                break
        return self._engine.containers(names)

    def _create(self, image: str, deadline: Deadline) -> None:
        port = next(port for port in range(_FIRST_PORT, 1 << 16) if self._port_is_free("127.0.0.1", port))
        network = ["--network", self._network] if self._engine.network(self._network) else []
        for name, user, password, more in (
            (self._writer, WRITER, self._keys.write, [*self._mounted("rw"), *_published_on(port)]),
            (self.container, READER, self._keys.read, [*self._mounted("ro"), *_published_on(""), *network]),
        ):
            argv = ["create", "--name", name, "--label", "seatrial.dev/owner=seatrial", *_HARDENED, *more, image]
            self._engine.docker(*argv, deadline=deadline)
            self._engine.copy_into(name, password_file(user, password), deadline=deadline)

    def _mounted(self, mode: Literal["ro", "rw"]) -> tuple[str, ...]:
        return "--volume", f"{self.volume}:/var/lib/registry:{mode}", *(_READ_ONLY if mode == "ro" else _WRITABLE)

    def _image(self, deadline: Deadline) -> str:
        present = self._engine.inspect(self._images)
        image = next((name for name in self._images if name in present), self._images[-1])
        if image not in present:
            self._pull(image, deadline)
        return image

    def _pull(self, image: str, deadline: Deadline) -> None:
        try:
            self._engine.pull(image, deadline=deadline)
        except CommandFailed as failed:
            raise EnvironmentFailed(
                f"image {image} of the local registry cannot be pulled",
                reason=failed.reason,
                hint="set SEATRIAL_REGISTRY_IMAGE to an image that this machine has",
            ) from failed

    def _await(self, port: int, user: str, password: str, deadline: Deadline) -> None:
        limit = deadline.child(30)
        headers = {"Authorization": authorization(user, password)}
        while not limit.passed:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/v2/", headers=headers)
                if connection.getresponse().status == _OK:
                    connection.close()
                    return
            connection.close()
            time.sleep(0.05)
        name = self._writer if user == WRITER else self.container
        raise OutOfTime(
            f"the registry at localhost:{port} does not answer",
            hint=f"docker logs {name}; to create it again: docker rm -f {self.container} {self._writer}",
        )

    def _place(self, reference: str) -> tuple[str, str]:
        host, _, rest = canonical(reference).partition("/")
        path, _, tag = rest.rpartition(":")
        return f"{_component(host)}/{path}", tag

    def _hosts_toml(self, path: str) -> str:
        # https://github.com/containerd/containerd/blob/main/docs/hosts.md
        host = f'host."http://{self.container}:{_CONTAINER_PORT}{path}"'
        override = "  override_path = true\n" if path else ""
        return (
            f'[{host}]\n  capabilities = ["pull", "resolve"]\n{override}'
            f'[{host}.header]\n  authorization = "{authorization(READER, self._keys.read)}"\n'
        )


class RemoteRegistry:
    """The configured registry of an existing cluster. Images are pushed to it under other names.

    Args:
        engine: has the images.
        prefix: host and path, such as `registry.example.com/team`.
    """

    def __init__(self, engine: DockerEngine, prefix: str) -> None:
        self._engine = engine
        self._prefix = prefix.rstrip("/")

    def ensure(self, *, deadline: Deadline) -> None:
        """Do nothing: the registry belongs to another owner."""
        del deadline

    def name_for(self, reference: str) -> str:
        """Return the name of an image in the registry."""
        return f"{self._prefix}/{canonical(reference).partition('/')[2].removeprefix('library/')}"

    def digest(self, reference: str) -> str | None:
        """Return the digest of an image's manifest; None if the registry does not have it."""
        host = self._prefix.partition("/")[0].rpartition(":")[0] or self._prefix
        # Like the engine: a registry on loopback has no TLS.
        plain = ["--insecure"] if host in ("localhost", "127.0.0.1") else []
        argv = ["manifest", "inspect", "--verbose", *plain, self.name_for(reference)]
        done = self._engine.docker(*argv, check=False)
        if done.code:
            return None
        found = json.loads(done.stdout)
        entry = found[0] if isinstance(found, list) else found
        return str(entry["Descriptor"]["digest"])

    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str:
        """Push an image of the engine; return the digest of its manifest in the registry.

        Raises:
            CommandFailed: the push failed.
            EnvironmentFailed: the registry does not have the image afterwards.
        """
        self._engine.push(reference, self.name_for(reference), deadline=deadline, progress=progress)
        digest = self.digest(reference)
        if digest is None:
            raise EnvironmentFailed(
                f"{self._prefix} does not have {reference} after the push",
                hint=f"docker manifest inspect {self.name_for(reference)}",
            )
        return digest


def _component(host: str) -> str:
    """Return a registry host as one component of a repository path, which must not contain a colon."""
    return re.sub(r"[^a-z0-9.-]", "_", host.lower())


def _published_on(port: int | Literal[""]) -> tuple[str, str]:
    """Return the options that publish a registry on loopback; without a port, the engine chooses one."""
    return "--publish", f"127.0.0.1:{port}:{_CONTAINER_PORT}"


def _published(container: dict[str, Any]) -> int:
    """Return the loopback port of a container; 0 if it is not published."""
    ports = (container.get("NetworkSettings") or {}).get("Ports") or {}
    bindings = ports.get(f"{_CONTAINER_PORT}/tcp") or ()
    return int(bindings[0]["HostPort"]) if bindings else 0
