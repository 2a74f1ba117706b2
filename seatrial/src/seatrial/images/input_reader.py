"""Read all inputs of an image: Dockerfile, build arguments, secrets, base images, and files of the build context."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seatrial.image_inputs.context_use import Analysis, BaseImage, Doubt
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.dockerignore import BadPattern, DockerIgnore
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.sync_folders import SyncedFolders
from seatrial.image_inputs.working_tree import Entry, Files, below, entries, parents, shown
from seatrial.images.written_files import WrittenFiles
from seatrial.model.errors import UsageError
from seatrial.model.spec import ImageSpec, Project
from seatrial.pod.agent.file_tree import scan
from seatrial.ports import LocalImage

__all__ = [
    "TAG_LENGTH",
    "ImageInputs",
    "base_images",
    "build_arguments",
    "dockerfile_of",
    "ignore_file",
    "ignored_paths",
    "read_inputs",
]

TAG_LENGTH: Final = 12
"""Hexadecimal digits of a digest that make a tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """The present inputs of an image.

    Attributes:
        manifest: digests of all inputs.
        analysis: which files the Dockerfile copies, and where to.
        args: build arguments with their values.
        settled: whether the result of an editable installation depends on no file's content.
    """

    manifest: ImageManifest
    analysis: Analysis
    args: Mapping[str, str]
    settled: bool

    def places(self, directory: str, paths: tuple[str, ...], built: ImageManifest) -> SyncedFolders:
        """Return the folders of an image built from `built`, with the rules for files that may be sent there."""
        files = {**built.files, **self.manifest.files}
        return SyncedFolders(self.analysis, directory, paths, files, self.settled)


def dockerfile_of(spec: ImageSpec) -> Path:
    """Return the Dockerfile of an image."""
    return spec.dockerfile or spec.context / "Dockerfile"


def ignore_file(spec: ImageSpec) -> Path:
    """Return the ignore file of an image's context; BuildKit prefers the one beside the Dockerfile."""
    dockerfile = dockerfile_of(spec)
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    return own if own.is_file() else spec.context / ".dockerignore"


def build_arguments(spec: ImageSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments; `$NAME` is replaced by that environment variable, and left out if it is not set."""
    found = {}
    for key, value in spec.args.items():
        if not value.startswith("$"):
            found[key] = value
        elif (name := value.lstrip("$").strip("{}")) in environ:
            found[key] = environ[name]
    return found


def base_images(spec: ImageSpec, environ: Mapping[str, str]) -> list[str]:
    """Return the images that an image starts from or copies out of.

    Raises:
        UsageError: the Dockerfile does not exist or cannot be read.
    """
    found = analyze(_text(spec), target=spec.target, args=build_arguments(spec, environ))
    return [base.reference for base in found.bases]


def read_inputs(
    project: Project, spec: ImageSpec, environ: Mapping[str, str], present: Mapping[str, LocalImage]
) -> ImageInputs:
    """Return the inputs of an image.

    Args:
        project: the project; files that its runs wrote are not inputs.
        spec: the image.
        environ: environment variables, for `$NAME` in arguments and for secrets.
        present: base images that are on the engine.

    Raises:
        UsageError: the Dockerfile does not exist, or a file of the context cannot be read.
    """
    text, args = _text(spec), build_arguments(spec, environ)
    known = {reference: BaseImage(image.workdir, image.env, image.triggers) for reference, image in present.items()}
    analysis = _without_links(spec, analyze(text, target=spec.target, args=args, bases=known))
    files = _context(project, spec, analysis)
    if link := next((path for path, entry in files.items() if entry.kind == "l" and _is_source(path, analysis)), ""):
        analysis = replace(analysis, everything=Doubt(0, f"{link}, which the Dockerfile copies, is a symbolic link"))
        files = _context(project, spec, analysis)
    manifest = ImageManifest(
        dockerfile=_digest(text),
        target=spec.target or "",
        args={name: _digest(value) for name, value in args.items()},
        secrets={secret: _secret(secret, environ) for secret in spec.secrets},
        bases={
            base.reference: present[base.reference].digest if base.reference in present else ""
            for base in analysis.bases
        },
        files=dict(files),
    )
    editable = any(read.editable for read in analysis.reads)
    settled = not editable or _is_settled(spec.context, files)
    return ImageInputs(manifest=manifest, analysis=analysis, args=args, settled=settled)


def ignored_paths(spec: ImageSpec, paths: tuple[str, ...], files: Files) -> list[str]:
    """Return the paths that contain files, all of which the ignore file excludes."""
    missing = [path for path in paths if not any(below(file, [path]) for file in files)]
    if not missing:
        return []
    ignore = _ignore(spec)
    found = []
    for path in missing:
        place = spec.context / path
        listed = [place] if place.is_file() else place.rglob("*")
        names = [file.relative_to(spec.context).as_posix() for file in listed if file.is_file()]
        names = [name for name in names if "__pycache__" not in name.split("/")]
        if names and all(ignore.ignored(name) for name in names):
            found.append(path)
    return found


def _text(spec: ImageSpec) -> str:
    dockerfile = dockerfile_of(spec)
    try:
        return dockerfile.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError as error:
        raise UsageError(f"image {spec.name} has no Dockerfile", reason=f"{dockerfile} does not exist") from error
    except OSError as error:
        raise UsageError(f"{dockerfile} cannot be read", reason=str(error.strerror)) from error


def _ignore(spec: ImageSpec) -> DockerIgnore:
    path = ignore_file(spec)
    try:
        return DockerIgnore(path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else "")
    except BadPattern as bad:
        raise UsageError(
            f"{path}:{bad.line}: {shown(bad.pattern)} is not a valid pattern",
            reason="Docker rejects this pattern",
            hint="correct the line: https://docs.docker.com/build/concepts/context/#dockerignore-files",
        ) from bad
    except OSError as error:
        raise UsageError(f"{path} cannot be read", reason=str(error.strerror)) from error


def _without_links(spec: ImageSpec, analysis: Analysis) -> Analysis:
    """Make all files inputs if a path that the Dockerfile copies leads through a symbolic link."""
    for read in analysis.reads:
        for source in read.sources:
            plain = [name for name in source.path.split("/") if name] if not source.parts else []
            for depth in range(1, len(plain) + 1):
                if (spec.context / "/".join(plain[:depth])).is_symlink():
                    doubt = Doubt(read.line, f"{source.path} leads through a symbolic link", "name the folder itself")
                    return replace(analysis, everything=analysis.everything or doubt)
    return analysis


def _is_source(path: str, analysis: Analysis) -> bool:
    """Return whether a pattern of the Dockerfile matches the path itself, not only a parent of it."""
    if analysis.everything is not None:
        return False
    sources = [source for read in analysis.reads for source in read.sources if source.parts]
    return any(source.matches(path) and source.top(path) == path for source in sources)


def _context(project: Project, spec: ImageSpec, analysis: Analysis) -> Files:
    """Return the files of the build context that the image can contain."""
    ignore, context = _ignore(spec), spec.context
    ours = {project.root / ".seatrial", context / ".pytest_cache"}

    def prune(path: str, directory: bool) -> bool:
        if ignore.ignored(path, directory=directory) or (directory and context / path in ours):
            return True
        return not (analysis.reaches_below(path) if directory else analysis.copies(path))

    try:
        found = entries(scan(str(context), ["."], prune))
    except OSError as error:
        name = os.path.relpath(error.filename or context, context)
        raise UsageError(
            f"{shown(name)} in the build context of image {spec.name} cannot be read",
            reason=str(error.strerror),
            hint=f"correct its permissions, or add it to {ignore_file(spec)}",
        ) from error
    for path, entry in found.items():
        if entry.kind == "o" and entry.content != "socket":
            raise UsageError(
                f"{shown(path)} in the build context of image {spec.name} is a {entry.content}, not a regular file",
                hint=f"remove it, or add it to {ignore_file(spec)}",
            )
    written = WrittenFiles.read(project.root)
    dropped = {path for path, entry in found.items() if entry.kind == "o" or written.wrote(context / path, entry)}
    kept = {path: entry for path, entry in found.items() if path not in dropped}
    return _with_directories(kept, dropped, ignore, analysis)


def _with_directories(files: dict[str, Entry], dropped: set[str], ignore: DockerIgnore, analysis: Analysis) -> Files:
    """Leave out directories that the builder does not see, and those that contain only files that runs wrote."""
    full = {parent for path, entry in files.items() if entry.kind != "d" for parent in parents(path)}
    of_runs = {parent for path in dropped for parent in parents(path)}
    return {
        path: entry
        for path, entry in files.items()
        if entry.kind != "d"
        or (analysis.copies(path) and (path in full or (path not in of_runs and not ignore.ignored(path))))
    }


def _is_settled(context: Path, files: Files) -> bool:
    """Return whether the metadata of all projects in the context is static, and no setup.py builds them."""
    for path in files:
        name = path.rpartition("/")[2]
        if name == "setup.py":
            return False
        if name == "pyproject.toml":
            try:
                data = tomllib.loads((context / path).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return False
            declared = data.get("project")
            if not isinstance(declared, dict) or declared.get("dynamic"):
                return False
    return True


def _secret(secret: str, environ: Mapping[str, str]) -> str:
    """Return a digest of the content of a build secret, looked up as Docker does; empty if it does not exist."""
    given = dict(part.partition("=")[::2] for part in secret.split(","))
    name = given.get("id", "")
    file, variable = given.get("src") or given.get("source"), given.get("env")
    if not file and not variable:
        file, variable = (name, None) if name not in environ else (None, name)
    if variable:
        return _digest(environ[variable]) if variable in environ else ""
    try:
        return hashlib.sha256(Path(str(file)).read_bytes()).hexdigest()
    except OSError:
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
