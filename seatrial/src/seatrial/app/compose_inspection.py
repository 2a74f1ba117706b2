"""Inspect a kept Compose environment without changing it: its status, its problems and its logs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from seatrial.app.environment_status import EnvironmentStatus, RunnerStatus, WorkloadStatus, next_step
from seatrial.app.log_selection import RUNNER
from seatrial.app.wiring import Machine, compose_environment
from seatrial.compose.service_wait import with_log
from seatrial.compose.startup import container_of
from seatrial.config.compose_services import compose_project
from seatrial.diagnose.catalog import ranked
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import UsageError
from seatrial.model.finding import Finding
from seatrial.model.spec import Project
from seatrial.ports import ComposeProject, Lines, Object
from seatrial.readiness.container import container_name, judge_container, service_of
from seatrial.saved_state import read_runner

__all__ = ["compose_problems", "compose_status", "follow_containers", "select_containers"]


def compose_status(this: Machine, project: Project, record: EnvironmentRecord) -> EnvironmentStatus:
    """Return the status of a Compose environment; its workloads are the services of the Compose file."""
    env = compose_environment(this, record)
    containers = env.compose.containers()
    own = [each for each in containers if not service_of(each).startswith(project.runner.pod)]
    images = [str((each.get("Config") or {}).get("Image", "")) for each in own]
    present = env.images.inspect(list(dict.fromkeys(images)))
    replaced = {each: image.labels.get("dev.seatrial.stands-in-for", "") for each, image in present.items()}
    return EnvironmentStatus(
        up=bool(containers),
        state="up" if containers else "gone",
        environment=record,
        workloads=tuple(_status(each) for each in sorted(own, key=service_of)),
        runner=_runner(this, project, record, containers),
        stand_ins={each: image for each, image in replaced.items() if image},
    )


def _status(container: Object) -> WorkloadStatus:
    judgment = judge_container(container)
    return WorkloadStatus(
        kind="Service",
        namespace="",
        name=service_of(container),
        ready=judgment.state == "ready",
        waits_for=judgment.reason,
        images=(str((container.get("Config") or {}).get("Image", "")),),
    )


def _runner(
    this: Machine, project: Project, record: EnvironmentRecord, containers: list[Object]
) -> RunnerStatus | None:
    if not containers:
        return None
    env, name = compose_environment(this, record), project.runner.pod
    container, created = container_of(containers, name), read_runner(env.directory)
    if container is None or created is None:
        return RunnerStatus(pod=name, image="", state="gone", next="create it")
    judgment = judge_container(container)
    return RunnerStatus(
        pod=name,
        image=created.reference,
        state=judgment.reason or "ready",
        next=next_step(project, created, env.images),
    )


def compose_problems(this: Machine, record: EnvironmentRecord) -> tuple[Finding, ...]:
    """Return the findings, the likeliest cause first, with the last log lines of failed containers."""
    compose = compose_environment(this, record).compose
    containers = compose.containers()
    found = [suspicion.finding for each in containers for suspicion in judge_container(each).suspicions]
    return ranked([with_log(compose, containers, each) for each in found])


def select_containers(containers: Sequence[Object], project: Project, name: str | None) -> list[Object]:
    """Return the containers that the argument of `seatrial logs` means: of one service, of the runner, or all.

    Raises:
        UsageError: no service has this name.
    """
    declared = compose_project(project).service.get(name or "")
    wanted = project.runner.pod if name == RUNNER else (declared and declared.name) or name
    found = [each for each in containers if wanted in (None, service_of(each), container_name(each))]
    if not found:
        names = sorted({service_of(each) for each in containers})
        raise UsageError(f"the Compose project has no service {name!r}", hint=f"one of: {', '.join(names)}, {RUNNER}")
    return sorted(found, key=service_of)


def follow_containers(
    compose: ComposeProject, containers: Sequence[Object], *, tail: int | None, since: int | None
) -> Iterator[tuple[str, bytes]]:
    """Yield service and line of all containers as they are printed, until all have ended."""
    received: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()

    def read(service: str, lines: Lines) -> None:
        for line in lines:
            received.put((service, line))
        received.put(None)

    with ExitStack() as open_:
        for each in containers:
            lines = compose.follow(container_name(each), tail=tail, since=since)
            open_.callback(lines.close)
            threading.Thread(target=read, args=(service_of(each), lines), daemon=True).start()
        running = len(containers)
        while running:
            found = received.get()
            if found is None:
                running -= 1
            else:
                yield found
