"""Judge the facts about a machine: the checks of `seatrial doctor`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

__all__ = ["Check", "ComposeTool", "MachineFacts", "Port", "Tool", "checks"]

_GIB: Final = 1024**3
_OLDEST: Final = {"docker": (20, 10), "kind": (0, 20), "helm": (3, 18)}
_MEMORY: Final = 4 * _GIB
"""A kind cluster of two nodes takes 1.7 GB; the rest is for the tested services."""
_DISK: Final = 10 * _GIB

# https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files
_INSTANCES: Final = 512
_WATCHES: Final = 524288
_WATCHES_AT_LEAST: Final = 65536
_CGROUP_V1_ENDS: Final = (1, 35)


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program: its path, empty if it is not on PATH, and its version, empty if it fails."""

    name: str
    path: str = ""
    version: str = ""
    failure: str = ""


class ComposeTool(msgspec.Struct, frozen=True, kw_only=True):
    """Docker Compose.

    Attributes:
        is_required: the project has a table `[compose]`.
        program: plugin or program: `docker compose` or `docker-compose`; empty if seatrial can use neither.
        failure: why seatrial can use neither.
        hint: how to install it.
    """

    is_required: bool = False
    program: str = ""
    version: str = ""
    failure: str = ""
    hint: str = ""


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A host port of the kind configuration, and the process or container that listens on it; empty: it is free."""

    address: str
    port: int
    taken_by: str = ""


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a machine. Sizes are in bytes; None: unknown.

    Attributes:
        tools: docker, kind, helm and kubectl.
        compose: Docker Compose; None: unknown.
        engine: version of the container engine; empty if none answers.
        silence: why the engine does not answer.
        cgroup: version of the control groups that the engine uses.
        kubernetes: version of the configured node image, if its tag has it.
        limits: sysctls of inotify, by name.
        registries: registry -> why it does not answer; empty if it answers.
        environments: a line for each environment in the ledger, and whether it was left behind.
        strangers: kind clusters that are not in the ledger.
        location: pod or host, and why.
        services: service -> its configured address and the variable that sets it, or what is wrong with the variable.
        configuration: path of the configuration; empty if no configuration was found.
        problems: errors of the configuration, one line each.
        wanted_cluster: configured name of the kind cluster; empty for an existing cluster.
    """

    tools: tuple[Tool, ...]
    compose: ComposeTool | None = None
    engine: str = ""
    silence: str = ""
    cgroup: str = ""
    kubernetes: str = ""
    cpus: int | None = None
    memory: int | None = None
    disk: int | None = None
    disk_at: str = ""
    limits: dict[str, int] = {}
    ports: tuple[Port, ...] = ()
    registries: dict[str, str] = {}
    environments: tuple[tuple[str, bool], ...] = ()
    strangers: tuple[str, ...] = ()
    location: tuple[str, str] = ("host", "")
    services: dict[str, tuple[str, str]] = {}
    configuration: str = ""
    problems: tuple[str, ...] = ()
    wanted_cluster: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check.

    Attributes:
        level: ok; warning: a run may fail; problem: runs will fail.
        about: the subject.
        message: the result.
        hint: what to do; empty if the level is ok.
    """

    level: Literal["ok", "warning", "problem"]
    about: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.level:<8} {self.about}: {self.message}" + (f"; {self.hint}" if self.hint else "")


def checks(facts: MachineFacts) -> list[Check]:
    """Return the checks of all facts."""
    parts = (
        _configuration,
        _tools,
        _compose,
        _engine,
        _cgroup,
        _size,
        _limits,
        _ports,
        _registries,
        _left_behind,
        _location,
    )
    return [check for part in parts for check in part(facts)]


def _ok(about: str, message: str) -> Check:
    return Check(level="ok", about=about, message=message)


def _warning(about: str, message: str, hint: str) -> Check:
    return Check(level="warning", about=about, message=message, hint=hint)


def _problem(about: str, message: str, hint: str) -> Check:
    return Check(level="problem", about=about, message=message, hint=hint)


def _configuration(facts: MachineFacts) -> Iterator[Check]:
    if facts.problems:
        for problem in facts.problems:
            yield _problem("configuration", problem, "seatrial config lint")
    elif facts.configuration:
        yield _ok("configuration", facts.configuration)
    else:
        yield _warning("configuration", "not found in this directory or above", "seatrial init")


_INSTALL: Final = {
    "docker": "https://docs.docker.com/engine/install/",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "helm": "https://helm.sh/docs/intro/install/",
}


def _tools(facts: MachineFacts) -> Iterator[Check]:
    for tool in facts.tools:
        oldest = _OLDEST.get(tool.name)
        where = _INSTALL.get(tool.name, "")
        if not tool.path:
            if oldest:
                yield _problem(tool.name, "is not on PATH", f"install it: {where}")
            continue  # kubectl is optional: seatrial does not use it
        if tool.failure:
            yield _problem(tool.name, f"{tool.path} does not work: {tool.failure}", f"reinstall it: {where}")
        elif oldest and _numbers(tool.version) < oldest:
            needed = ".".join(map(str, oldest))
            yield _problem(tool.name, f"{tool.version} is too old", f"install {needed} or newer: {where}")
        else:
            yield _ok(tool.name, f"{tool.version} at {tool.path}")


def _compose(facts: MachineFacts) -> Iterator[Check]:
    compose = facts.compose
    if compose is None:
        return
    if compose.program:
        yield _ok("compose", f"{compose.version}, the command {compose.program}")
    elif compose.is_required:
        yield _problem("compose", compose.failure, compose.hint)
    else:
        yield _ok("compose", f"{compose.failure}; only --env compose requires it")


def _engine(facts: MachineFacts) -> Iterator[Check]:
    if facts.engine:
        yield _ok("engine", f"{facts.engine} answers")
    elif any(tool.name == "docker" and tool.path for tool in facts.tools):
        message = facts.silence or "does not answer"
        yield _problem("engine", message, "start Docker, or set DOCKER_HOST")


def _cgroup(facts: MachineFacts) -> Iterator[Check]:
    if not facts.cgroup:
        return
    if facts.cgroup == "1" and (not facts.kubernetes or _numbers(facts.kubernetes) >= _CGROUP_V1_ENDS):
        which = f"Kubernetes {facts.kubernetes}" if facts.kubernetes else "Kubernetes 1.35 and later"
        message = f"version 1, on which the kubelet of {which} does not start"
        yield _warning("cgroup", message, "boot with cgroup v2, or set cluster.image to a node image of 1.34")
    else:
        yield _ok("cgroup", f"version {facts.cgroup}")


def _size(facts: MachineFacts) -> Iterator[Check]:
    if facts.cpus is not None:
        at_least = 2
        if facts.cpus < at_least:
            yield _warning("processors", f"{facts.cpus}", "use two or more")
        else:
            yield _ok("processors", f"{facts.cpus}")
    if facts.memory is not None:
        message = f"{facts.memory / _GIB:.1f} GiB available"
        if facts.memory < _MEMORY:
            yield _warning(
                "memory", message, f"use {_MEMORY // _GIB} GiB or more: close programs, or use a smaller cluster"
            )
        else:
            yield _ok("memory", message)
    if facts.disk is not None:
        message = f"{facts.disk / _GIB:.1f} GiB free in {facts.disk_at}"
        if facts.disk < _DISK:
            yield _warning("disk", message, f"use {_DISK // _GIB} GiB or more; see docker system df")
        else:
            yield _ok("disk", message)


def _limits(facts: MachineFacts) -> Iterator[Check]:
    instances, watches = facts.limits.get("max_user_instances"), facts.limits.get("max_user_watches")
    if instances is not None and instances < _INSTANCES:
        message = f"fs.inotify.max_user_instances is {instances}: several nodes run out of inotify instances"

        yield _warning("inotify", message, f"sudo sysctl fs.inotify.max_user_instances={_INSTANCES}")
    if watches is not None and watches < _WATCHES_AT_LEAST:
        message = f"fs.inotify.max_user_watches is {watches}: several nodes run out of inotify watches"

        yield _warning("inotify", message, f"sudo sysctl fs.inotify.max_user_watches={_WATCHES}")
    if instances is not None and watches is not None and instances >= _INSTANCES and watches >= _WATCHES_AT_LEAST:
        yield _ok("inotify", f"{instances} instances, {watches} watches")


def _ports(facts: MachineFacts) -> Iterator[Check]:
    for port in facts.ports:
        about = f"port {port.address}:{port.port}"
        if port.taken_by:
            yield _problem(about, f"in use by {port.taken_by}", "stop it, or change the port in the kind configuration")
        else:
            yield _ok(about, "free")


def _registries(facts: MachineFacts) -> Iterator[Check]:
    for registry, silence in facts.registries.items():
        if silence:
            message = f"does not answer ({silence})"
            yield _warning(f"registry {registry}", message, "missing images cannot be pulled")
        else:
            yield _ok(f"registry {registry}", "answers")


def _left_behind(facts: MachineFacts) -> Iterator[Check]:
    for line, dead in facts.environments:
        if dead:
            yield _warning("environment", line, "seatrial clean")
        else:
            yield _ok("environment", line)
    for name in facts.strangers:
        if name == facts.wanted_cluster:
            message = f"{name} has the configured name, and seatrial did not create it"
            yield _problem("cluster", message, f"kind delete cluster --name {name}, or another name under [cluster]")
        else:
            yield _ok("cluster", f"{name} was not created by seatrial and is not touched")


def _location(facts: MachineFacts) -> Iterator[Check]:
    where, reason = facts.location
    yield _ok("location", f"{where}, because {reason}" if reason else where)
    for service, (address, message) in facts.services.items():
        if address:
            yield _ok(f"service {service}", f"{address}, because {message}")
        else:
            yield _problem(f"service {service}", message, "correct or unset the variable")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def summary(found: list[Check]) -> Mapping[str, int]:
    """Return the number of checks of each level."""
    return {level: sum(check.level == level for check in found) for level in ("ok", "warning", "problem")}
