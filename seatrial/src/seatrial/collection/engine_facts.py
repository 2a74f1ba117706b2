"""Derive the facts about the containers of Compose services from `docker inspect`. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from seatrial.collection.cluster_facts import variable
from seatrial.model.environment_facts import ContainerFacts, Limits, Mount
from seatrial.ports import Object
from seatrial.readiness.container import container_name, service_of

__all__ = ["engine_facts"]

_DEPENDS_ON: Final = "com.docker.compose.depends_on"
_FRACTION: Final = re.compile(r"(\.\d{6})\d+")
"""Docker writes nanoseconds; datetime reads microseconds."""


def engine_facts(
    containers: Sequence[Object],
    *,
    own: Collection[str],
    key: bytes,
    image_variables: Mapping[str, Mapping[str, str]],
    logs: Mapping[str, int],
) -> tuple[ContainerFacts, ...]:
    """Return the facts about all services except those of the tests, each from its newest container.

    Args:
        containers: `docker inspect` of each container.
        own: services that seatrial added: those of the tests.
        key: key of the fingerprints.
        image_variables: id of an image to its variables, which are left out, as in Kubernetes.
        logs: name of a container to the bytes of its log.
    """
    services: dict[str, list[Object]] = {}
    for each in containers:
        if service_of(each) not in ("", *own):
            services.setdefault(service_of(each), []).append(each)
    once = {name for each in containers for name, condition in _waits(each) if "completed" in condition}
    return tuple(_container(services[name], key, image_variables, logs, once=name in once) for name in sorted(services))


def _container(
    group: Sequence[Object],
    key: bytes,
    image_variables: Mapping[str, Mapping[str, str]],
    logs: Mapping[str, int],
    *,
    once: bool,
) -> ContainerFacts:
    """Return the facts about the containers of one service, by the newest one."""
    each = max(group, key=lambda container: str(container["State"].get("StartedAt", "")))
    of_image = image_variables.get(each["Image"], {})
    config, host, state = each["Config"], each["HostConfig"], each["State"]
    given = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    networks = (each.get("NetworkSettings") or {}).get("Networks") or {}
    name, service = container_name(each), service_of(each)
    completed = all(map(_completed, group))
    aliases = {alias for network in networks.values() for alias in network.get("Aliases") or ()}
    return ContainerFacts(
        name=service,
        names=tuple(sorted({service, *aliases} - {each["Id"][:12], name})),
        image=str(config.get("Image", "")),
        image_id=str(each["Image"]),
        command=tuple(config.get("Cmd") or ()),
        user=str(config.get("User") or ""),
        variables={
            variable_: variable(key, variable_, value)
            for variable_, value in given.items()
            if of_image.get(variable_) != value
        },
        limits=Limits(memory=int(host.get("Memory") or 0), cpu=(host.get("NanoCpus") or 0) / 1e9),
        mounts=_mounts(each),
        read_only_root=bool(host.get("ReadonlyRootfs")),
        restarts=sum(int(container.get("RestartCount") or 0) for container in group),
        last_exit=_last_exit(state),
        ready=all(map(_is_ready, group)),
        completed=completed,
        # A container that completed was meant to end, even if no other service waits for it.
        once=once or completed,
        started=_time(state.get("StartedAt", "")),
        seconds_to_ready=_seconds_to_ready(state),
        probes=("healthcheck",) if _has_check(config) else (),
        waits_for=tuple(f"{service_} ({condition})" for service_, condition in sorted(_waits(each))),
        ports=tuple(sorted(int(port.partition("/")[0]) for port in config.get("ExposedPorts") or {})),
        log=logs.get(name, -1),
    )


def _waits(each: Object) -> list[tuple[str, str]]:
    """Return service and condition of each `depends_on`: the label is `db:service_healthy:false,cache:…`."""
    label = str((each["Config"].get("Labels") or {}).get(_DEPENDS_ON, ""))
    parts = [part.split(":") for part in label.split(",") if ":" in part]
    return [(part[0], part[1]) for part in parts]


def _completed(each: Object) -> bool:
    return bool(each["State"].get("Status") == "exited" and each["State"].get("ExitCode") == 0)


def _is_ready(each: Object) -> bool:
    health = each["State"].get("Health") or {}
    return bool(health.get("Status", "healthy") == "healthy" and each["State"].get("Status") == "running")


def _has_check(config: Object) -> bool:
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return bool(test[0] != "NONE")


def _last_exit(state: Object) -> str:
    if state.get("OOMKilled"):
        return f"OOMKilled {state.get('ExitCode', '')}".strip()
    if state.get("Status") != "exited":
        return ""
    return "Completed 0" if state.get("ExitCode") == 0 else f"Error {state.get('ExitCode')}"


def _seconds_to_ready(state: Object) -> float | None:
    """Return the seconds until the first successful check, while the engine still has its record of the first ones."""
    log = (state.get("Health") or {}).get("Log") or []
    good = next((each for each in log if each.get("ExitCode") == 0), None)
    start, end = _time(state.get("StartedAt", "")), _time(good.get("End", "")) if good else None
    # The engine keeps the last five checks.
    if start is None or end is None or (good is log[0] and len(log) == 5):  # noqa: PLR2004
        return None
    return max(0.0, (end - start).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError:
        return None


def _mounts(each: Object) -> tuple[Mount, ...]:
    found = [
        Mount(path=mount["Destination"], kind=mount.get("Type", ""), read_only=not mount.get("RW", True))
        for mount in each.get("Mounts") or ()
    ]
    found += [Mount(path=path, kind="tmpfs") for path in each["HostConfig"].get("Tmpfs") or ()]
    return tuple(sorted(found, key=lambda mount: mount.path))
