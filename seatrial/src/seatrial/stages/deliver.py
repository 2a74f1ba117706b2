"""Deliver stage: push the local images that releases and runner need to the registry, if they changed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from seatrial.images.engine_images import image_used
from seatrial.images.node_pulls import EarlyPulls, renew_image
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.errors import UsageError
from seatrial.model.names import canonical
from seatrial.model.result import ImageUsed, Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import LocalImage, Object
from seatrial.releases.chart_digest import release_digest
from seatrial.releases.rendering import Rendered, image_values, images_of, program_stamp, render_release
from seatrial.runner_pod.lifecycle import RunnerImage
from seatrial.saved_state import INSPECTED_IMAGES, PushedImage, read, write
from seatrial.stages.build import BuiltImages
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["DeliveredImages", "PlannedRelease", "run"]

_PUSHES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRelease:
    """A release as it should be.

    Attributes:
        objects: the rendered objects, hooks included.
        values: single values that tell the chart which images of the project to use.
        digest: digest of chart, values and names.
    """

    objects: list[Object]
    values: Mapping[str, str]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredImages:
    """Images in the registry, and what uses them.

    Attributes:
        used: all images that take part, in order.
        digests: reference to digest of the manifest in the registry.
        pushed: references of the images that this run pushed.
        pulls: reference to the early pull of an image by a node: whether it succeeded.
        releases: name of a release to its plan.
        runner: the image of the runner pod.
    """

    used: tuple[ImageUsed, ...]
    digests: Mapping[str, str]
    pushed: frozenset[str]
    pulls: Mapping[str, Future[bool]]
    releases: Mapping[str, PlannedRelease]
    runner: RunnerImage


def run(ctx: Ctx, built: BuiltImages) -> Report[DeliveredImages]:
    """Ensure that the registry has every image that is needed and on the engine.

    Raises:
        CommandFailed: the engine cannot push.
        EnvironmentFailed: the registry does not answer.
        UsageError: the runner's image is neither an image of the project nor a reference with a tag.
    """
    deadline = ctx.deadline.child(ctx.project.timeouts.deliver)
    names = _PodImages(ctx, built)
    rendered = _render_releases(ctx, names)
    wanted = list(dict.fromkeys(_wanted(ctx, built, names, rendered)))
    with ThreadPoolExecutor(1) as beside:
        registry = beside.submit(_ensure_registry, ctx, wanted, deadline)
        ctx.engine_images.inspect(wanted)
        registry.result()
    present = ctx.engine_images.present(wanted)
    _save_inspected(ctx, wanted)
    state_file = ctx.env.shared / "pushed.json"
    known = read(state_file, dict[str, PushedImage]) or {}
    before = frozenset(known)
    stale = [reference for reference in present if not _is_there(ctx, reference, present[reference], known)]
    mirror, nodes = ctx.env.mirror, ctx.env.nodes
    join = mirror.join if mirror and ctx.is_new else None
    early = EarlyPulls(nodes, join, deadline=deadline, canceled=ctx.canceled)
    ctx.at_end.callback(early.close)
    for reference in present:
        if reference not in stale:
            early.start(reference, names.pulled_as(reference, known[reference].digest))
    pushed: list[str] = []
    with ThreadPoolExecutor(_PUSHES) as pool:
        jobs = {pool.submit(_push, ctx, reference, deadline): reference for reference in stale}
        for job in as_completed(jobs):
            reference = jobs[job]
            known[reference] = PushedImage(image=present[reference].digest, digest=job.result())
            write(state_file, known)
            pushed.append(reference)
            ctx.fact(Stage.DELIVER, "pushed", ", ".join(pushed))
            early.start(reference, names.pulled_as(reference, known[reference].digest))
            if nodes and not ctx.is_new and reference in before:
                renew_image(nodes, reference, deadline)
    digests = {reference: known[reference].digest for reference in wanted if reference in present}
    delivered = DeliveredImages(
        used=tuple(image_used(reference, present.get(reference), digests.get(reference, "")) for reference in wanted),
        digests=digests,
        pushed=frozenset(stale),
        pulls=early.pulls,
        releases={release.name: _plan(ctx, names, release, rendered, digests) for release in ctx.project.release},
        runner=RunnerImage(
            reference=names.runner,
            pulled_as=names.in_pod(names.runner, digests),
            digest=digests.get(names.runner, ""),
            local={**built.local, **present}.get(names.runner),
            manifest=built.runner,
            places=built.places,
        ),
    )
    if stale:
        return done(delivered, {"pushed": ", ".join(stale)})
    return unchanged(delivered, {"images": str(len(present))})


class _PodImages:
    """The names of images in pods and on nodes.

    Attributes:
        runner: reference of the runner's image on the engine.
    """

    def __init__(self, ctx: Ctx, built: BuiltImages) -> None:
        self._registry = ctx.env.registry
        self._has_mirror = ctx.env.mirror is not None
        self._own = frozenset(built.references.values())
        self._references = built.references
        self.runner = _runner_reference(ctx.project.runner.image, built)

    def in_pod(self, reference: str, digests: Mapping[str, str]) -> str:
        """Return the reference of an image in a pod, with its digest once it was pushed.

        In a registry of another owner, images that this project does not build keep their names.
        """
        if "@" in reference or not (self._has_mirror or reference in self._own):
            return reference
        digest = digests.get(reference, "")
        return self._registry.name_for(reference) + (f"@{digest}" if digest else "")

    def values_of(self, release: ReleaseSpec, objects: list[Object], digests: Mapping[str, str]) -> dict[str, str]:
        """Return the single values that tell a chart which images of the project to use."""
        images = {name: self.in_pod(self._references[name], digests) for name in release.images.values()}
        return image_values(release, images, objects=objects, own_registry=self._has_mirror)

    def pulled_as(self, reference: str, digest: str) -> str:
        """Return the name that a node stores an image under once a pod requested it: with a digest and no tag."""
        name = canonical(reference)
        # Pods request the project's own images and that of the runner by digest.
        is_pinned = "@" not in reference and (reference in self._own or reference == self.runner)
        return f"{name.rpartition(':')[0]}@{digest}" if is_pinned else name


def _runner_reference(image: str, built: BuiltImages) -> str:
    if image in built.references:
        return built.references[image]
    if ":" not in image.rpartition("/")[2]:
        raise UsageError(
            f"runner.image {image!r} is not the name of an [[image]] and has no tag", hint=f"write {image}:TAG"
        )
    return image


def _save_inspected(ctx: Ctx, wanted: list[str]) -> None:
    """Save which images this command needs, so that the next one requests all of them at once."""
    state_file = ctx.env.directory / INSPECTED_IMAGES
    if read(state_file, list[str]) != wanted:
        write(state_file, wanted)


def _wanted(ctx: Ctx, built: BuiltImages, names: _PodImages, rendered: Mapping[str, Rendered]) -> list[str]:
    """Return the images that the registry needs: all that are used; in a registry of others, those that were built."""
    if ctx.env.mirror:
        return [*images_of(obj for each in rendered.values() for obj in each.objects), names.runner]
    own = [built.references[name] for release in ctx.project.release for name in release.images.values()]
    return [*own, names.runner] if names.runner in built.references.values() else own


def _ensure_registry(ctx: Ctx, wanted: list[str], deadline: Deadline) -> None:
    """Start the registry, and configure the nodes to pull from it."""
    mirror = ctx.env.mirror
    if mirror:
        # Shared by all environments: the last one removes the container; its volume stays as a cache.
        ctx.resources.add(Created(kind="container", name=mirror.container))
    ctx.env.registry.ensure(deadline=deadline)
    if mirror:
        for host, text in mirror.mirrors(wanted).items():
            file = ctx.env.certs / host / "hosts.toml"
            file.parent.mkdir(parents=True, exist_ok=True)
            # The file contains a password.
            file.touch(mode=0o600)
            file.chmod(0o600)
            file.write_text(text)
        if not ctx.is_new:
            mirror.join()


def _render_releases(ctx: Ctx, names: _PodImages) -> dict[str, Rendered]:
    stamp = program_stamp(ctx.env.processes.find("helm"))
    return {
        release.name: render_release(
            release,
            names.values_of(release, [], {}),
            charts=ctx.env.charts,
            root=ctx.project.root,
            cache=ctx.env.shared / "rendered",
            stamp=stamp,
            deadline=ctx.deadline.child(ctx.project.timeouts.install),
        )
        for release in ctx.project.release
    }


def _plan(
    ctx: Ctx, names: _PodImages, release: ReleaseSpec, rendered: Mapping[str, Rendered], digests: Mapping[str, str]
) -> PlannedRelease:
    """Return how a release should be, with the digests of pushed images.

    A tag tells only what an image was built from. A second build of the same inputs can create another image.
    """
    objects = rendered[release.name].objects
    values = names.values_of(release, objects, digests)
    digest = release_digest(release, values, ctx.project.root) if release.images else rendered[release.name].digest
    return PlannedRelease(objects=objects, values=values, digest=digest)


def _is_there(ctx: Ctx, reference: str, image: LocalImage, known: dict[str, PushedImage]) -> bool:
    before = known.get(reference)
    return before is not None and before.image == image.digest and ctx.env.registry.digest(reference) == before.digest


def _push(ctx: Ctx, reference: str, deadline: Deadline) -> str:
    return ctx.env.registry.push(reference, deadline=deadline, progress=ctx.progress(Stage.DELIVER))
