"""Deliver stage: push the local images that releases and runner need to the registry, if they changed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from seatrial.images.node_pulls import EarlyPulls, renew_image
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.errors import UsageError
from seatrial.model.names import canonical
from seatrial.model.result import ImageUsed, Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import LocalImage, Object
from seatrial.releases.chart_digest import release_digest
from seatrial.releases.rendering import image_values, images_of, program_stamp, render_release
from seatrial.saved_state import INSPECTED_IMAGES, PushedImage, read, write
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["pod_image", "run", "runner_image", "values_of"]

_STANDS_IN: Final = "dev.seatrial.stands-in-for"
"""Label of a stand-in image: the name of the real one."""

_PUSHES: Final = 2


def run(ctx: Ctx) -> Report:
    """Ensure that the registry has every image that is needed and on the engine.

    Raises:
        CommandFailed: the engine cannot push.
        EnvironmentFailed: the registry does not answer.
    """
    deadline = ctx.deadline.child(ctx.project.timeouts.deliver)
    _render_releases(ctx)
    rendered = [obj for objects in ctx.facts.rendered.values() for obj in objects]
    wanted = list(dict.fromkeys(_wanted(ctx, rendered)))
    with ThreadPoolExecutor(1) as beside:
        registry = beside.submit(_ensure_registry, ctx, wanted, deadline)
        ctx.engine_images.inspect(wanted)
        registry.result()
    present = ctx.engine_images.present(wanted)
    _save_inspected(ctx, wanted)
    ctx.facts.images.update(present)
    state_file = ctx.env.shared / "pushed.json"
    known = read(state_file, dict[str, PushedImage]) or {}
    before = frozenset(known)
    stale = [reference for reference in present if not _is_there(ctx, reference, present[reference], known)]
    mirror, nodes = ctx.env.mirror, ctx.env.nodes
    join = mirror.join if mirror and ctx.facts.fresh else None
    early = EarlyPulls(nodes, join, deadline=deadline, cancelled=ctx.cancelled)
    ctx.facts.ahead = early.pulls
    for reference in present:
        if reference not in stale:
            early.start(reference, _as_pulled(ctx, reference, known))
    with ThreadPoolExecutor(_PUSHES) as pool:
        jobs = {pool.submit(_push, ctx, reference, deadline): reference for reference in stale}
        for job in as_completed(jobs):
            reference = jobs[job]
            known[reference] = PushedImage(image=present[reference].digest, digest=job.result())
            write(state_file, known)
            ctx.facts.pushed.add(reference)
            early.start(reference, _as_pulled(ctx, reference, known))
            if nodes and not ctx.facts.fresh and reference in before:
                renew_image(nodes, reference, deadline)
    for reference in wanted:
        ctx.facts.used[reference] = _used(reference, present.get(reference), known)
        if reference in present:
            ctx.facts.delivered[reference] = known[reference].digest
    # A tag tells only what an image was built from. A second build of the same inputs can create another image.
    for release in ctx.project.release:
        if release.images:
            ctx.facts.release_digests[release.name] = release_digest(release, values_of(ctx, release), ctx.project.root)
    return done(pushed=", ".join(stale)) if stale else unchanged(images=str(len(present)))


def _save_inspected(ctx: Ctx, wanted: list[str]) -> None:
    """Save which images this command needs, so that the next one requests all of them at once."""
    state_file = ctx.env.directory / INSPECTED_IMAGES
    if read(state_file, list[str]) != wanted:
        write(state_file, wanted)


def _wanted(ctx: Ctx, rendered: list[Object]) -> list[str]:
    """Return the images that the registry needs: all that are used; in a registry of others, those that were built."""
    if ctx.env.mirror:
        return [*images_of(rendered), runner_image(ctx)]
    ours = [ctx.facts.tags[name] for release in ctx.project.release for name in release.images.values()]
    runner = runner_image(ctx)
    return [*ours, runner] if runner in ctx.facts.tags.values() else ours


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
        if not ctx.facts.fresh:
            mirror.join()


def _render_releases(ctx: Ctx) -> None:
    stamp = program_stamp(ctx.env.processes.find("helm"))
    for release in ctx.project.release:
        rendered = render_release(
            release,
            values_of(ctx, release),
            charts=ctx.env.charts,
            root=ctx.project.root,
            cache=ctx.env.shared / "rendered",
            stamp=stamp,
            deadline=ctx.deadline.child(ctx.project.timeouts.install),
        )
        ctx.facts.release_digests[release.name] = rendered.digest
        ctx.facts.rendered[release.name] = rendered.objects


def values_of(ctx: Ctx, release: ReleaseSpec) -> dict[str, str]:
    """Return the single values that tell a chart which images of the project to use."""
    images = {name: pod_image(ctx, ctx.facts.tags[name]) for name in release.images.values()}
    objects = ctx.facts.rendered.get(release.name, [])
    return image_values(release, images, objects=objects, own_registry=ctx.env.mirror is not None)


def pod_image(ctx: Ctx, reference: str) -> str:
    """Return the reference of an image in a pod, with the digest of what was pushed.

    In a registry of another owner, images that this project does not build keep their names.
    """
    if "@" in reference or not (ctx.env.mirror or reference in ctx.facts.tags.values()):
        return reference
    digest = ctx.facts.delivered.get(reference, "")
    return ctx.env.registry.name_for(reference) + (f"@{digest}" if digest else "")


def runner_image(ctx: Ctx) -> str:
    """Return the reference of the runner's image.

    Raises:
        UsageError: it is neither an image of the project nor a reference with a tag.
    """
    image = ctx.project.runner.image
    if image in ctx.facts.tags:
        return ctx.facts.tags[image]
    if ":" not in image.rpartition("/")[2]:
        raise UsageError(
            f"runner.image {image!r} is not the name of an [[image]] and has no tag", hint=f"write {image}:TAG"
        )
    return image


def _is_there(ctx: Ctx, reference: str, image: LocalImage, known: dict[str, PushedImage]) -> bool:
    before = known.get(reference)
    return before is not None and before.image == image.digest and ctx.env.registry.digest(reference) == before.digest


def _push(ctx: Ctx, reference: str, deadline: Deadline) -> str:
    return ctx.env.registry.push(reference, deadline=deadline, progress=ctx.progress(Stage.DELIVER))


def _is_pinned(ctx: Ctx, reference: str) -> bool:
    """Return whether pods request an image by digest: the project's own images and that of the runner."""
    return "@" not in reference and (reference in ctx.facts.tags.values() or reference == runner_image(ctx))


def _as_pulled(ctx: Ctx, reference: str, known: Mapping[str, PushedImage]) -> str:
    """Return the name that a node stores an image under once a pod requested it: with a digest and no tag."""
    name = canonical(reference)
    return f"{name.rpartition(':')[0]}@{known[reference].digest}" if _is_pinned(ctx, reference) else name


def _used(reference: str, image: LocalImage | None, known: dict[str, PushedImage]) -> ImageUsed:
    if image is None:
        return ImageUsed(reference=reference, digest="")
    digest = known[reference].digest
    stands_in = image.labels.get(_STANDS_IN, "")
    return ImageUsed(reference=reference, digest=digest, size=image.size, stands_in_for=stands_in)
