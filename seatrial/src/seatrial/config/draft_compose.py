"""Draft `[compose]` of a first `seatrial.toml`: the Compose file, and what differs there from the charts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from seatrial.config.detect import Detected
from seatrial.config.detect_compose import Compose, ComposeService
from seatrial.config.detect_dockerfile import Dockerfile
from seatrial.config.draft_images import Images
from seatrial.config.draft_services import FoundService
from seatrial.config.toml_text import toml_lines, toml_value
from seatrial.pod.fixtures.endpoint import service_variable

__all__ = ["draft_compose"]

_VARIABLE: Final = re.compile(r"(?!SEATRIAL_)[A-Za-z_][A-Za-z0-9_]*")


def draft_compose(detected: Detected, services: Sequence[FoundService], images: Images, guessed: list[str]) -> str:
    """Return `[compose]` and `[compose.env]`; nothing without a Compose file.

    Args:
        detected: what the project has.
        services: Services of the charts.
        images: images to build.
        guessed: takes a line for each value that the project does not show.
    """
    if not detected.compose:
        return ""
    compose, *others = detected.compose
    if others:
        also = ", ".join(str(other.path) for other in others)
        guessed.append(f'[compose] file = "{compose.path}": there is also {also}; correct file')
    tests = {name: each for name, each in compose.services.items() if _runs_tests(each, images)}
    rest = {name: each for name, each in compose.services.items() if name not in tests}
    if tests and rest:
        guessed.append(f"[compose] services: without {', '.join(tests)}, because seatrial runs the tests")
    built = {name: image for name, each in rest.items() if (image := _image(each, images))}
    if built:
        guessed.append(
            f"[compose] images = {toml_value(built)}: they have the same Dockerfile and target;"
            " remove a service that Compose shall build"
        )
    env = {**_variables(compose, tests, guessed), **dict(_addresses(compose, rest, services, guessed))}
    table = toml_lines(file=str(compose.path), services=[*rest] if tests and rest else None, images=built or None)
    return f"[compose]\n{table}" + (f"\n[compose.env]\n{toml_lines(**env)}" if env else "")


def _runs_tests(service: ComposeService, images: Images) -> bool:
    """Return whether a service runs pytest, or is built from a stage that is for tests."""
    return service.runs_pytest or (bool(service.target) and _is_built_from(service, *images.built[images.tests]))


def _image(service: ComposeService, images: Images) -> str:
    """Return the `[[image]]` that is built from the same stage as a service; empty: no such image."""
    return next((name for name, built in images.built.items() if _is_built_from(service, *built)), "")


def _is_built_from(service: ComposeService, file: Dockerfile, target: str) -> bool:
    last = file.stages[-1].name
    return service.dockerfile == file.path and (service.target or last) == (target or last)


def _variables(compose: Compose, tests: Mapping[str, ComposeService], guessed: list[str]) -> dict[str, str]:
    """Return the variables of the services that run the tests."""
    given = {
        name: value
        for service in tests.values()
        for name, value in service.variables.items()
        if _VARIABLE.fullmatch(name)
    }
    known = {name: value for name, value in given.items() if value is not None}
    if known:
        guessed.append(
            f"[compose.env] {', '.join(known)}: from {', '.join(tests)} in {compose.path};"
            " add their values in Kubernetes to [runner.env] or [runner.env-from]"
        )
    if len(known) < len(given):
        names = ", ".join(name for name in given if name not in known)
        guessed.append(f"[compose.env] {names}: {compose.path} does not have the values; add those that the tests need")
    return known


def _addresses(
    compose: Compose, rest: Mapping[str, ComposeService], services: Sequence[FoundService], guessed: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield variable and address of each Service that has another name or port in Compose."""
    names = {service.name for service in services}
    for service in services:
        behind = service.container_port or service.port
        similar = [name for name, each in rest.items() if name not in names and behind in each.ports]
        host = service.name if service.name in rest else similar[0] if len(similar) == 1 else ""
        variable = service_variable(service.name)
        if not host:
            line = f"[service.{service.name}]: {compose.path} has no such service; for another name, set {variable} ="
            guessed.append(f'{line} "HOST:PORT" in [compose.env]')
            continue
        ports = rest[host].ports
        port = next((each for each in (behind, service.port) if each in ports), ports[0] if ports else behind)
        if (host, port) != (service.name, service.port):
            address = f"{host}:{port}"
            guessed.append(
                f'[compose.env] {variable} = "{address}": the container port in {compose.path};'
                f" the Service is {service.name}:{service.port}"
            )
            yield variable, address
