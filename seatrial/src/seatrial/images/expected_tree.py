"""Compute the working tree that the runner pod has to contain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seatrial.image_inputs.delta import image_needs
from seatrial.image_inputs.working_tree import Files, Tree, below, read_tree
from seatrial.images.engine_images import EngineImages
from seatrial.images.input_reader import read_inputs
from seatrial.model.errors import Inconclusive
from seatrial.model.spec import Project
from seatrial.saved_state import RunnerRecord

__all__ = ["expected_tree", "host_root"]


def host_root(project: Project) -> Path:
    """Return the folder that the tests' working directory is built from: the image's context, or else the project."""
    for image in project.image:
        if image.name == project.runner.image:
            return image.context
    return project.root


def expected_tree(
    project: Project,
    runner: RunnerRecord,
    seeded: Files,
    *,
    workdir: str,
    images: EngineImages,
    environ: Mapping[str, str],
) -> Tree:
    """Return the tree that the runner pod has to contain.

    Args:
        project: the project.
        runner: the runner pod.
        seeded: files that its image has in the folders that changed files are sent to.
        workdir: working directory of the tests in the pod.
        images: images on the engine.
        environ: environment variables, for build arguments and secrets.

    Raises:
        Inconclusive: files that need a build changed since the image was built.
    """
    spec, root = project.runner, host_root(project)
    image = next((image for image in project.image if image.name == spec.image), None)
    if image is None:
        return read_tree(root, runner.places)
    inputs = read_inputs(project, image, environ, images.present(runner.manifest.bases))
    places = inputs.places(workdir, runner.places, runner.manifest)
    if causes := image_needs(runner.manifest, inputs.manifest, places=places, rebuild=spec.rebuild):
        raise Inconclusive("files of the image changed after it was built", reason=str(causes[0]), hint="run it again")
    files = inputs.manifest.files
    generated = {path: entry for path, entry in seeded.items() if path not in runner.manifest.files}
    modules = {path: entry for path, entry in files.items() if below(path, spec.sync)}
    return Tree(root, runner.places, files, runner.manifest.files, generated, modules)
