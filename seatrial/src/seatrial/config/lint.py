"""Warn of valid settings that are likely to cause trouble, for `seatrial config lint`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from seatrial.config.load import Loaded
from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem
from seatrial.config.yaml_marks import Marked, read
from seatrial.model.loaded_files import names_code
from seatrial.model.names import new_project_id

__all__ = ["lint"]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def lint(loaded: Loaded) -> list[Problem]:
    """Return warnings about a valid configuration, each with a hint."""
    return [
        *_identity(loaded),
        *_compose(loaded),
        *_images(loaded),
        *_kind_config(loaded),
        *_releases(loaded),
        *_runner(loaded),
        *_services(loaded),
        *_timeouts(loaded),
    ]


def _problem(loaded: Loaded, key: KeyPath, message: str, hint: str) -> Problem:
    return Problem(loaded.where(key), key, message, hint)


def _identity(loaded: Loaded) -> Iterator[Problem]:
    project = loaded.project
    if project.id == project.root.name:
        message = f"{project.id!r} is the directory's name, which another project may have, too"
        yield _problem(loaded, ("project",), message, f'add a suffix: project = "{new_project_id(project.id)}"')


def _compose(loaded: Loaded) -> Iterator[Problem]:
    runner, compose = loaded.project.runner, loaded.project.compose
    for name in sorted(runner.references.keys() - compose.env.keys()) if compose else ():
        message = f"{name} of runner.env-from has no value in Compose, so the tests cannot run there"
        yield _problem(loaded, ("compose",), message, f'add {name} = "…" to [compose.env]')


def _floating(reference: str) -> bool:
    """Whether a reference may refer to another image later."""
    if "@sha256:" in reference:
        return False
    tag = re.search(r":([^/:]+)$", reference)
    return tag is None or tag[1] == "latest"


def _images(loaded: Loaded) -> Iterator[Problem]:
    project = loaded.project
    own = {image.name for image in project.image}
    references = {("cluster", "image"): project.cluster.image, ("runner", "image"): project.runner.image}
    for key, reference in references.items():
        if reference and reference not in own and _floating(reference):
            yield _problem(loaded, key, f"{reference} may refer to another image later", "add a tag, best a digest")
    for index, image in enumerate(project.image):
        ignored = image.context / ".dockerignore"
        if (image.context / ".git").exists() and not ignored.exists():
            message = "the build context has a .git and no .dockerignore: every commit rebuilds the image"
            yield _problem(loaded, ("image", index, "context"), message, "add .git to a .dockerignore")


def _kind_config(loaded: Loaded) -> Iterator[Problem]:
    cluster = loaded.project.cluster
    if cluster.config is None:
        return
    name = _shown(cluster.config, loaded)
    try:
        config = read(cluster.config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        yield Problem(name, (), f"invalid YAML: {' '.join(str(error).split())}")
        return
    if not isinstance(config.value, dict) or config.get("kind") != "Cluster":
        yield Problem(f"{name}:1", (), "is not a kind configuration", "begin it with kind: Cluster")
        return
    if (own := config.get("name")) is not None and own != cluster.name:
        message = f"name: {own} is ignored, cluster.name is {cluster.name}"
        yield Problem(f"{name}:{config.line_of('name')}", (), message, "remove it")
    nodes = config.inside("nodes")
    for node in nodes.elements() if nodes else ():
        mappings = node.inside("extraPortMappings")
        for mapping in mappings.elements() if mappings else ():
            if mapping.get("listenAddress") not in _LOOPBACK:
                message = f"host port {mapping.get('hostPort')} is open to the network"
                yield Problem(f"{name}:{mapping.line}", (), message, 'add listenAddress: "127.0.0.1"')
        image = node.get("image")
        if isinstance(image, str) and cluster.image and image != cluster.image:
            message = f"image {image} is ignored, cluster.image is {cluster.image}"
            yield Problem(f"{name}:{node.line_of('image')}", (), message, "remove one of them")


def _releases(loaded: Loaded) -> Iterator[Problem]:
    for index, release in enumerate(loaded.project.release):
        at: KeyPath = ("release", index)
        local = Path(release.chart).is_absolute()
        if not local and release.version is None:
            message = f"{release.chart} may be another chart version later"
            yield _problem(loaded, (*at, "chart"), message, 'add version = "…"')
        if local and Path(release.chart).is_dir():
            yield from _chart(loaded, at, Path(release.chart))
        if release.namespace.startswith("kube-"):
            message = f"{release.namespace} belongs to Kubernetes"
            yield _problem(loaded, (*at, "namespace"), message, "use a namespace of your own")
        for file in release.values:
            yield from _values(file, _shown(file, loaded))


def _chart(loaded: Loaded, at: KeyPath, chart: Path) -> Iterator[Problem]:
    try:
        meta = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        message = f"{_shown(chart, loaded)} is not a chart: it has no Chart.yaml"
        yield _problem(loaded, (*at, "chart"), message, "name the folder with Chart.yaml")
        return
    except yaml.YAMLError as error:
        yield Problem(_shown(chart / "Chart.yaml", loaded), (), f"invalid YAML: {' '.join(str(error).split())}")
        return
    if isinstance(meta, dict) and meta.get("dependencies") and not (chart / "Chart.lock").exists():
        message = f"{_shown(chart, loaded)} has dependencies and no Chart.lock: their versions may change"
        yield _problem(loaded, (*at, "chart"), message, "run helm dependency update and commit Chart.lock")


def _values(file: Path, name: str) -> Iterator[Problem]:
    try:
        document = read(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield Problem(name, (), f"invalid YAML: {' '.join(str(error).split())}")
        return
    for marked in document.walk():
        if marked.get("tag") == "latest":
            message = "tag: latest may refer to another image later, and every pod pulls it again"
            yield Problem(f"{name}:{marked.line_of('tag')}", (), message, "write a version")
        yield from _environment(marked, name)


def _environment(marked: Marked, name: str) -> Iterator[Problem]:
    """Find `{name: DEBUG, value: yes}`: the API accepts only strings, and YAML reads `yes` as a boolean."""
    value = marked.get("value")
    if isinstance(marked.get("name"), str) and isinstance(value, bool | int | float):
        written = marked.source_of("value")
        message = f"value: {written} is {_yaml_type(value)} in YAML, but variables must be strings"
        yield Problem(f"{name}:{marked.line_of('value')}", (), message, f'write "{written}"')


def _yaml_type(value: Any) -> str:
    return "a boolean" if isinstance(value, bool) else "a number"


def _runner(loaded: Loaded) -> Iterator[Problem]:
    runner = loaded.project.runner
    first = runner.command[0]
    if re.search(r"\s", first):
        message = f"{first!r} is one word: no shell splits it"
        yield _problem(loaded, ("runner", "command"), message, f"write {str(first.split()).replace(chr(39), chr(34))}")
    elif not any("pytest" in word or "py.test" in word for word in runner.command):
        message = "does not contain pytest: results are collected only if the command starts it"
        yield _problem(loaded, ("runner", "command"), message, "ignore this if a script of the command starts pytest")
    if ("runner", "sync") in loaded.sources:
        yield from _sync(loaded)
    yield from _collected(loaded)
    if runner.namespace.startswith("kube-"):
        message = f"{runner.namespace} belongs to Kubernetes"
        yield _problem(loaded, ("runner", "namespace"), message, "use a namespace of your own")


def _sync(loaded: Loaded) -> Iterator[Problem]:
    """Find paths missing from the build context of the runner's image, or from the project for an image of others."""
    project = loaded.project
    context = next((image.context for image in project.image if image.name == project.runner.image), project.root)
    place = "the project" if context == project.root else f"the build context {_shown(context, loaded)}"
    for number, path in enumerate(project.runner.sync):
        if (context / path).exists():
            continue
        hint = "correct the path or remove it"
        inside = project.root / path
        if inside.exists() and inside.is_relative_to(context) and inside != context:
            hint = f'write "{inside.relative_to(context)}": paths are relative to the build context'
        message = f"{path} does not exist in {place}"
        yield _problem(loaded, ("runner", "sync", number), message, hint)


def _collected(loaded: Loaded) -> Iterator[Problem]:
    """Find patterns of files from the pod that match nothing, or that bring code."""
    runner = loaded.project.runner
    for number, pattern in enumerate(runner.collect_into_tree):
        at: KeyPath = ("runner", "collect-into-tree", number)
        first = pattern.removeprefix("./").partition("/")[0]
        folders = [path.removeprefix("./") for path in runner.sync]
        if not re.search(r"[*?\[]", first) and not any(f"{path}/".startswith(f"{first}/") for path in folders):
            message = f"{pattern} is in no folder of sync: only changes there are collected"
            yield _problem(loaded, at, message, f"begin it with one of: {', '.join(runner.sync)}")
        if names_code(pattern):
            message = f"{pattern} lets a pod write code that Python or pytest runs on this machine"
            yield _problem(loaded, at, message, "name data files only, such as tests/**/__snapshots__/**")


def _services(loaded: Loaded) -> Iterator[Problem]:
    for name, service in loaded.project.service.items():
        if service.ready is not None and service.ready.tcp:
            message = "an open port does not prove that the service works"
            yield _problem(loaded, ("service", name, "ready"), message, "check an answer: http, sql, bucket or command")


def _timeouts(loaded: Loaded) -> Iterator[Problem]:
    timeouts = loaded.project.timeouts
    for name in ("cluster", "build", "deliver", "install", "ready", "test"):
        if getattr(timeouts, name) > timeouts.run:
            key = ("timeouts", name)
            key = key if key in loaded.sources else ("timeouts", "run")
            message = f"{name} ({getattr(timeouts, name):g} s) is longer than the whole run ({timeouts.run:g} s)"
            yield _problem(loaded, key, message, f"increase run, or decrease {name}")


def _shown(path: Path, loaded: Loaded) -> str:
    root = loaded.project.root
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
