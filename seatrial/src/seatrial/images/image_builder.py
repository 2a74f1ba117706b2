"""Build an image unless the engine has one that was built from the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.image_inputs.image_manifest import ImageManifest, changes
from seatrial.image_inputs.working_tree import shown
from seatrial.images.engine_images import EngineImages
from seatrial.images.input_reader import TAG_LENGTH, ImageInputs, ignore_file, read_inputs
from seatrial.model.deadline import Deadline
from seatrial.model.errors import Inconclusive, UsageError
from seatrial.model.spec import ImageSpec, Project
from seatrial.ports import Images, LocalImage, Processes, Progress
from seatrial.saved_state import BuiltImage, read_built, write_built

__all__ = ["BuildResult", "ImageBuilder"]

_KEPT: Final = 3
"""Images of one name that stay on the engine, so that switching back to a recent branch needs no build."""

_RECORDED: Final = 200
"""Builds in the state file, of all projects."""

_ATTEMPTS: Final = 2
_VERSION_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """An image that is up to date.

    Attributes:
        reference: its name on the engine.
        image: the image.
        inputs: what it was built from.
        is_new: whether this build created it.
    """

    reference: str
    image: LocalImage
    inputs: ImageInputs
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuilder:
    """Builds images of a project.

    Attributes:
        project: the project.
        images: the container engine.
        known: images that the engine has.
        processes: runs programs.
        environ: environment variables, for build arguments and secrets.
        shared: directory of state that all environments share; it records which inputs led to which image.
        deadline: of the run.
        log: returns the log file of a build, by its name.
        progress: is told what the engine does.
    """

    project: Project
    images: Images
    known: EngineImages
    processes: Processes
    environ: Mapping[str, str]
    shared: Path
    deadline: Deadline
    log: Callable[[str], Path]
    progress: Progress

    def build(self, spec: ImageSpec, inputs: ImageInputs) -> BuildResult:
        """Return the image of these inputs; build it if the engine does not have it.

        Raises:
            CommandFailed: the build failed.
            Inconclusive: files changed during each of two builds.
            UsageError: the engine's builder would not read the ignore file.
        """
        changed: list[tuple[str, str]] = []
        for _ in range(_ATTEMPTS):
            recorded = read_built(self.shared)
            name = f"{spec.name} {inputs.manifest.digest}"
            if (before := recorded.get(name)) and (image := self._find(before)):
                return BuildResult(reference=before.reference, image=image, inputs=inputs, is_new=False)
            fresh = f"{spec.name}:{inputs.manifest.digest[:TAG_LENGTH]}"
            built = self._build(spec, inputs, fresh)
            again = self._read_again(spec, inputs.manifest)
            if replace(again.manifest, bases=inputs.manifest.bases) != inputs.manifest:
                changed = changes(inputs.manifest.files, again.manifest.files)
                inputs = again
                continue
            # Different inputs can result in the same image. Then the name in use stays.
            same = recorded.get(f"{spec.name} {built.digest}")
            named = self._find(same) if same else None
            reference = same.reference if same and named else fresh
            names = {name, f"{spec.name} {again.manifest.digest}", f"{spec.name} {built.digest}"}
            record = BuiltImage(reference=reference, image=built.digest)
            kept = [pair for pair in recorded.items() if pair[0] not in names]
            write_built(self.shared, dict([*kept[-_RECORDED:], *((each, record) for each in sorted(names))]))
            return BuildResult(reference=reference, image=named or built, inputs=again, is_new=reference == fresh)
        raise Inconclusive(
            f"files of image {spec.name} changed during the build, twice",
            reason=", ".join(f"{shown(path)}: {change}" for path, change in changed[:3]),
            hint="run it again once no program writes to the project",
        )

    def prune(self, spec: ImageSpec, reference: str) -> None:
        """Delete old images of the same name; keep the newest ones and `reference`."""
        self.images.prune(self._labels(spec), keep=_KEPT, exclude=reference)

    def _build(self, spec: ImageSpec, inputs: ImageInputs, reference: str) -> LocalImage:
        self._check_builder(spec)
        image = self.images.build(
            replace(spec, args=dict(inputs.args)),
            reference,
            labels=self._labels(spec),
            deadline=self.deadline.child(self.project.timeouts.build),
            log=self.log(f"build-{spec.name.replace('/', '-')}"),
            progress=self.progress,
        )
        self.known.put(reference, image)
        return image

    def _read_again(self, spec: ImageSpec, manifest: ImageManifest) -> ImageInputs:
        """Return the inputs after a build, which may have pulled base images that were not on the engine."""
        self.known.renew(base for base, digest in manifest.bases.items() if not digest)
        return read_inputs(self.project, spec, self.environ, self.known.present(manifest.bases))

    def _find(self, built: BuiltImage) -> LocalImage | None:
        """Return an image that was built before, if the engine still has it under its name."""
        self.known.inspect([built.reference])
        found = self.known.get(built.reference)
        return found if found is not None and found.digest == built.image else None

    def _labels(self, spec: ImageSpec) -> dict[str, str]:
        return {"seatrial.dev/project": self.project.identity, "seatrial.dev/image": spec.name}

    def _check_builder(self, spec: ImageSpec) -> None:
        """Refuse an ignore file that the engine's builder would not read.

        Raises:
            UsageError: naming it.
        """
        path = ignore_file(spec)
        if path.name == ".dockerignore":
            return
        version = self.processes.run(
            ["docker", "buildx", "version"], deadline=self.deadline.child(_VERSION_SECONDS), check=False
        )
        if version.code or self.environ.get("DOCKER_BUILDKIT") == "0":
            raise UsageError(
                f"{path} needs BuildKit",
                reason="the engine's classic builder reads .dockerignore only",
                hint="install Docker's buildx plugin",
            )
