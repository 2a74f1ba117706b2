"""Build the Compose file of an environment from the project's Compose file. Pure.

The file is complete: Compose has replaced all variables and read all files that the project's file names. So it can be
used after the project's files changed, and users can rerun each Compose command that a log shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from seatrial.model.errors import UsageError
from seatrial.ports import Object

__all__ = ["digest_of", "escaped", "project_file"]

_OF_PROJECT: Final = ("networks", "volumes")


def project_file(
    config: Object,
    runner: Object,
    *,
    name: str,
    labels: Mapping[str, str],
    images: Mapping[str, str],
    host_ports: bool,
) -> Object:
    """Return the Compose file of an environment.

    Services, networks and volumes get the environment's labels and names that carry its id. External networks and
    volumes stay as they are.

    Args:
        config: the project's file as `docker compose config` prints it.
        runner: services and volumes of the runner, which are added.
        name: of the Compose project.
        labels: of the environment.
        images: service to the reference of the image that it runs instead.
        host_ports: whether to publish ports on the host.

    Raises:
        UsageError: a service has the name of the runner, or `images` names an unknown service.
    """
    services: dict[str, Any] = config.get("services") or {}
    if taken := sorted(services.keys() & runner["services"].keys()):
        raise UsageError(
            f"the Compose file has a service {taken[0]!r}, which is the name of the runner",
            hint="rename the service, or set runner.pod",
        )
    if unknown := sorted(images.keys() - services.keys()):
        raise UsageError(
            f"compose.images names {unknown[0]!r}, which is not a service of the Compose file that is started",
            hint=f"one of: {', '.join(sorted(services))}",
        )
    found: Object = {"name": name}
    for key in (*_OF_PROJECT, "configs", "secrets"):
        declared = config.get(key) or {}
        found[key] = {each: _owned(key, each, body or {}, name, labels) for each, body in declared.items()}
    found["volumes"] |= {each: {**body, "labels": dict(labels)} for each, body in runner["volumes"].items()}
    found["services"] = {
        each: _service(_without_disabled(body, services), labels, images.get(each, ""), host_ports=host_ports)
        for each, body in services.items()
    }
    networks = _networks_of(services) or {"default": None}
    if "default" in networks:
        found["networks"].setdefault("default", {"name": f"{name}_default", "labels": dict(labels)})
    for each, body in runner["services"].items():
        found["services"][each] = {"networks": networks, **body, "labels": {**labels, **body.get("labels", {})}}
    return found


def digest_of(file: Object) -> str:
    """Return a digest of a Compose file."""
    return hashlib.sha256(json.dumps(file, sort_keys=True).encode()).hexdigest()


def escaped(value: str) -> str:
    """Return a value as it is written in a Compose file: without variables."""
    return value.replace("$", "$$")


def _owned(key: str, each: str, body: Object, name: str, labels: Mapping[str, str]) -> Object:
    if body.get("external"):
        return body
    if key not in _OF_PROJECT:
        return {**body, "name": f"{name}_{each}"}
    return {**body, "name": f"{name}_{each}", "labels": {**_mapping(body.get("labels")), **labels}}


def _service(body: Object, labels: Mapping[str, str], image: str, *, host_ports: bool) -> Object:
    dropped = {"container_name", "profiles", *(() if host_ports else ("ports",)), *(("build",) if image else ())}
    found = {key: value for key, value in body.items() if key not in dropped}
    found["labels"] = {**_mapping(body.get("labels")), **labels}
    if image:
        found |= {"image": image, "pull_policy": "missing"}
    elif build := found.get("build"):
        found["build"] = {**build, "labels": {**_mapping(build.get("labels")), **labels}}
    return found


def _without_disabled(body: Object, services: Mapping[str, Any]) -> Object:
    """Return a service without optional dependencies on services of profiles that are not enabled."""
    depends = body.get("depends_on")
    if not isinstance(depends, dict):
        return body
    kept = {name: each for name, each in depends.items() if name in services or each.get("required", True)}
    return {**body, "depends_on": kept}


def _networks_of(services: Mapping[str, Any]) -> dict[str, None]:
    """Return the networks of all services, as the networks of the runner."""
    return dict.fromkeys(name for body in services.values() for name in body.get("networks") or ())


def _mapping(labels: Any) -> dict[str, str]:
    return dict(labels) if isinstance(labels, dict) else {}
