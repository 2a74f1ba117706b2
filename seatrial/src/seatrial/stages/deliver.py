"""Images to where the cluster pulls from: local ones that charts and runner need, and of those what changed."""

from __future__ import annotations

import re
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import Final

from seatrial.environments.kubernetes import LocalMirror
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Made
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.model.names import canonical
from seatrial.model.result import ImageUsed, Stage
from seatrial.ports import LocalImage, Nodes, Object
from seatrial.saved_state import PushedImage, read, write
from seatrial.stages import charts
from seatrial.stages.build import LOOKED, look
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["only_worker", "run", "runner_image"]

_STANDS_IN: Final = "dev.seatrial.stands-in-for"
"""Label of an image that is not what it stands in for."""

_PUSHES: Final = 2
_PULLS: Final = 3
_LOOK: Final = 0.2
_CONTAINERD: Final = "until ctr version >/dev/null 2>&1; do sleep 0.2; done"
_PULL: Final = ("ctr", "--namespace", "k8s.io", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d")


def run(ctx: Ctx) -> Report:
    """Have the registry hold every image that is needed and on the engine.

    Raises:
        CommandFailed: the engine cannot push.
        EnvironmentFailed: the registry does not answer.
    """
    deadline = ctx.deadline.child(ctx.project.timeouts.deliver)
    charts.render_all(ctx)
    rendered = [obj for objects in ctx.facts.rendered.values() for obj in objects]
    wanted = list(dict.fromkeys(_wanted(ctx, rendered)))
    with ThreadPoolExecutor(1) as beside:
        registry = beside.submit(_have_registry, ctx, wanted, deadline)
        look(ctx, wanted)
        registry.result()
    present = ctx.facts.looked_at(wanted)
    _remember_looks(ctx, wanted)
    ctx.facts.images.update(present)
    state_file = ctx.env.shared / "pushed.json"
    known = read(state_file, dict[str, PushedImage]) or {}
    before = frozenset(known)
    stale = [reference for reference in present if not _is_there(ctx, reference, present[reference], known)]
    ahead = _Ahead(ctx, deadline)
    ahead.pull({reference: _as_pulled(ctx, reference, known) for reference in present if reference not in stale})
    with ThreadPoolExecutor(_PUSHES) as pool:
        jobs = {pool.submit(_push, ctx, reference, deadline): reference for reference in stale}
        for job in as_completed(jobs):
            reference = jobs[job]
            known[reference] = PushedImage(image=present[reference].digest, digest=job.result())
            write(state_file, known)
            ctx.facts.pushed.add(reference)
            ahead.pull({reference: _as_pulled(ctx, reference, known)})
            if not ctx.facts.fresh and reference in before:
                _renew(ctx, reference, deadline)
    for reference in wanted:
        ctx.facts.used[reference] = _used(reference, present.get(reference), known)
        if reference in present:
            ctx.facts.delivered[reference] = known[reference].digest
    charts.pin_digests(ctx)
    return done(pushed=", ".join(stale)) if stale else unchanged(images=str(len(present)))


def _remember_looks(ctx: Ctx, wanted: list[str]) -> None:
    """Write down which images this command needs: the next one asks for all of them at once."""
    state_file = ctx.env.directory / LOOKED
    if read(state_file, list[str]) != wanted:
        write(state_file, wanted)


def _wanted(ctx: Ctx, rendered: list[Object]) -> list[str]:
    """Return the images that the registry must hold: all that are used; of somebody else's, those that we built."""
    if ctx.env.mirror:
        return [*charts.images_of(rendered), runner_image(ctx)]
    ours = [ctx.facts.tags[name] for release in ctx.project.release for name in release.images.values()]
    runner = runner_image(ctx)
    return [*ours, runner] if runner in ctx.facts.tags.values() else ours


def _have_registry(ctx: Ctx, wanted: list[str], deadline: Deadline) -> None:
    """Have the registry run, and the nodes know it."""
    mirror = ctx.env.mirror
    if mirror:
        # Shared by all environments: the last one removes the container; its volume stays as a cache.
        ctx.remember(Made(kind="container", name=mirror.container))
    ctx.env.registry.ensure(deadline=deadline)
    if mirror:
        for host, text in mirror.mirrors(wanted).items():
            file = ctx.env.certs / host / "hosts.toml"
            file.parent.mkdir(parents=True, exist_ok=True)
            # It contains a password.
            file.touch(mode=0o600)
            file.chmod(0o600)
            file.write_text(text)
        if not ctx.facts.fresh:
            mirror.join()


def runner_image(ctx: Ctx) -> str:
    """Return the reference of the runner's image.

    Raises:
        UsageError: it is neither an image of the project nor a reference with a tag.
    """
    image = ctx.project.runner.image
    if image in ctx.facts.tags:
        return ctx.facts.tags[image]
    if ":" not in image.rpartition("/")[2]:
        raise UsageError(f"runner.image {image!r} is no [[image]] and has no tag", hint=f"write {image}:TAG")
    return image


def _is_there(ctx: Ctx, reference: str, image: LocalImage, known: dict[str, PushedImage]) -> bool:
    before = known.get(reference)
    return before is not None and before.image == image.digest and ctx.env.registry.digest(reference) == before.digest


def _push(ctx: Ctx, reference: str, deadline: Deadline) -> str:
    return ctx.env.registry.push(reference, deadline=deadline, progress=ctx.progress(Stage.DELIVER))


def _is_pinned(ctx: Ctx, reference: str) -> bool:
    """Whether pods ask for an image by its digest: the project's own images and the runner's."""
    return "@" not in reference and (reference in ctx.facts.tags.values() or reference == runner_image(ctx))


def _as_pulled(ctx: Ctx, reference: str, known: Mapping[str, PushedImage]) -> str:
    """Return the name that a node stores an image under when a pod asks for it: with a digest, no tag."""
    name = canonical(reference)
    return f"{name.rpartition(':')[0]}@{known[reference].digest}" if _is_pinned(ctx, reference) else name


def _renew(ctx: Ctx, reference: str, deadline: Deadline) -> None:
    """Have nodes that hold an older image of this name pull the new one: kubelets do not ask for what is there."""
    nodes = ctx.env.nodes
    name = shlex.quote(canonical(reference))
    script = f'[ -z "$(ctr -n k8s.io images ls -q name=={name})" ] || {shlex.join(_PULL)} {name}'
    for node in nodes.names() if nodes else ():
        assert nodes is not None  # noqa: S101 - for the type checker
        nodes.run(node, ["bash", "-c", script], deadline=deadline)


def _used(reference: str, image: LocalImage | None, known: dict[str, PushedImage]) -> ImageUsed:
    if image is None:
        return ImageUsed(reference=reference, digest="")
    digest = known[reference].digest
    stands_in = image.labels.get(_STANDS_IN, "")
    return ImageUsed(reference=reference, digest=digest, size=image.size, stands_in_for=stands_in)


class _Ahead:
    """Has the one node that will run the pods pull images while the cluster is still being made.

    Kubelets would pull the same later, when somebody waits for it. All of this is a head start only: nobody waits for
    it, and what fails here is pulled, or fails with its reason, when a pod asks for it.
    """

    def __init__(self, ctx: Ctx, deadline: Deadline) -> None:
        self._ctx = ctx
        self._deadline = deadline
        self._ready = threading.Event()
        self._node = ""
        self._turns = threading.Semaphore(_PULLS)
        if ctx.facts.fresh and ctx.env.nodes and ctx.env.mirror:
            threading.Thread(target=self._prepare, args=(ctx.env.nodes, ctx.env.mirror), daemon=True).start()
        else:
            self._ready.set()

    def pull(self, names: Mapping[str, str]) -> None:
        """Pull images, as soon as the node can.

        Args:
            names: image reference to the name that it is pulled by.
        """
        for reference, name in names.items():
            outcome = self._ctx.facts.ahead[reference] = Future()
            threading.Thread(target=self._pull, args=(name, outcome), daemon=True).start()

    def _prepare(self, nodes: Nodes, mirror: LocalMirror) -> None:
        try:
            while not self._ctx.cancelled.is_set() and not self._deadline.passed:
                if mirror.join() and (names := nodes.names()):
                    node = only_worker(names)
                    # The engine lists containers that are still being made: in those nothing can be run, and they may
                    # not be all.
                    if not node or (self._has_containerd(nodes, node) and only_worker(nodes.names()) == node):
                        self._node = node
                        return
                time.sleep(_LOOK)
        except SeatrialError:
            return
        finally:
            self._ready.set()

    def _has_containerd(self, nodes: Nodes, node: str) -> bool:
        return nodes.run(node, ["bash", "-c", _CONTAINERD], deadline=self._deadline, check=False).code == 0

    def _pull(self, name: str, outcome: Future[bool]) -> None:
        pulled = False
        try:
            self._ready.wait(self._deadline.left)
            nodes = self._ctx.env.nodes
            with self._turns:
                if self._node and nodes and not self._ctx.cancelled.is_set():
                    argv = [*_PULL, name]
                    with suppress(SeatrialError):
                        pulled = nodes.run(self._node, argv, deadline=self._deadline, check=False).code == 0
        finally:
            outcome.set_result(pulled)


def only_worker(names: Sequence[str]) -> str:
    """Return the node that will run all pods, empty if there are several."""
    workers = [name for name in names if not re.search(r"-(control-plane|external-load-balancer)\d*$", name)]
    candidates = workers or list(names)
    return candidates[0] if len(candidates) == 1 else ""
