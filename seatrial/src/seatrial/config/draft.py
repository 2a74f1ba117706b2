"""A first `seatrial.toml`, made of what a survey found. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from seatrial.config.survey import Chart, Dockerfile, Survey
from seatrial.model.spec import RunnerSpec

__all__ = ["Draft", "FoundService", "dockerfile", "draft", "services_of"]

_COMMANDS: Final = {
    "uv": ("uv", "run", "pytest"),
    "poetry": ("poetry", "run", "pytest"),
    "pip": ("python", "-m", "pytest"),
}
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
    "pip": (
        "COPY requirements*.txt ./",
        'RUN for file in requirements*.txt; do pip install --no-cache-dir -r "$file"; done',
    ),
}
_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


class FoundService(msgspec.Struct, frozen=True, kw_only=True):
    """A Service of a chart, its first port, and what its pods' readiness probe asks, as far as a Service can ask it."""

    name: str
    port: int
    path: str = ""
    path_port: int | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a configuration, and what to tell about it.

    Attributes:
        found: what it was made of.
        guessed: what nobody said, and how to correct it.
    """

    text: str
    found: tuple[str, ...]
    guessed: tuple[str, ...]


class _Images(msgspec.Struct, frozen=True, kw_only=True):
    """The images to build: name to Dockerfile and target."""

    tests: str
    app: str
    built: dict[str, tuple[Dockerfile, str]]


def draft(survey: Survey, services: Sequence[FoundService], project: str) -> Draft:
    """Return a configuration for what was found. There must be a Dockerfile.

    Args:
        survey: what was found.
        services: Services of the charts; empty if they could not be rendered, then the Compose file's are taken.
        project: the project id.
    """
    images = _images(survey)
    guessed: list[str] = []
    parts = [
        _cluster(survey, guessed),
        *(_image(name, file, target) for name, (file, target) in images.built.items()),
        *(_release(survey, chart, images, guessed) for chart in survey.charts),
        _services(survey, services, guessed),
        _runner(survey, images, guessed),
        _compose(survey),
    ]
    return Draft(
        text="# What the tests need and how they run. `seatrial config show` explains every value.\n"
        "# The project id marks images and Kubernetes objects as this project's. A copied file needs its own id.\n"
        f"{_lines(project=project)}\n" + "\n".join(part for part in parts if part),
        found=tuple(_found(survey, services)),
        guessed=tuple(guessed),
    )


def dockerfile(survey: Survey) -> str:
    """Return a Dockerfile for the tests of a project that has none."""
    folders = sorted({*survey.code, *(path.rstrip("/") for path in survey.testpaths if "*" not in path)})
    copies = [f"COPY {name} {name}" for name in folders] or ["COPY . ."]
    if survey.test_settings and survey.test_settings.name != "pyproject.toml":
        copies.append(f"COPY {survey.test_settings} ./")
    return "\n".join(
        [
            "# The image that the tests run in. What changes least comes first: a changed test is one small layer.",
            "ARG PYTHON_IMAGE=python:3.13-slim",
            "FROM ${PYTHON_IMAGE}",
            "WORKDIR /app",
            *_INSTALL[survey.installer],
            *(["ENV PYTHONPATH=/app/src"] if "src" in survey.code else []),
            *copies,
            "RUN useradd --uid 1000 --create-home tester && chown 1000:1000 /app",
            "USER 1000:1000",
            "",
        ]
    )


def services_of(objects: Sequence[Mapping[str, Any]]) -> list[FoundService]:
    """Return the Services among the objects of a rendered chart; of two for the same pods the one with an address."""
    services = [obj for obj in objects if obj.get("kind") == "Service" and obj.get("spec", {}).get("ports")]
    workloads = [obj for obj in objects if obj.get("kind") in _WORKLOADS]
    addressed = [_selector(service) for service in services if service["spec"].get("clusterIP") != "None"]
    found = []
    for service in services:
        if service["spec"].get("clusterIP") == "None" and _selector(service) in addressed:
            continue
        found.append(_service(service, workloads))
    return sorted(found, key=lambda service: service.name)


def _selector(service: Mapping[str, Any]) -> dict[str, str]:
    return dict(service["spec"].get("selector") or {})


def _service(service: Mapping[str, Any], workloads: Sequence[Mapping[str, Any]]) -> FoundService:
    ports = service["spec"]["ports"]
    name, port = service["metadata"]["name"], int(ports[0]["port"])
    selector = _selector(service)
    for workload in workloads:
        template = workload["spec"]["template"]
        labels = template.get("metadata", {}).get("labels", {})
        if not selector or not selector.items() <= labels.items():
            continue
        for container in template["spec"]["containers"]:
            probe = container.get("readinessProbe", {}).get("httpGet")
            if not probe:
                continue
            asked = _number(probe.get("port"), container)
            for candidate in ports:
                if _number(candidate.get("targetPort", candidate["port"]), container) == asked:
                    path_port = int(candidate["port"])
                    other = path_port if path_port != port else None
                    return FoundService(name=name, port=port, path=probe.get("path") or "/", path_port=other)
    return FoundService(name=name, port=port)


def _number(port: Any, container: Mapping[str, Any]) -> int | None:
    """Return the number of a container's port that is given by number or name."""
    if isinstance(port, int):
        return port
    for declared in container.get("ports", ()):
        if declared.get("name") == port:
            return int(declared["containerPort"])
    return int(port) if isinstance(port, str) and port.isdigit() else None


def _images(survey: Survey) -> _Images:
    """Choose what to build: the tests' own stage or file if there is one, and what the charts want to run."""
    for_tests = [file for file in survey.dockerfiles if "test" in str(file.path).lower()]
    file = (for_tests or list(survey.dockerfiles))[0]
    stage = next((stage for stage in file.stages if re.fullmatch(r"tests?|testing", stage.name.lower())), None)
    app_file = next((other for other in survey.dockerfiles if other not in for_tests), file)
    if stage is None and app_file is file:
        return _Images(tests=survey.name, app=survey.name, built={survey.name: (file, "")})
    tests = f"{survey.name}-tests"
    app_target = ""
    if stage is not None and app_file is file:
        app_target = stage.base if stage.base in {other.name for other in file.stages} else ""
    built = {tests: (file, stage.name if stage else "")}
    wanted = any(_last(repository) == survey.name for chart in survey.charts for repository in chart.images.values())
    if wanted:
        built = {survey.name: (app_file, app_target), **built}
    return _Images(tests=tests, app=survey.name if wanted else tests, built=built)


def _last(repository: str) -> str:
    return repository.rpartition("/")[2]


def _cluster(survey: Survey, guessed: list[str]) -> str:
    kind = survey.kind[0] if survey.kind else None
    name = (kind.name if kind else None) or f"{survey.name}-test"
    if kind is None:
        guessed.append("[cluster]: one node, as kind makes it without a configuration")
    if len(survey.kind) > 1:
        others = ", ".join(str(other.path) for other in survey.kind[1:])
        guessed.append(f"[cluster]: {survey.kind[0].path} is meant, not {others}")
    return "[cluster]\n" + _lines(name=name, config=str(kind.path) if kind else None)


def _image(name: str, file: Dockerfile, target: str) -> str:
    usual = file.path == Path("Dockerfile")
    return "[[image]]\n" + _lines(name=name, dockerfile=None if usual else str(file.path), target=target or None)


def _release(survey: Survey, chart: Chart, images: _Images, guessed: list[str]) -> str:
    first = chart is survey.charts[0]
    values = [
        path
        for path in survey.values
        if chart.path in path.parents or (first and not any(other.path in path.parents for other in survey.charts))
    ]
    ours = {path: images.app for path, repository in chart.images.items() if _last(repository) == images.app}
    if len(survey.charts) > 1 and first:
        guessed.append("[[release]]: the charts are installed in the order of their folders")
    return "[[release]]\n" + _lines(
        name=chart.name,
        chart=str(chart.path),
        namespace=survey.name,
        values=[str(path) for path in values] or None,
        images=ours or None,
    )


def _services(survey: Survey, services: Sequence[FoundService], guessed: list[str]) -> str:
    if not services and survey.compose and survey.compose[0].services:
        guessed.append(f"[service.…]: names and ports are those of {survey.compose[0].path}")
        services = [FoundService(name=name, port=port) for name, port in survey.compose[0].services.items()]
    text = []
    for service in services:
        ready = {"http": service.path, "port": service.path_port} if service.path else None
        text.append(f"[service.{_key(service.name)}]\n" + _lines(port=service.port, ready=ready))
    return "\n".join(text)


def _runner(survey: Survey, images: _Images, guessed: list[str]) -> str:
    command = [*_COMMANDS[survey.installer], *(() if survey.test_settings else survey.testpaths)]
    if survey.installer == "pip" and not survey.test_settings:
        guessed.append(f"[runner] command: {' '.join(command)}")
    sync = tuple(dict.fromkeys((*survey.code, *(path.rstrip("/") for path in survey.testpaths if "*" not in path))))
    usual = next(field.default for field in msgspec.structs.fields(RunnerSpec) if field.name == "sync")
    return "[runner]\n" + _lines(
        image=images.tests,
        namespace=survey.name,
        command=command,
        sync=list(sync) if sync and not set(sync) <= set(usual) else None,
    )


def _compose(survey: Survey) -> str:
    return "[compose]\n" + _lines(file=str(survey.compose[0].path)) if survey.compose else ""


def _found(survey: Survey, services: Sequence[FoundService]) -> Iterator[str]:
    for chart in survey.charts:
        yield f"chart {chart.name} in {chart.path}"
    if not survey.charts:
        yield "no chart: the tests run in an empty namespace"
    for file in survey.dockerfiles:
        stages = ", ".join(stage.name for stage in file.stages if stage.name)
        yield f"{file.path}" + (f" with stages {stages}" if stages else "")
    if survey.testpaths:
        where = f"as {survey.test_settings} says" if survey.test_settings else "by its name"
        yield f"tests in {', '.join(survey.testpaths)}, {where}"
    yield f"a project on {survey.installer}"
    for kind in survey.kind:
        yield f"kind configuration {kind.path}"
    for path in survey.values:
        yield f"values for tests in {path}"
    for compose in survey.compose:
        yield f"Compose file {compose.path} with {', '.join(compose.services) or 'no ports'}"
    if services:
        yield f"services of the charts: {', '.join(f'{service.name} {service.port}' for service in services)}"


def _lines(**pairs: Any) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in pairs.items() if value is not None)


def _toml(value: Any) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return "[" + ", ".join(_toml(element) for element in value) + "]"
        case dict():
            inner = ", ".join(
                f"{_key(key)} = {_toml(element)}" for key, element in value.items() if element is not None
            )
            return f"{{ {inner} }}"
        case _:
            return str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
