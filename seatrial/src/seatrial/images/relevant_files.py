"""Tell which saved files can change what the tests run against, so that `watch` ignores the others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seatrial.image_inputs.context_use import Analysis
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.dockerignore import BadPattern, DockerIgnore
from seatrial.image_inputs.working_tree import Entry, below
from seatrial.images.input_reader import build_arguments, dockerfile_of, ignore_file
from seatrial.images.written_files import COLLECTED, WrittenFiles
from seatrial.model.spec import ImageSpec, Project

__all__ = ["relevance_of"]

_CONFIGURATIONS: Final = ("seatrial.toml", "pyproject.toml")


def relevance_of(project: Project) -> Callable[[Path], bool]:
    """Return a function that tells whether a saved file is an input of an image, a chart, values or a manifest."""
    root = project.root
    written = [WrittenFiles.read(root), WrittenFiles.read(root, COLLECTED)]
    images = [(spec, *_read(spec)) for spec in project.image]
    files = {root / name for name in _CONFIGURATIONS}
    folders = [path for release in project.release for path in (Path(release.chart), *release.manifests)]
    for spec in project.image:
        files |= {dockerfile_of(spec), ignore_file(spec), spec.context / ".dockerignore"}
    for release in project.release:
        files |= set(release.values)
    if all(spec.name != project.runner.image for spec in project.image):
        folders += [root / path for path in project.runner.sync]

    def is_relevant(path: Path) -> bool:
        if path in files:
            return True
        if below(os.path.relpath(path, root), [".seatrial", ".pytest_cache"]) or _is_written(written, path):
            return False
        if any(path.is_relative_to(folder) for folder in folders):
            return True
        for spec, analysis, ignore in images:
            if path.is_relative_to(spec.context):
                name = path.relative_to(spec.context).as_posix()
                if analysis.copies(name) and not ignore.ignored(name):
                    return True
        return False

    return is_relevant


def _read(spec: ImageSpec) -> tuple[Analysis, DockerIgnore]:
    """Return what decides which files of the context are inputs; if a file cannot be parsed, all of them are."""
    text, ignored = (
        path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else ""
        for path in (dockerfile_of(spec), ignore_file(spec))
    )
    try:
        ignore = DockerIgnore(ignored)
    except BadPattern:
        ignore = DockerIgnore()
    return analyze(text, target=spec.target, args=build_arguments(spec, os.environ)), ignore


def _is_written(written: list[WrittenFiles], path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    entry = Entry("f", 0, len(content), hashlib.sha256(content).hexdigest())
    return any(each.wrote(path, entry) for each in written)
