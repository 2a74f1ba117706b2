"""Write a first `seatrial.toml` from what was detected in a project. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from seatrial.config.detect import Chart, Detected
from seatrial.config.detect_dockerfile import Dockerfile
from seatrial.config.draft_compose import draft_compose
from seatrial.config.draft_images import Images, choose_images, short_name
from seatrial.config.draft_services import FoundService
from seatrial.config.toml_text import toml_key, toml_lines, toml_value
from seatrial.model.spec import RunnerSpec

__all__ = ["Draft", "dockerfile", "draft"]

_COMMANDS: Final = {
    "uv": ("uv", "run", "pytest"),
    "poetry": ("poetry", "run", "pytest"),
    "pip": ("python", "-m", "pytest"),
}
_REQUIREMENTS: Final = (
    "COPY requirements*.txt ./",
    'RUN for file in requirements*.txt; do pip install --no-cache-dir -r "$file"; done',
)
_INSTALL: Final = {
    "uv": (
        "COPY pyproject.toml uv.lock ./",
        "RUN pip install --no-cache-dir uv && uv sync --frozen --no-install-project",
        "ENV PATH=/app/.venv/bin:$PATH UV_NO_SYNC=1",
    ),
    "poetry": (
        "ENV POETRY_VIRTUALENVS_CREATE=false",
        "COPY pyproject.toml poetry.lock ./",
        "RUN pip install --no-cache-dir poetry && poetry install --no-root",
    ),
}
_PYTEST: Final = {"uv": "RUN uv pip install --no-cache pytest", "pip": "RUN pip install --no-cache-dir pytest"}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration file to write.

    Attributes:
        text: content of the file.
        found: what the project shows, one line each.
        guessed: each value that the project does not show, with how to correct it.
    """

    text: str
    found: tuple[str, ...]
    guessed: tuple[str, ...]


def draft(detected: Detected, services: Sequence[FoundService], project: str) -> Draft:
    """Return a configuration for a project. There must be a Dockerfile.

    Args:
        detected: what the project has.
        services: Services of the charts; empty: those of the Compose file.
        project: the project id.
    """
    images = choose_images(detected)
    guessed = [*images.guessed, *_names(detected)]
    parts = [
        _cluster(detected, guessed),
        *(_image(name, file, target) for name, (file, target) in images.built.items()),
        *(_release(detected, chart, images, guessed) for chart in detected.charts),
        _services(detected, services, guessed),
        _runner(detected, images, guessed),
        draft_compose(detected, services, images, guessed),
    ]
    return Draft(
        text="# What the tests need and how they run. `seatrial config show` explains every value.\n"
        "# The project id marks images and Kubernetes objects as this project's. A copied file needs its own id.\n"
        f"{toml_lines(project=project)}\n" + "\n".join(part for part in parts if part),
        found=(*_found(detected, services), *images.found),
        guessed=tuple(guessed),
    )


def dockerfile(detected: Detected) -> str:
    """Return a Dockerfile for the tests of a project that has none."""
    folders = sorted({*detected.code, *(path.rstrip("/") for path in detected.testpaths if "*" not in path)})
    copies = [f"COPY {name} {name}" for name in folders] or ["COPY . ."]
    if detected.test_settings and detected.test_settings.name != "pyproject.toml":
        copies.append(f"COPY {detected.test_settings} ./")
    return "\n".join(
        [
            "# The image that the tests run in. What changes least comes first: a changed test is one small layer.",
            "ARG PYTHON_IMAGE=python:3.13-slim",
            "FROM ${PYTHON_IMAGE}",
            "WORKDIR /app",
            *(_INSTALL.get(detected.installer) or (_REQUIREMENTS if detected.requirements else ())),
            *([] if detected.requires_pytest else [_PYTEST.get(detected.installer, _PYTEST["pip"])]),
            *(["ENV PYTHONPATH=/app/src"] if "src" in detected.code else []),
            *copies,
            "RUN useradd --uid 1000 --create-home tester && chown 1000:1000 /app",
            "USER 1000:1000",
            "",
        ]
    )


def _names(detected: Detected) -> Iterator[str]:
    if detected.named_by is None:
        yield f"project name {detected.name}: the directory's name; correct names of images and namespaces if needed"
    yield f'namespace = "{detected.name}": the project\'s name; correct it where a chart or a test expects another one'
    if detected.testpaths and detected.test_settings is None:
        yield f"tests in {', '.join(detected.testpaths)}: by the folder's name; else set testpaths in pytest's settings"


def _cluster(detected: Detected, guessed: list[str]) -> str:
    kind = detected.kind[0] if detected.kind else None
    name = (kind.name if kind else None) or f"{detected.name}-test"
    if kind is None:
        guessed.append("[cluster]: one node, kind's default; for another shape set config to a kind configuration file")
    if len(detected.kind) > 1:
        others = ", ".join(str(other.path) for other in detected.kind[1:])
        guessed.append(f'[cluster] config = "{detected.kind[0].path}": there is also {others}; correct config')
    return "[cluster]\n" + toml_lines(name=name, config=str(kind.path) if kind else None)


def _image(name: str, file: Dockerfile, target: str) -> str:
    context = file.context if file.context != Path() else None
    usual = file.path == file.context / "Dockerfile"
    return "[[image]]\n" + toml_lines(
        name=name,
        context=str(context) if context else None,
        dockerfile=None if usual else str(file.path),
        target=target or None,
    )


def _release(detected: Detected, chart: Chart, images: Images, guessed: list[str]) -> str:
    first = chart is detected.charts[0]
    own = [path for path in detected.values if chart.path in path.parents]
    shared = [path for path in detected.values if not any(other.path in path.parents for other in detected.charts)]
    values = [path for path in detected.values if path in own or (first and path in shared)]
    if first and shared:
        files = ", ".join(str(path) for path in shared)
        guessed.append(f"[[release]] {chart.name} values: {files} outside of any chart; move them to the right release")
    if first and len(detected.charts) > 1:
        guessed.append("[[release]]: charts are installed in the order of their folders; reorder the tables")
    built = {path: short_name(repository) for path, repository in chart.images.items()}
    return "[[release]]\n" + toml_lines(
        name=chart.name,
        chart=str(chart.path),
        namespace=detected.name,
        values=[str(path) for path in values] or None,
        images={path: name for path, name in built.items() if name in images.built} or None,
    )


def _services(detected: Detected, services: Sequence[FoundService], guessed: list[str]) -> str:
    if not services and detected.compose and detected.compose[0].ports:
        guessed.append(f"[service.…]: names and ports of {detected.compose[0].path}; correct them if the charts differ")
        services = [FoundService(name=name, port=port) for name, port in detected.compose[0].ports.items()]
    text = []
    for service in services:
        ready = {"http": service.path, "port": service.path_port} if service.path else None
        text.append(f"[service.{toml_key(service.name)}]\n" + toml_lines(port=service.port, ready=ready))
    return "\n".join(text)


def _runner(detected: Detected, images: Images, guessed: list[str]) -> str:
    tools = images.stage.tools
    # An image whose Dockerfile installs nothing may start from one that does.
    installer = detected.installer if not tools or detected.installer in tools else "pip"
    command = [*_COMMANDS[installer], *(() if detected.test_settings else detected.testpaths)]
    guessed.append(f"[runner] command = {toml_value(command)}: correct it if the tests run by another command")
    file, _ = images.built[images.tests]
    sync = _folders(detected, file.context)
    usual = next(field.default for field in msgspec.structs.fields(RunnerSpec) if field.name == "sync")
    text = "[runner]\n" + toml_lines(
        image=images.tests,
        namespace=detected.name,
        command=command,
        sync=sync if sync and not set(sync) <= set(usual) else None,
    )
    if detected.snapshots and file.context == Path():
        # A comment, because the user has to allow a pod to write into the working tree.
        patterns = toml_value([*detected.snapshots])
        text += f"# Uncomment to copy snapshots that tests update in the pod here:\n# collect-into-tree = {patterns}\n"
    return text


def _folders(detected: Detected, context: Path) -> list[str]:
    """Return the folders with code and tests, relative to the build context of the tests' image."""
    paths = [Path(path) for path in (*detected.code, *detected.testpaths) if "*" not in path]
    below = [path.relative_to(context).as_posix() for path in paths if path.is_relative_to(context)]
    return list(dict.fromkeys(path for path in below if path != "."))


def _found(detected: Detected, services: Sequence[FoundService]) -> Iterator[str]:
    for chart in detected.charts:
        yield f"chart {chart.name} in {chart.path}"
    if not detected.charts:
        yield "no chart: the namespace of the tests is empty"
    for file in detected.dockerfiles:
        stages = ", ".join(stage.name for stage in file.stages if stage.name)
        yield f"{file.path}" + (f" with stages {stages}" if stages else "")
    if detected.testpaths and detected.test_settings:
        yield f"tests in {', '.join(detected.testpaths)}, from {detected.test_settings}"
    yield f"dependencies by {detected.installer}"
    for kind in detected.kind:
        yield f"kind configuration {kind.path}"
    for path in detected.values:
        yield f"values for tests in {path}"
    for compose in detected.compose:
        yield f"Compose file {compose.path} with {', '.join(compose.ports) or 'no ports'}"
    if services:
        yield f"services of the charts: {', '.join(f'{service.name} {service.port}' for service in services)}"
