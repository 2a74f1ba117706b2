"""Docker: the test image, and the registry that hands images to the nodes layer by layer."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow.commands import Commands, say
from flow.errors import CommandFailed, Failure

REGISTRY_IMAGE = "foundry/registry:2"
# A changed test adds a few kilobytes, a changed dependency some hundred megabytes; beyond this the cache starts anew.
REGISTRY_BYTES = 8 * 10**9
# What the machine says about package indexes goes into the build; the Dockerfile names no host.
BUILD_ARGUMENTS = ("UV_DEFAULT_INDEX", "PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Engine:
    """The container engine, by its command line."""

    commands: Commands

    def answers(self) -> None:
        """Raise a `Failure` if there is no engine."""
        try:
            self.commands.run(["docker", "version", "--format", "{{.Server.Version}}"], seconds=20)
        except CommandFailed as failed:
            raise Failure("no container engine answers", why=failed.tail, hint="make setup", code=4) from None

    def image_id(self, image: str) -> str | None:
        """Return the id of an image this engine holds."""
        found = self.commands.run(["docker", "image", "ls", "--quiet", "--no-trunc", image], seconds=20).split()
        return found[0] if found else None

    def image_size(self, image: str) -> int:
        """Return an image's bytes, unpacked."""
        return int(self.commands.run(["docker", "image", "inspect", "--format", "{{.Size}}", image], seconds=20))

    def build(self, image: str, *, root: Path, log: Path) -> str:
        """Build the test image as anybody would, and return its id."""
        told = [name for name in BUILD_ARGUMENTS if os.environ.get(name)]
        arguments = [part for name in told for part in ("--build-arg", name)]
        try:
            self.commands.run(["docker", "build", "--tag", image, *arguments, str(root)], seconds=900, log=log)
        except CommandFailed as failed:
            raise Failure(f"{image} could not be built", why=failed.tail, hint=f"docker build {root}; {log}") from None
        found = self.image_id(image)
        if found is None:
            raise Failure(f"{image} is not there after it was built", hint=str(log))
        return found

    def containers(self, cluster: str) -> tuple[str, ...]:
        """Return the ids of a kind cluster's node containers, running or not."""
        return self._listed(f"label=io.x-k8s.kind.cluster={cluster}")

    def container(self, name: str) -> tuple[str, ...]:
        """Return the id of the container of that name, running or not."""
        return self._listed(f"name=^/{name}$")

    def _listed(self, condition: str) -> tuple[str, ...]:
        argv = ["docker", "container", "ls", "--all", "--quiet", "--no-trunc", "--filter", condition]
        return tuple(sorted(self.commands.run(argv, seconds=20).split()))

    def has_network(self, name: str) -> bool:
        """Say whether a network of that name is there."""
        return bool(self.commands.run(["docker", "network", "ls", "--quiet", "--filter", f"name=^{name}$"], seconds=20))

    def remove_network_if_free(self, name: str) -> None:
        """Remove a network unless something is attached to it."""
        if self.has_network(name):
            try:
                self.commands.run(["docker", "network", "rm", name], seconds=20)
            except CommandFailed as failed:
                if "active endpoints" not in failed.tail:
                    raise


class Registry:
    """A registry on the loopback address whose data outlives it, so that a push sends what is new.

    The data is a folder of the user's cache, not a volume of the engine: after a run the engine holds nothing of it.
    """

    def __init__(self, engine: Engine, *, name: str, data: Path) -> None:
        self._engine = engine
        self._run = engine.commands.run
        self.name = name
        self._data = data
        self._address = ""

    def start(self, network: str) -> None:
        """Start it on a free port, in the network of the nodes, and wait until it answers.

        The network is kind's to make. Joining it later would not do: an engine moves published ports to another
        network's address then, and a port it chose itself becomes a different one.
        """
        while not self._engine.has_network(network):
            self._engine.commands.pause(0.2)
        if _bytes_in(self._data) > REGISTRY_BYTES:
            say(f"the image cache {self._data} grew over {REGISTRY_BYTES / 10**9:.0f} GB; it starts anew")
            _empty(self._data)
        self._data.mkdir(parents=True, exist_ok=True)
        argv = ["docker", "run", "--detach", "--name", self.name, "--user", f"{os.getuid()}:{os.getgid()}"]
        argv += [
            "--network",
            network,
            "--publish",
            "127.0.0.1::5000",
            "--volume",
            f"{self._data}:/var/lib/registry",
            REGISTRY_IMAGE,
        ]
        try:
            self._run(argv, seconds=30)
        except CommandFailed as failed:
            raise Failure("the registry does not start", why=failed.tail, hint="make setup") from None
        self.find()

    def remove(self) -> None:
        """Remove it, and the names it lent to images while they were pushed; it need not be there."""
        if not self._engine.container(self.name):
            return
        with contextlib.suppress(CommandFailed, IndexError):  # it may be there and not run
            address = self._run(["docker", "port", self.name, "5000/tcp"], seconds=20).split()[0]
            filters = [f"--filter=reference={address}/{depth}" for depth in ("*", "*/*", "*/*/*")]
            lent = self._run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", *filters], seconds=20).split()
            if lent:
                self._run(["docker", "rmi", "--no-prune", *lent], seconds=30)
        self._run(["docker", "rm", "--force", "--volumes", self.name], seconds=60)

    def find(self) -> None:
        """Learn the address of the running registry and wait until it answers."""
        self._address = self._run(["docker", "port", self.name, "5000/tcp"], seconds=20).split()[0]
        deadline = time.monotonic() + 15
        while self._ask("GET", "/v2/") is None:
            if time.monotonic() > deadline:
                logs = self._run(["docker", "logs", "--tail", "10", self.name], seconds=20)
                raise Failure(f"the registry at {self._address} does not answer", why=logs)
            self._engine.commands.pause(0.1)

    def push(self, image: str, image_id: str, *, log: Path) -> bool:
        """Make `image` available to the nodes under its own name; return whether anything was sent.

        A note beside the data remembers what was pushed, and the registry is asked whether it still has just that.
        """
        repository, tag = split(image)
        note = self._data / "pushed" / f"{repository}:{tag}".replace("/", "_")
        path = f"/v2/{repository}/manifests/{tag}"
        if note.exists() and note.read_text().split() == [image_id, self._ask("HEAD", path) or "-"]:
            return False
        remote = f"{self._address}/{repository}:{tag}"
        self._run(["docker", "tag", image_id, remote], seconds=20)
        try:
            self._run(["docker", "push", remote], seconds=600, log=log)
        finally:
            self._engine.commands.run(["docker", "rmi", "--no-prune", remote], seconds=20)
        digest = self._ask("HEAD", path)
        if digest is None:
            raise Failure(f"the registry does not have {image} after it was pushed", why="", hint=str(log))
        note.parent.mkdir(exist_ok=True)
        note.write_text(f"{image_id} {digest}\n")
        return True

    def _ask(self, method: str, path: str) -> str | None:
        """Return the digest (or an empty text) of a good answer; None for any other."""
        request = urllib.request.Request(f"http://{self._address}{path}", method=method)
        for kind in (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.manifest.v1+json",
        ):
            request.add_header("Accept", kind)
        try:
            with _DIRECT.open(request, timeout=5) as answer:
                return answer.headers.get("Docker-Content-Digest") or ""
        except (urllib.error.URLError, OSError):
            return None


# A proxy of the environment cannot reach this machine's loopback address.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def split(image: str) -> tuple[str, str]:
    """Return repository and tag as Docker Hub has them: what nodes ask of a mirror for an image without a host.

    Raises:
        Failure: the image names another registry, which this one does not stand in for.
    """
    name, _, tag = image.partition(":")
    first, slash, _ = name.partition("/")
    if slash and ("." in first or first == "localhost"):
        raise Failure(f"{image} belongs to another registry", hint="name it without a host", code=4)
    return (name if slash else f"library/{name}", tag or "latest")


def unique_bytes(engine: Engine, images: Iterable[str]) -> int:
    """Return the bytes of these images; what they share counts once."""
    layers: dict[str, int] = {}
    for image in images:
        ids = json.loads(
            engine.commands.run(["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image])
        )
        layers |= _sizes(engine, image, ids)
    return sum(layers.values())


def _sizes(engine: Engine, image: str, layers: Sequence[str]) -> dict[str, int]:
    # `docker history` lists newest first, and steps that made no layer with 0 bytes.
    lines = engine.commands.run(["docker", "history", "--human=false", "--format", "{{.Size}}", image]).split()
    sizes = [int(size) for size in reversed(lines) if size != "0"]
    if len(sizes) == len(layers):
        return dict(zip(layers, sizes, strict=True))
    return {image: engine.image_size(image)}


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
