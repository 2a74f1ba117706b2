"""Build the images of the project whose inputs changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from seatrial.image_inputs.delta import image_needs
from seatrial.image_inputs.manifest import Manifest, changes
from seatrial.image_inputs.sync_folders import places_of
from seatrial.image_inputs.working_tree import shown
from seatrial.images.input_reader import TAG_LENGTH, ImageInputs, base_images, ignore_file, ignored_paths, read_inputs
from seatrial.model.errors import Inconclusive, UsageError
from seatrial.model.event import Note
from seatrial.model.result import Stage
from seatrial.model.spec import ImageSpec
from seatrial.ports import LocalImage
from seatrial.saved_state import BuiltImage, read, read_runner, write
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["LOOKED", "look", "run"]

LOOKED: Final = "looked.json"
"""In an environment's directory: the images that the last command asked the engine for."""

_KEPT: Final = 3
"""Images of one name that stay on the engine: going back to the last branches needs no build."""
_RECORDED: Final = 200
"""Builds in the state file, of all projects."""
_ATTEMPTS: Final = 2
_QUICK: Final = 30.0


def run(ctx: Ctx) -> Report:
    """Build what is out of date; keep an image whose runner pod can be brought up to date by sending files.

    Raises:
        CommandFailed: a build failed.
        Inconclusive: files changed during each of two builds.
        UsageError: an image has no Dockerfile, or its context cannot be read.
    """
    bases = {spec.name: base_images(spec, os.environ) for spec in ctx.project.image}
    runner = read_runner(ctx.env.directory)
    # One question for all images that this command will want to know of.
    before = read(ctx.env.directory / LOOKED, list[str]) or []
    look(ctx, [*(base for each in bases.values() for base in each), *before, *([runner.reference] if runner else [])])
    built = {}
    for spec in ctx.project.image:
        given = read_inputs(ctx.project, spec, os.environ, ctx.facts.looked_at(bases[spec.name]))
        if spec.name == ctx.project.runner.image:
            _check_sync(ctx, spec, given)
            if _is_warm(ctx, spec, given):
                continue
        reference, fresh, manifest, given = _build(ctx, spec, given)
        ctx.facts.tags[spec.name] = reference
        if spec.name == ctx.project.runner.image:
            directory = ctx.project.runner.workdir or ctx.facts.images[reference].workdir or "/"
            ctx.facts.manifest = manifest
            ctx.facts.places = places_of(given.analysis, directory, ctx.project.runner.sync, manifest.files)
        if fresh:
            built[spec.name] = reference
    return done(**built) if built else unchanged()


def look(ctx: Ctx, references: Sequence[str]) -> None:
    """Ask the engine for images, by one question for all that were not asked for yet."""
    new = [each for each in dict.fromkeys(references) if each not in ctx.facts.looked]
    if new:
        found = ctx.env.images.inspect(new)
        ctx.facts.looked |= {each: found.get(each) for each in new}


def _check_sync(ctx: Ctx, spec: ImageSpec, given: ImageInputs) -> None:
    """Refuse paths that shall be sent and of which nothing gets into the image.

    Raises:
        UsageError: naming them.
    """
    sync = ctx.project.runner.sync
    if lost := ignored_paths(spec, sync, given.manifest.files):
        raise UsageError(
            f"nothing of {', '.join(lost)} would reach the runner: what ran would not be what is here",
            reason=f"{ignore_file(spec).name} leaves out all that is in it",
            hint=f"correct {ignore_file(spec)}, or take it out of runner.sync",
        )
    root = ctx.project.root
    for path in sync:
        if (spec.context / path).exists() or not (root / path).exists() or root == spec.context:
            continue
        if (root / path).is_relative_to(spec.context):
            right = (root / path).relative_to(spec.context)
            raise UsageError(
                f"runner.sync names {path}, which is not in the build context {spec.context}",
                reason="paths of runner.sync are relative to the context of the runner's image",
                hint=f'write "{right}"',
            )


def _is_warm(ctx: Ctx, spec: ImageSpec, given: ImageInputs) -> bool:
    """Whether the runner pod that stands can be brought up to date by sending files, so that its image stays."""
    runner = read_runner(ctx.env.directory)
    image = ctx.facts.looked.get(runner.reference) if runner else None
    if runner is None or ctx.facts.fresh or image is None or image.digest != runner.image:
        return False
    released = any(spec.name in release.images.values() for release in ctx.project.release)
    if released and runner.manifest != given.manifest:
        # There is nowhere to send files to.
        ctx.emit(Note(level="info", text=f"image {spec.name} is also that of a release: it is built"))
        return False
    directory = ctx.project.runner.workdir or image.workdir or "/"
    causes = image_needs(
        runner.manifest,
        given.manifest,
        places=given.places(directory, runner.places, runner.manifest),
        rebuild=ctx.project.runner.rebuild,
        everything=ctx.explain,
    )
    for cause in causes if ctx.explain else causes[:1]:
        ctx.emit(Note(level="info", text=str(cause)))
    if causes:
        return False
    ctx.facts.tags[spec.name] = runner.reference
    ctx.facts.images[runner.reference] = image
    ctx.facts.manifest, ctx.facts.places = runner.manifest, runner.places
    return True


def _build(ctx: Ctx, spec: ImageSpec, given: ImageInputs) -> tuple[str, bool, Manifest, ImageInputs]:
    """Return the reference of an image, whether it is a new one, and what it was built from."""
    state_file = ctx.env.shared / "built.json"
    changed: list[tuple[str, str]] = []
    for _ in range(_ATTEMPTS):
        known = read(state_file, dict[str, BuiltImage]) or {}
        name = f"{spec.name} {given.manifest.digest}"
        fresh = f"{spec.name}:{given.manifest.digest[:TAG_LENGTH]}"
        if (before := known.get(name)) and (found := _still_there(ctx, before)):
            ctx.facts.images[before.reference] = found
            return before.reference, False, given.manifest, given
        _check_builder(ctx, spec)
        labels = {"seatrial.dev/project": ctx.project.identity, "seatrial.dev/image": spec.name}
        image = ctx.env.images.build(
            replace(spec, args=dict(given.args)),
            fresh,
            labels=labels,
            deadline=ctx.deadline.child(ctx.project.timeouts.build),
            log=ctx.log(f"build-{spec.name.replace('/', '-')}"),
            progress=ctx.progress(Stage.BUILD),
        )
        ctx.facts.looked[fresh] = image
        # A base that was not on the engine may be there now.
        unknown = [base for base, digest in given.manifest.bases.items() if not digest]
        found_now = ctx.env.images.inspect(unknown) if unknown else {}
        ctx.facts.looked |= found_now
        present = ctx.facts.looked_at(given.manifest.bases)
        again = read_inputs(ctx.project, spec, os.environ, present)
        if replace(again.manifest, bases=given.manifest.bases) != given.manifest:
            changed = changes(given.manifest.files, again.manifest.files)
            given = again
            continue
        # Other inputs can come to the same image. Then the name in use stays.
        same = known.get(f"{spec.name} {image.digest}")
        named = _still_there(ctx, same) if same else None
        reference = same.reference if same and named else fresh
        built = BuiltImage(reference=reference, image=image.digest)
        names = {name, f"{spec.name} {again.manifest.digest}", f"{spec.name} {image.digest}"}
        kept = [pair for pair in known.items() if pair[0] not in names]
        write(state_file, dict([*kept[-_RECORDED:], *((each, built) for each in sorted(names))]))
        ctx.facts.images[reference] = named or image
        ctx.env.images.thin(labels, keep=_KEPT, spare=reference)
        return reference, reference == fresh, again.manifest, again
    raise Inconclusive(
        f"files of image {spec.name} changed while it was being built, twice",
        reason=", ".join(f"{shown(path)}: {what}" for path, what in changed[:3]),
        hint="run it again once nothing writes into the project",
    )


def _still_there(ctx: Ctx, built: BuiltImage) -> LocalImage | None:
    """Return an image that was built before, if the engine still has it under its name."""
    look(ctx, [built.reference])
    found = ctx.facts.looked[built.reference]
    return found if found is not None and found.digest == built.image else None


def _check_builder(ctx: Ctx, spec: ImageSpec) -> None:
    """Refuse an ignore file that the engine's builder would not read.

    Raises:
        UsageError: naming it.
    """
    path = ignore_file(spec)
    if path.name == ".dockerignore":
        return
    deadline = ctx.deadline.child(_QUICK)
    version = ctx.env.processes.run(["docker", "buildx", "version"], deadline=deadline, check=False)
    if version.code or os.environ.get("DOCKER_BUILDKIT") == "0":
        raise UsageError(
            f"{path} needs BuildKit",
            reason="the engine's classic builder reads .dockerignore only",
            hint="install Docker's buildx plugin",
        )
