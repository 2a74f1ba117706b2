"""One small layer of a 400 MB image changed: until two nodes have it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from seatrial.model.result import Stage

from benchmarks.commands import Shell
from benchmarks.outcome import last_result, stages_of
from benchmarks.place import IMAGE, PLAIN_CLUSTER, REGISTRY, Place
from benchmarks.plain import typed
from benchmarks.projects import SHIP, copy_ship, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO", "pulls"]

_LOAD = "kind load"
_BY_HAND = "registry by hand"
_REGISTRY_IMAGES = ("foundry.invalid/registry:2", "registry:2")
_PULLED = re.compile(r'Successfully pulled image "(?P<image>[^"]+)" in \S+ \((?P<pull>[\dhms.µ]+) including waiting\)')
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6}
_DURATION = re.compile(r"([\d.]+)(h|ms|m|µs|s)")


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_ship(place)
    folder = place.folder(SHIP)
    shell = place.keep(SHIP)
    own = place.shell(SHIP)
    commands = plain_of(project, pod="none")
    own.run(*commands.create("kind.yaml"))
    nodes = own.run("kind", "get", "nodes", "--name", PLAIN_CLUSTER).text.split()
    host = _registry_by_hand(own, nodes)
    puller = _puller(own, nodes[0])
    pushed = f"{host}/{IMAGE}:latest"

    def change() -> None:
        (folder / "small").write_text(f"{time.time_ns()}\n")

    def ours() -> Taken:
        change()
        place.seatrial(SHIP, "up")
        result = last_result(folder)
        (used,) = (image for image in result.images if image.reference.startswith(project.runner.image))
        events = shell.run("kubectl", "get", "events", "--namespace=ship", "--output=json").text
        took = pulls([item["message"] for item in json.loads(events)["items"]], used.reference)
        _everywhere(shell, used.digest, len(nodes))
        deliver = next(stage.seconds for stage in result.stages if stage.stage is Stage.DELIVER)
        return Taken({Figure.DELIVERED: deliver + max(took)}, {**stages_of(result), "slowest pull": max(took)})

    def by_load() -> Taken:
        change()
        own.run(*commands.build())
        done = own.run(*commands.load())
        return Taken({Figure.DELIVERED: done.seconds})

    def pull(node: str) -> None:
        own.run("docker", "exec", node, *puller, pushed)

    def by_hand() -> Taken:
        change()
        own.run(*commands.build())
        began = time.monotonic()
        own.run("docker", "tag", commands.image, pushed)
        own.run("docker", "push", pushed)
        there = time.monotonic()
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(pull, nodes))
        ended = time.monotonic()
        return Taken({Figure.DELIVERED: ended - began}, {"docker push": there - began, "pull": ended - there})

    # Whole images travel once.
    for side in (ours, by_load, by_hand):
        side()
    by_hand_notes = (
        "https://kind.sigs.k8s.io/docs/user/local-registry/",
        "all nodes pull at once",
    )
    yield (
        Side(
            SideInfo(
                name=OURS,
                commands=("seatrial up",),
                notes=("its stage `deliver`, and the slower of the two kubelets' pulls, as their events say",),
            ),
            ours,
        ),
        Side(SideInfo(name=_LOAD, commands=(typed(commands.load()),)), by_load),
        Side(
            SideInfo(
                name=_BY_HAND,
                commands=(f"docker push {pushed}", f"docker exec NODE {typed(puller)} {pushed}"),
                notes=by_hand_notes,
            ),
            by_hand,
        ),
    )
    own.run(*commands.delete())


def pulls(messages: list[str], reference: str) -> list[float]:
    """Return how long kubelets took to pull an image, waiting included, by the messages of their events.

    Raises:
        ValueError: none pulled it.
    """
    found = [
        match["pull"] for message in messages if (match := _PULLED.search(message)) and match["image"] == reference
    ]
    if not found:
        raise ValueError(f"no kubelet tells that it pulled {reference}")
    return [sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)) for text in found]


def _everywhere(shell: Shell, digest: str, nodes: int) -> None:
    """Hold the pods of all nodes against the digest of what was delivered.

    Raises:
        ValueError: one runs something else.
    """
    shown = ("--output", "jsonpath={.items[*].status.containerStatuses[*].imageID}")
    ids = shell.run("kubectl", "get", "pods", "--namespace=ship", "-l", "app=everywhere", *shown).text.split()
    if len(ids) != nodes or any(not each.endswith(digest) for each in ids):
        raise ValueError(f"wanted {digest} on {nodes} nodes, they run {ids}")


def _puller(shell: Shell, node: str) -> tuple[str, ...]:
    """Return what pulls on a node: crictl where it is, as in kind's images, else containerd's own program."""
    if shell.run("docker", "exec", node, "which", "crictl", codes=()).code == 0:
        return ("crictl", "pull")
    return ("ctr", "--namespace", "k8s.io", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d")


def _registry_by_hand(shell: Shell, nodes: list[str]) -> str:
    """Make what kind's documentation makes for a local registry, and return its address on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"localhost:{free.getsockname()[1]}"
    present = shell.run("docker", "image", "inspect", _REGISTRY_IMAGES[0], codes=()).code == 0
    image = _REGISTRY_IMAGES[0] if present else _REGISTRY_IMAGES[1]
    publish = f"127.0.0.1:{host.partition(':')[2]}:5000"
    shell.run("docker", "run", "--detach", "--publish", publish, "--network", "bridge", "--name", REGISTRY, image)
    for node in nodes:
        folder = f"/etc/containerd/certs.d/{host}"
        text = f'[host."http://{REGISTRY}:5000"]'
        shell.run("docker", "exec", node, "sh", "-c", f"mkdir -p '{folder}' && echo '{text}' > '{folder}/hosts.toml'")
    shell.run("docker", "network", "connect", "kind", REGISTRY)
    return host


SCENARIO = Scenario(
    name="layer",
    title="one small layer of a 400 MB image changed, two nodes",
    rounds=3,
    goals=(
        Goal(figure=Figure.DELIVERED, seconds=0.6),
        Goal(figure=Figure.DELIVERED, times=1 / 20, peer=_LOAD),
    ),
    sides=_sides,
)
