"""Images of this project: built when one of their inputs changed."""

from __future__ import annotations

import os
from typing import Final

from msgspec.structs import replace

from seatrial.inpod.delta import Delta, Rebuild, plan
from seatrial.inpod.tree import Files
from seatrial.model.event import Note
from seatrial.model.result import Stage
from seatrial.model.spec import ImageSpec
from seatrial.stages import inputs
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.memory import read, read_runner, write

__all__ = ["run"]

_KEPT: Final = 3
"""Images of one name that stay on the engine: going back to the last branches needs no build."""


def run(ctx: Ctx) -> Report:
    """Build what is out of date; an image whose warm runner can be brought up to date by files is left alone.

    Raises:
        CommandFailed: a build failed.
        UsageError: an image has no Dockerfile.
    """
    built = {}
    for spec in ctx.project.image:
        files = inputs.context_files(spec)
        is_runner = spec.name == ctx.project.runner.image
        if is_runner:
            ctx.facts.context = files
            if reference := _warm(ctx, files):
                ctx.facts.tags[spec.name] = reference
                continue
        reference, fresh = _build(ctx, spec, files)
        ctx.facts.tags[spec.name] = reference
        if fresh:
            built[spec.name] = reference
    return done(**built) if built else unchanged()


def _warm(ctx: Ctx, files: Files) -> str:
    """Return the image of the runner that stands, if files alone can bring it up to date; else nothing."""
    runner = read_runner(ctx.env.directory)
    if runner is None or ctx.facts.fresh:
        return ""
    spec = ctx.project.runner
    decided = plan(image=runner.files, context=files, tree={}, pod={}, sync=spec.sync, rebuild=spec.rebuild)
    if isinstance(decided, Delta):
        return runner.reference
    assert isinstance(decided, Rebuild)  # noqa: S101 - for the type checker
    for cause in decided.causes if ctx.explain else decided.causes[:1]:
        ctx.emit(Note(level="info", text=str(cause)))
    return ""


def _build(ctx: Ctx, spec: ImageSpec, files: Files) -> tuple[str, bool]:
    """Return the reference of an image, and whether it had to be built."""
    args = inputs.arguments(spec, os.environ)
    bases = inputs.base_images(inputs.dockerfile_of(spec).read_text(), args)
    present = ctx.env.images.inspect(bases)
    digest = inputs.inputs_digest(
        spec, files, {base: present[base].digest if base in present else "" for base in bases}
    )
    fresh = f"{spec.name}:{digest[: inputs.TAG_LENGTH]}"
    memory = ctx.env.shared / "built.json"
    known = read(memory, dict[str, str]) or {}
    reference = known.get(f"{spec.name} {digest}", fresh)
    found = ctx.env.images.inspect([reference])
    if reference in found:
        ctx.facts.images[reference] = found[reference]
        return reference, False
    labels = {"seatrial.dev/project": ctx.project.identity, "seatrial.dev/image": spec.name}
    image = ctx.env.images.build(
        replace(spec, args=args),
        fresh,
        labels=labels,
        deadline=ctx.deadline.child(ctx.project.timeouts.build),
        log=ctx.log(f"build-{spec.name.replace('/', '-')}"),
        progress=ctx.progress(Stage.BUILD),
    )
    # Other inputs can come to the same image: one Dockerfile for product and tests. Then the name in use stays.
    reference = known.get(f"{spec.name} {image.digest}", fresh)
    same = ctx.env.images.inspect([reference]).get(reference)
    if same is None or same.digest != image.digest:
        reference = fresh
    write(memory, {**known, f"{spec.name} {digest}": reference, f"{spec.name} {image.digest}": reference})
    ctx.facts.images[reference] = image
    ctx.env.images.thin(labels, keep=_KEPT)
    return reference, reference == fresh
