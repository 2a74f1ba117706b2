"""Scenario: one small layer of a 400 MB image changed, until both nodes run the new image.

All sides are timed from the changed file to pods with the new image on all nodes, including build and rollout.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.commands import Shell
from benchmarks.outcome import last_result, stages_of
from benchmarks.place import IMAGE, PLAIN_CLUSTER, REGISTRY, Place
from benchmarks.plain import PATIENCE
from benchmarks.projects import SHIP, chart_images, copy_ship, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO", "run_everywhere"]

_LOAD = "kind load"
_BY_HAND = "registry by hand"
_REGISTRY_IMAGES = ("foundry.invalid/registry:2", "registry:2")
_PODS = ("kubectl", "get", "pods", "--namespace=ship", "-l", "app=everywhere", "--output=json")
_UPGRADE = ("helm", "upgrade", "--install", "ship", "chart", "--namespace", "ship", "--create-namespace")


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_ship(place)
    folder = place.folder(SHIP)
    shell = place.keep(SHIP)
    own = place.shell(SHIP)
    commands = plain_of(project, pod="none")
    own.run(*commands.create("kind.yaml"))
    nodes = own.run("kind", "get", "nodes", "--name", PLAIN_CLUSTER).text.split()
    own.run("kind", "load", "docker-image", *chart_images(own, project), "--name", PLAIN_CLUSTER)
    host = _registry_by_hand(own, nodes)

    def change() -> str:
        """Change the small layer, and return a new tag, because pods with an old tag would be kept."""
        tag = str(time.time_ns())
        (folder / "small").write_text(f"{tag}\n")
        return tag

    def ours() -> Taken:
        change()
        done = place.seatrial(SHIP, "up")
        result = last_result(folder)
        (used,) = (image for image in result.images if image.reference.startswith(project.runner.image))
        run_everywhere(shell.run(*_PODS).text, used.reference, len(nodes))
        return Taken({Figure.WHOLE: done.seconds}, stages_of(result))

    def plainly(repository: str, *deliver: str) -> Taken:
        tag = change()
        image = f"{repository}:{tag}"
        values = ("--set", f"everywhere.repository={repository}", "--set", f"everywhere.tag={tag}")
        began = time.monotonic()
        ran = [
            own.run("docker", "build", "-t", image, "."),
            own.run(*(word.format(image=image) for word in deliver)),
            own.run(*_UPGRADE, *values, "--wait", f"--timeout={PATIENCE}s"),
        ]
        whole = time.monotonic() - began
        run_everywhere(own.run(*_PODS).text, image, len(nodes))
        return Taken({Figure.WHOLE: whole}, {" ".join(done.argv[:2]): done.seconds for done in ran})

    load = ("kind", "load", "docker-image", "{image}", "--name", PLAIN_CLUSTER)
    push = ("docker", "push", "{image}")

    def by_load() -> Taken:
        return plainly(IMAGE, *load)

    def by_hand() -> Taken:
        return plainly(f"{host}/{IMAGE}", *push)

    # The first transfer includes the whole image.
    for side in (ours, by_load, by_hand):
        side()
    upgrade = f"{' '.join(_UPGRADE)} --set … --wait"
    yield (
        Side(SideInfo(name=OURS, commands=("seatrial up",)), ours),
        Side(
            SideInfo(name=_LOAD, commands=("docker build -t IMAGE .", "kind load docker-image IMAGE", upgrade)), by_load
        ),
        Side(
            SideInfo(
                name=_BY_HAND,
                commands=("docker build -t localhost:PORT/IMAGE .", "docker push localhost:PORT/IMAGE", upgrade),
                notes=("https://kind.sigs.k8s.io/docs/user/local-registry/",),
            ),
            by_hand,
        ),
    )
    own.run(*commands.delete())


def run_everywhere(pods: str, reference: str, nodes: int) -> None:
    """Check that one ready pod on each node runs an image.

    Args:
        pods: JSON list of the pods, as kubectl prints it.
        reference: the image; a digest may follow it.
        nodes: number of nodes.

    Raises:
        ValueError: a node does not run the image.
    """
    running = {
        pod["spec"]["nodeName"]
        for pod in json.loads(pods)["items"]
        if pod["spec"]["containers"][0]["image"].partition("@")[0].endswith(reference)
        and all(status["ready"] for status in pod["status"].get("containerStatuses") or [{"ready": False}])
        and not pod["metadata"].get("deletionTimestamp")
    }
    if len(running) != nodes:
        raise ValueError(f"{reference} runs on {len(running)} of {nodes} nodes")


def _registry_by_hand(shell: Shell, nodes: list[str]) -> str:
    """Create the local registry of kind's documentation, and return its address on this machine."""
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
    title="one small layer of a 400 MB image changed, until two nodes run it",
    rounds=3,
    goals=(Goal(figure=Figure.WHOLE, times=1 / 5, peer=_LOAD), Goal(figure=Figure.WHOLE, times=1.0, peer=_BY_HAND)),
    sides=_sides,
)
