"""The kind cluster of a run: made, wired to the registry, filled with images, checked, removed."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flow.commands import last_lines
from flow.engine import Engine, split
from flow.errors import CommandFailed, Failure
from flow.kube import Kube
from flow.settings import Settings

NETWORK = "kind"  # kind's own, shared by all its clusters
# Docker Hub is where names without a host lead, so with this mirror images keep their names on the nodes;
# https://github.com/containerd/containerd/blob/main/docs/hosts.md
MIRROR = '[host."http://{registry}:5000"]\n  capabilities = ["pull", "resolve"]\n'
MIRROR_FOLDER = "/etc/containerd/certs.d/docker.io"


@dataclass(frozen=True, slots=True)
class Node:
    """A node container; `works` says whether ordinary pods run there."""

    name: str
    works: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """One kind cluster."""

    settings: Settings
    engine: Engine

    def create(self) -> None:
        """Create it; kind says what it does in the run's kind.log."""
        log = self.settings.run / "kind.log"
        argv = ["kind", "create", "cluster", "--name", self.settings.cluster]
        argv += ["--config", str(self.settings.kind_config), "--kubeconfig", str(self.settings.kubeconfig)]
        try:
            self.engine.commands.run(argv, seconds=300, log=log)
        except CommandFailed as failed:
            raise Failure(
                f"kind could not create {self.settings.cluster}", why=_essence(failed.tail), hint=f"read {log}"
            ) from None

    def remove(self, *, whole: bool) -> None:
        """Remove all of it; it need not be there.

        When its creation was killed (not `whole`), the engine may still be making a container that it was asked for:
        so this looks again, until nothing of that name appears for a moment.
        """
        argv = ["kind", "delete", "cluster", "--name", self.settings.cluster]
        argv += ["--kubeconfig", str(self.settings.kubeconfig)]
        for _ in range(10):
            self.engine.commands.run(argv, seconds=120)
            if not whole:
                time.sleep(2)
            if not self.engine.containers(self.settings.cluster):
                break
        self.settings.kubeconfig.unlink(missing_ok=True)

    def wait_for_nodes(self) -> list[Node]:
        """Return the nodes as soon as their containers run, long before Kubernetes does."""
        expected = expected_nodes(self.settings.kind_config)
        deadline = time.monotonic() + 120
        while True:
            found = self._running()
            if len(found) >= expected:
                break
            if time.monotonic() > deadline:
                raise Failure(f"{len(found)} of {expected} nodes run after 120 s")
            self.engine.commands.pause(0.3)
        alone = len(found) == 1
        return [Node(name=name, works=alone or role == "worker") for name, role in found]

    def _running(self) -> list[tuple[str, str]]:
        template = '{{.Names}} {{.Label "io.x-k8s.kind.role"}}'
        argv = [
            "docker",
            "ps",
            "--filter",
            f"label=io.x-k8s.kind.cluster={self.settings.cluster}",
            "--format",
            template,
        ]
        lines = self.engine.commands.run(argv, seconds=20).splitlines()
        return [(name, role) for name, role in (line.split() for line in lines) if role in {"control-plane", "worker"}]

    def wire(self, nodes: Iterable[Node], registry: str) -> None:
        """Let the nodes ask the registry first for images without a host."""
        run = self.engine.commands.run
        script = f"mkdir -p {MIRROR_FOLDER} && cat > {MIRROR_FOLDER}/hosts.toml"
        text = MIRROR.format(registry=registry).encode()
        for node in nodes:
            run(["docker", "exec", "--interactive", node.name, "sh", "-c", script], stdin=text, seconds=20)

    def pull(self, nodes: Sequence[Node], images: Sequence[str]) -> None:
        """Pull images onto nodes now, all at once: the kubelet would do it one after the other, and later."""
        for node in nodes:
            self._containerd_answers(node)
        with ThreadPoolExecutor(max_workers=4) as pool:
            for done in [pool.submit(self._pull, node, image) for image in images for node in nodes]:
                done.result()

    def _containerd_answers(self, node: Node) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.engine.commands.run(["docker", "exec", node.name, "ctr", "version"], seconds=20)
            except CommandFailed as failed:
                if time.monotonic() > deadline:
                    raise Failure(f"containerd on {node.name} does not answer", why=failed.tail) from None
            else:
                return
            self.engine.commands.pause(0.3)

    def _pull(self, node: Node, image: str) -> None:
        repository, tag = split(image)
        argv = ["docker", "exec", node.name, "ctr", "--namespace", "k8s.io", "images", "pull"]
        argv += ["--hosts-dir", "/etc/containerd/certs.d", f"docker.io/{repository}:{tag}"]
        self.engine.commands.run(argv, seconds=300)


def expected_nodes(kind_config: Path) -> int:
    """Return how many nodes a kind configuration asks for; without a list of nodes kind makes one."""
    return max(1, len(re.findall(r"^\s*-\s*role:", kind_config.read_text(), re.MULTILINE)))


def node_images(kind_config: Path) -> list[str]:
    """Return the node images that a kind configuration names."""
    return sorted(set(re.findall(r"^\s*(?:-\s*)?image:\s*[\"']?([^\s\"'#]+)", kind_config.read_text(), re.MULTILINE)))


def busy_ports(kind_config: Path) -> list[int]:
    """Return the host ports of a kind configuration that something on this machine has already."""
    wanted = re.findall(r"^\s*(?:-\s*)?hostPort:\s*(\d+)", kind_config.read_text(), re.MULTILINE)
    return [port for port in map(int, wanted) if not _free(port)]


def _free(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _essence(text: str) -> str:
    """Return what kind's error is about: its last words without the stack trace."""
    lines = [line for line in text.splitlines() if line.startswith("ERROR") or "rror" in line]
    return "\n".join(lines[:3]) or last_lines(None) or text


def images_in(manifest: str) -> list[str]:
    """Return the images that a rendered manifest names, in order, each once."""
    found = re.findall(r"^\s*(?:-\s*)?image:\s*[\"']?([^\s\"'#]+)", manifest, re.MULTILINE)
    return list(dict.fromkeys(found))


def storage_class_is_there(kube: Kube) -> bool:
    """Say whether the cluster has a StorageClass: kind applies it last."""
    return bool(kube.run("get", "storageclasses", "--output=name").strip())
