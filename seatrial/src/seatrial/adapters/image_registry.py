"""Registries that clusters pull from: one of our own beside kind's nodes, or the company's for an existing cluster.

Ours consists of two containers over one volume. The writer takes pushes on loopback. The reader stands in the network
of the nodes and cannot write: it refuses, and its volume is mounted read-only. Each wants a password of its own. Nodes
use the reader as a mirror of every registry whose images we deliver, each below a path of its own, so that pods keep
the names that production says.

Each state directory, that is each user, has a registry of its own. So whether it is still needed is a question to one
ledger, and nobody runs what another user pushed.
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
    alone,
    authorization,
    client_config,
    keys_in,
    password_file,
)
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime
from seatrial.model.names import canonical
from seatrial.ports import Object, Progress

__all__ = ["DOMAIN", "LocalRegistry", "RemoteRegistry"]

DOMAIN: Final = "seatrial-registry"
"""Registries have names below it: nodes behind a proxy reach it directly."""

_INSIDE: Final = 5000
_IMAGES: Final = ("foundry.invalid/registry:2", "registry:2")
"""What it runs, first come first served; the last is pulled."""

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
    # The image of version 3 serves profiles and metrics on all addresses, to everybody.
    *("--env", "REGISTRY_HTTP_DEBUG_ADDR=127.0.0.1:5001"),
    # Else it remembers layers that a garbage collection removed, and takes a push without them.
    *("--env", "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)


class LocalRegistry:
    """Our registry.

    Args:
        home: directory with its keys; a registry for each.
        image: what it runs; None: the first of the usual ones that is on the engine.
        network: Docker network of the nodes; joined when it is there.
        mark: file that says that the network is there because of us.
        port_is_free: says whether a port of the loopback address is.
    """

    def __init__(
        self,
        engine: DockerEngine,
        *,
        home: Path,
        image: str | None,
        network: str,
        mark: Path,
        port_is_free: Callable[[str, int], bool],
    ) -> None:
        self._engine = engine
        self._home = home
        self._mark = mark
        self._images = (image,) if image else _IMAGES
        self._network = network
        self._port_is_free = port_is_free
        self._port = 0
        self._networks: set[str] = set()

    @property
    def host(self) -> str:
        """Where this machine reaches the writer: `localhost:5001`."""
        return f"localhost:{self._port}"

    @property
    def container(self) -> str:
        """Name of the reader's container, which nodes reach it by."""
        return f"{self._keys.id}.{DOMAIN}"

    @property
    def volume(self) -> str:
        """Name of the volume with what was pushed."""
        return self.container

    @property
    def _writer(self) -> str:
        return f"{self.container}-writer"

    @cached_property
    def _keys(self) -> Keys:
        return keys_in(self._home)

    def ensure(self, *, deadline: Deadline) -> None:
        """Have both containers run; the reader is in the nodes' network if that is there already.

        Raises:
            EnvironmentFailed: one does not answer in spite of all.
        """
        found = self._running()
        if not found:
            with alone(self._home):
                # Another command of this user may have been quicker.
                found = self._running() or self._start(deadline)
        self._port = _published(found[self._writer])
        self._networks = set((found[self.container].get("NetworkSettings") or {}).get("Networks") or ())
        self._await(self._port, WRITER, self._keys.write, deadline)
        self._await(_published(found[self.container]), READER, self._keys.read, deadline)

    def join(self) -> bool:
        """Have the reader join the nodes' network; False: there is none yet."""
        if self._network not in self._networks:
            done = self._engine.docker("network", "connect", self._network, self.container, check=False)
            if done.code and b"already exists" not in done.stderr:
                return False
            self._networks.add(self._network)
        if self._mark.exists() and not self._mark.read_text():
            # It was not there before us: from now on it is told from a later network of this name.
            self._mark.write_text(self._engine.network(self._network))
        return True

    def claim_network(self) -> None:
        """Write down that the nodes' network is ours to remove, if it is not there yet: kind makes it and leaves it."""
        if not self._engine.network(self._network):
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.write_text("")

    def remove(self) -> None:
        """Remove the containers and a network that is ours. The volume stays: it is the cache of what was pushed."""
        with alone(self._home):
            self._engine.remove_containers([self.container, self._writer], deadline=Deadline.after(_QUICK))
        if self._mark.exists():
            ours, there = self._mark.read_text(), self._engine.network(self._network)
            # A cluster of another user may have come since, and be stopped: then Docker would let the network go.
            if ours and ours == there and not self._engine.containers_in(self._network):
                self._engine.docker("network", "rm", self._network, check=False)
            self._mark.unlink()

    def name_for(self, reference: str) -> str:
        """Return the reference as it is: nodes look here first whatever it says."""
        return reference

    def digest(self, reference: str) -> str | None:
        """Return the digest of an image's manifest, None if it is not here."""
        repository, tag = self._place(reference)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Accept": _MANIFESTS, "Authorization": authorization(WRITER, self._keys.write)}
        try:
            connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers=headers)
            response = connection.getresponse()
            return response.headers.get("Docker-Content-Digest") if response.status == _OK else None
        except OSError as error:
            raise EnvironmentFailed(f"the registry at {self.host} does not answer", reason=str(error)) from error
        finally:
            connection.close()

    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str:
        """Push a local image and return the digest of its manifest as the registry has it."""
        repository, tag = self._place(reference)
        config = client_config(self._home / "docker", self.host, self._keys, os.environ)
        target = f"{self.host}/{repository}:{tag}"
        self._engine.push(reference, target, deadline=deadline, progress=progress, config=config)
        digest = self.digest(reference)
        if digest is None:
            raise EnvironmentFailed(
                f"the registry lost {reference} right after the push",
                hint=f"docker rm -f {self.container} {self._writer}",
            )
        return digest

    def mirrors(self, references: list[str]) -> dict[str, str]:
        """Return hosts.toml by registry host, for nodes that are to find the images here. They contain a password."""
        hosts = {canonical(reference).partition("/")[0] for reference in references}
        texts = {host: self._hosts_toml(f"/v2/{_component(host)}") for host in hosts}
        # What other tools push to it by its address (KEP-1755).
        texts[self.host] = texts[f"{self.container}:{_INSIDE}"] = self._hosts_toml("")
        return texts

    def announcement(self) -> Object:
        """Return the ConfigMap that tells Skaffold, Tilt and others of this registry: KEP-1755."""
        hosting = (
            f"# Pushes need a login: DOCKER_CONFIG={self._home / 'docker'}\n"
            f'host: "{self.host}"\n'
            "# Read-only. Nodes have a login.\n"
            f'hostFromContainerRuntime: "{self.container}:{_INSIDE}"\n'
        )
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
            "data": {"localRegistryHosting.v1": hosting},
        }

    def _running(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of both containers, nothing unless both run."""
        found = self._engine.containers([self.container, self._writer])
        up = [each for each in found.values() if each["State"]["Running"] and _published(each)]
        return found if len(up) == 2 else {}  # noqa: PLR2004

    def _start(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        image = self._image(deadline)
        names = [self.container, self._writer]
        for left in reversed(range(_ATTEMPTS)):
            # One may be beyond starting (its port is taken, its network gone); all that they know is in the volume.
            self._engine.remove_containers(names, deadline=deadline)
            try:
                self._create(image, deadline)
                self._engine.docker("start", *names, deadline=deadline)
            except CommandFailed as failed:
                self._engine.remove_containers(names, deadline=Deadline.after(_QUICK))
                # Another user's registry may have been quicker to take the port.
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
                f"image {image}, which the registry runs, cannot be pulled",
                reason=failed.reason,
                hint="name one that this machine has: SEATRIAL_REGISTRY_IMAGE=…",
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
            hint=f"docker logs {name}; docker rm -f {self.container} {self._writer}",
        )

    def _place(self, reference: str) -> tuple[str, str]:
        host, _, rest = canonical(reference).partition("/")
        path, _, tag = rest.rpartition(":")
        return f"{_component(host)}/{path}", tag

    def _hosts_toml(self, path: str) -> str:
        # https://github.com/containerd/containerd/blob/main/docs/hosts.md
        host = f'host."http://{self.container}:{_INSIDE}{path}"'
        override = "  override_path = true\n" if path else ""
        return (
            f'[{host}]\n  capabilities = ["pull", "resolve"]\n{override}'
            f'[{host}.header]\n  authorization = "{authorization(READER, self._keys.read)}"\n'
        )


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


def _published_on(port: int | Literal[""]) -> tuple[str, str]:
    """Return the options that publish a registry on loopback; without a port the engine chooses one."""
    return "--publish", f"127.0.0.1:{port}:{_INSIDE}"


def _published(container: dict[str, Any]) -> int:
    """Return the port of loopback that a container is published on, 0 if it is not."""
    ports = (container.get("NetworkSettings") or {}).get("Ports") or {}
    bindings = ports.get(f"{_INSIDE}/tcp") or ()
    return int(bindings[0]["HostPort"]) if bindings else 0
