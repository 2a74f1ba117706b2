"""Build stage: build the images of the project whose inputs changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.image_inputs.delta import image_needs
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.sync_folders import places_of
from seatrial.images.image_builder import ImageBuilder
from seatrial.images.input_reader import ImageInputs, base_images, ignore_file, ignored_paths, read_inputs
from seatrial.model.errors import UsageError
from seatrial.model.event import Note
from seatrial.model.result import Stage
from seatrial.model.spec import ImageSpec
from seatrial.ports import LocalImage
from seatrial.saved_state import INSPECTED_IMAGES, RunnerRecord, read, read_runner
from seatrial.stages.context import Report, RunContext, done, unchanged

__all__ = ["BuiltImages", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImages:
    """The images of the project.

    Attributes:
        references: name of an image to its reference on the engine.
        local: reference to image on the engine.
        runner: inputs of the runner's image; None if it is not built from this project.
        places: folders of the runner pod that files may be sent to.
    """

    references: Mapping[str, str]
    local: Mapping[str, LocalImage]
    runner: ImageManifest | None
    places: tuple[str, ...]


def run(ctx: RunContext) -> Report[BuiltImages]:
    """Build images that are out of date; keep an image if the runner pod can be updated by sending files.

    Raises:
        CommandFailed: a build failed.
        Inconclusive: files changed during each of two builds.
        UsageError: an image has no Dockerfile, or its context cannot be read.
    """
    bases = {spec.name: base_images(spec, os.environ) for spec in ctx.project.image}
    runner = read_runner(ctx.env.directory)
    # One request for all images that this command will need to know.
    before = read(ctx.env.directory / INSPECTED_IMAGES, list[str]) or []
    ctx.engine_images.inspect(
        [*(base for each in bases.values() for base in each), *before, *([runner.reference] if runner else [])]
    )
    builder = ImageBuilder(
        project=ctx.project,
        images=ctx.env.images,
        known=ctx.engine_images,
        processes=ctx.env.processes,
        environ=os.environ,
        shared=ctx.env.shared,
        deadline=ctx.deadline,
        log=ctx.log,
        progress=ctx.progress(Stage.BUILD),
    )
    references, local, built = dict[str, str](), dict[str, LocalImage](), list[tuple[ImageSpec, str]]()
    manifest, places = None, tuple[str, ...]()
    for spec in ctx.project.image:
        inputs = read_inputs(ctx.project, spec, os.environ, ctx.engine_images.present(bases[spec.name]))
        is_runner = spec.name == ctx.project.runner.image
        if is_runner:
            _check_sync(ctx, spec, inputs)
            if kept := _kept_image(ctx, spec, inputs):
                record, image = kept
                references[spec.name], local[record.reference] = record.reference, image
                manifest, places = record.manifest, record.places
                continue
        result = builder.build(spec, inputs)
        references[spec.name], local[result.reference] = result.reference, result.image
        if is_runner:
            directory = ctx.project.runner.workdir or result.image.workdir or "/"
            manifest = result.inputs.manifest
            places = places_of(result.inputs.analysis, directory, ctx.project.runner.sync, manifest.files)
        if result.is_new:
            built.append((spec, result.reference))
            ctx.fact(Stage.BUILD, spec.name, result.reference)
    images = BuiltImages(references=references, local=local, runner=manifest, places=places)
    if not built:
        return unchanged(images)
    # After all builds: the builder may need a layer of an old image. Deleting one takes the engine up to a second.
    ctx.beside(lambda: _prune(builder, built))
    return done(images, {spec.name: reference for spec, reference in built})


def _prune(builder: ImageBuilder, built: list[tuple[ImageSpec, str]]) -> None:
    for spec, reference in built:
        builder.prune(spec, reference)


def _check_sync(ctx: RunContext, spec: ImageSpec, inputs: ImageInputs) -> None:
    """Refuse paths of `runner.sync` none of whose files gets into the image.

    Raises:
        UsageError: naming them.
    """
    sync = ctx.project.runner.sync
    if ignored := ignored_paths(spec, sync, inputs.manifest.files):
        raise UsageError(
            f"no file of {', '.join(ignored)} would reach the runner pod, so the tests would not run your files",
            reason=f"{ignore_file(spec).name} excludes all files in it",
            hint=f"correct {ignore_file(spec)}, or remove the path from runner.sync",
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


def _is_used_by_services(ctx: RunContext, image: str) -> bool:
    """Return whether a release, or a service of the Compose file, runs an image of the project."""
    if ctx.record.provider == "compose":
        return ctx.project.compose is not None and image in ctx.project.compose.images.values()
    return any(image in release.images.values() for release in ctx.project.release)


def _kept_image(ctx: RunContext, spec: ImageSpec, inputs: ImageInputs) -> tuple[RunnerRecord, LocalImage] | None:
    """Return the existing runner pod and its image if sending files updates it, so that no build is needed."""
    runner = read_runner(ctx.env.directory)
    image = ctx.engine_images.get(runner.reference) if runner else None
    if runner is None or ctx.is_new or image is None or image.digest != runner.image:
        return None
    if _is_used_by_services(ctx, spec.name) and runner.manifest != inputs.manifest:
        # Files can be sent to the runner pod only, not to pods of a release.
        ctx.emit(Note(level="info", text=f"building image {spec.name}, which a service uses too"))
        return None
    directory = ctx.project.runner.workdir or image.workdir or "/"
    causes = image_needs(
        runner.manifest,
        inputs.manifest,
        places=inputs.places(directory, runner.places, runner.manifest),
        rebuild=ctx.project.runner.rebuild,
        everything=ctx.explain,
    )
    for cause in causes if ctx.explain else causes[:1]:
        ctx.emit(Note(level="info", text=str(cause)))
    if causes:
        return None
    return runner, image
