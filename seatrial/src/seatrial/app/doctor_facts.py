"""Gather the facts about this machine for `seatrial doctor`, without changing it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.app.doctor_checks import ComposeTool, MachineFacts, Port, Tool
from seatrial.app.wiring import (
    Machine,
    available_memory,
    compose_program,
    configured_host_ports,
    free_disk,
    listeners,
    machine,
    registry_problem,
)
from seatrial.config import Loaded
from seatrial.config.problem import ConfigurationError
from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.model.spec import Project
from seatrial.pod.fixtures.endpoint import service_overrides
from seatrial.pod.fixtures.location import location
from seatrial.ports import EngineInfo, Processes

__all__ = ["gather"]

_TIMEOUT_SECONDS: Final = 10.0
_HUB: Final = "registry-1.docker.io"

_VERSIONS: Final = {
    "docker": ("docker", "--version"),
    "kind": ("kind", "version"),
    "helm": ("helm", "version", "--template", "{{.Version}}"),
    "kubectl": ("kubectl", "version", "--client"),
}


def gather(load: Callable[[], Loaded]) -> MachineFacts:
    """Return the facts about this machine and the project whose configuration `load` reads."""
    this = machine()
    project, configuration, problems = _project(load)
    engine, silence = _engine(this)
    try:
        where = location(os.environ)
    except ValueError as error:
        raise UsageError(str(error)) from error
    disk_at = (engine.root if engine else "") or str(Path.cwd())
    kubernetes = re.search(r":v(\d+\.\d+)", project.cluster.image or "") if project else None
    return MachineFacts(
        tools=tuple(_tool(this.processes, name, argv) for name, argv in _VERSIONS.items()),
        compose=_compose(this.processes, is_required=bool(project and project.compose)),
        engine=engine.version if engine else "",
        silence=silence,
        cgroup=engine.cgroup if engine else "",
        kubernetes=kubernetes[1] if kubernetes else "",
        cpus=os.cpu_count(),
        memory=available_memory() or None,
        disk=free_disk(Path(disk_at)),
        disk_at=disk_at,
        limits=dict(_limits()),
        ports=tuple(_ports(this, project)) if project else (),
        registries={host: registry_problem(host, timeout=_TIMEOUT_SECONDS / 2) for host in _hosts(project)},
        environments=tuple(_environments(this)),
        strangers=tuple(_strangers(this)),
        location=(where.where, where.reason),
        services=dict(_services(project)) if project else {},
        configuration=configuration,
        problems=problems,
        wanted_cluster=project.cluster.name if project and project.cluster.provider == "kind" else "",
    )


def _project(load: Callable[[], Loaded]) -> tuple[Project | None, str, tuple[str, ...]]:
    try:
        loaded = load()
    except ConfigurationError as error:
        return None, "", tuple(str(problem) for problem in error.problems)
    except UsageError:
        return None, "", ()
    return loaded.project, str(loaded.file), ()


def _tool(processes: Processes, name: str, argv: tuple[str, ...]) -> Tool:
    path = processes.find(name)
    if path is None:
        return Tool(name=name)
    try:
        done = processes.run(argv, deadline=Deadline.after(_TIMEOUT_SECONDS))
    except SeatrialError as error:
        return Tool(name=name, path=path, failure=error.reason or error.message)
    said = re.search(r"v?\d+\.\d+[^\s,]*", done.stdout.decode())
    return Tool(name=name, path=path, version=said[0] if said else "")


def _compose(processes: Processes, *, is_required: bool) -> ComposeTool:
    try:
        program, version = compose_program(processes)
    except SeatrialError as error:
        failure = error.message + (f" ({error.reason})" if error.reason else "")
        return ComposeTool(is_required=is_required, failure=failure, hint=error.hint)
    return ComposeTool(is_required=is_required, program=" ".join(program), version=version)


def _engine(this: Machine) -> tuple[EngineInfo | None, str]:
    """Return the engine, or None and why it does not answer."""
    if not this.processes.find("docker"):
        return None, ""
    try:
        return this.engine.info(deadline=Deadline.after(_TIMEOUT_SECONDS)), ""
    except SeatrialError as error:
        return None, error.reason


def _limits() -> Iterator[tuple[str, int]]:
    for name in ("max_user_instances", "max_user_watches"):
        with suppress(OSError, ValueError):
            yield name, int(Path(f"/proc/sys/fs/inotify/{name}").read_text())


def _ports(this: Machine, project: Project) -> Iterator[Port]:
    """Yield the host ports of the kind configuration; a port of seatrial's own cluster counts as free."""
    try:
        ports = configured_host_ports(project)
    except (UsageError, AttributeError, TypeError, ValueError):
        return
    listening = listeners(this.processes)
    ours = tuple(f"container {record.cluster}-" for record in this.ledger.records())
    for address, port in ports:
        holder = listening.get(port, "")
        yield Port(address=address, port=port, taken_by="" if holder.startswith(ours) else holder)


def _services(project: Project) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the services whose address is set by an environment variable."""
    for name in project.service:
        try:
            said = service_overrides([name], os.environ, ())
        except ValueError as error:
            yield name, ("", str(error))
        else:
            yield from ((name, (f"{host}:{port}", reason)) for host, port, _, reason in said.values())


def _hosts(project: Project | None) -> list[str]:
    """Return the registries that the project may pull from."""
    if project and project.cluster.registry:
        return [project.cluster.registry.partition("/")[0], _HUB]
    return [_HUB]


def _environments(this: Machine) -> Iterator[tuple[str, bool]]:
    now = this.clock.now()
    for record in this.ledger.records():
        idle = this.ledger.claim(record.id)
        if idle:
            this.ledger.release(record.id)
        kept = record.is_kept_at(now)
        state = "in use" if not idle else "kept" if kept else "expired" if record.kept else "left by a killed command"
        yield f"{record.cluster} of {record.project}: {state}", idle and not kept


def _strangers(this: Machine) -> Iterator[str]:
    """Yield the kind clusters that are not in the ledger."""
    if not this.processes.find("kind"):
        return
    with suppress(SeatrialError):
        done = this.processes.run(
            ["kind", "get", "clusters", "--quiet"], deadline=Deadline.after(_TIMEOUT_SECONDS), check=False
        )
        ours = {record.cluster for record in this.ledger.records()}
        yield from (name for name in done.stdout.decode().split() if name not in ours)
