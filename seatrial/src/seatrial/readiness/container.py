"""Judge the containers of a Compose project: whether they are ready, what they wait for, and what is wrong. Pure.

Values are those of `docker inspect`: https://docs.docker.com/reference/api/engine/version/v1.41/ (ContainerInspect).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import ContainerState, Object
from seatrial.readiness.judgment import READY, Judgment, Suspicion, waiting

__all__ = ["container_name", "engine_container_state", "judge_container", "service_of"]

_SERVICE: Final = "com.docker.compose.service"
_NEVER: Final = 0.0
"""Grace of a problem that waiting does not solve."""

_UNHEALTHY_GRACE: Final = 20.0
"""For a service whose health check fails while another service starts."""

_SIGKILL: Final = 137
_LINES: Final = 5


def service_of(container: Object) -> str:
    """Return the Compose service of a container."""
    return str(((container.get("Config") or {}).get("Labels") or {}).get(_SERVICE, ""))


def container_name(container: Object) -> str:
    """Return the name of a container."""
    return str(container.get("Name", "")).removeprefix("/")


def engine_container_state(container: Object | None) -> ContainerState:
    """Return the state of a container in the terms of the port; `gone` if it does not exist."""
    if container is None:
        return ContainerState(state="gone")
    state = container.get("State") or {}
    if state.get("Running"):
        return ContainerState(state="running")
    if state.get("Status") == "created":
        return ContainerState(state="waiting", reason="created", message=str(state.get("Error") or ""))
    return ContainerState(
        state="terminated",
        code=state.get("ExitCode"),
        reason="OOMKilled" if state.get("OOMKilled") else "",
        message=str(state.get("Error") or ""),
        memory_limit=_limit(container),
    )


def judge_container(container: Object) -> Judgment:
    """Judge a container that is to keep running, or one that ends with exit code 0 when its work is done."""
    state: dict[str, Any] = container.get("State") or {}
    name = service_of(container)
    if state.get("Status") == "created":
        if error := str(state.get("Error") or ""):
            return waiting("a container that starts", _suspect(container, *_start_failure(error), evidence=(error,)))
        return waiting(f"{name} to start")
    if not state.get("Running"):
        if state.get("ExitCode") == 0 and not state.get("OOMKilled"):
            return READY
        return waiting("a container that does not fail", _ended(container, state))
    if state.get("Restarting"):
        return waiting(f"{name} to start again", _ended(container, state))
    health = state.get("Health") or {}
    match health.get("Status", "none"):
        case "healthy" | "none":
            return READY
        case "unhealthy":
            return waiting("its health check", _unhealthy(container, health))
        case _:
            return waiting("its health check")


def _ended(container: Object, state: dict[str, Any]) -> Suspicion:
    code, limit = state.get("ExitCode"), _limit(container)
    if state.get("OOMKilled"):
        message = "exceeded its memory limit" + (f" of {limit}" if limit else "")
        return _suspect(container, "OOMKilled", message, "increase mem_limit, or reduce its memory use")
    if error := str(state.get("Error") or ""):
        return _suspect(container, *_start_failure(error), evidence=(error,))
    if code == _SIGKILL:
        return _suspect(container, "Crash", "was killed (exit code 137)", "find what killed it: docker events")
    return _suspect(container, "Crash", f"ended with exit code {code}", "read the end of its log")


def _unhealthy(container: Object, health: dict[str, Any]) -> Suspicion:
    log: Iterable[dict[str, Any]] = health.get("Log") or ()
    outputs = [line for each in log for line in str(each.get("Output") or "").strip().splitlines()[-1:]]
    times = int(health.get("FailingStreak") or 0)
    message = f"is unhealthy: its health check failed {times} times in a row"
    return _suspect(
        container,
        "Unhealthy",
        message,
        "run the health check in the container: docker exec",
        evidence=tuple(outputs[-_LINES:]),
        grace=_UNHEALTHY_GRACE,
    )


def _start_failure(error: str) -> tuple[str, str, str]:
    """Return cause, message and hint of an error of the engine at the start of a container."""
    if "port is already allocated" in error or "address already in use" in error:
        return "PortTaken", f"cannot publish a port: {_short(error)}", "find the program: ss -ltnp"
    if "no such file or directory" in error and "exec" in error:
        return "StartError", f"cannot start: {_short(error)}", "compare its command with the image"
    return "StartError", f"cannot start: {_short(error)}", "compare command, volumes and user with the image"


def _suspect(
    container: Object, cause: str, message: str, hint: str, *, evidence: tuple[str, ...] = (), grace: float = _NEVER
) -> Suspicion:
    name = service_of(container) or container_name(container)
    finding = Finding(
        cause=cause,
        subject=ObjectRef(kind="Service", name=name),
        message=f"service {name} {message}",
        evidence=evidence,
        hint=hint,
    )
    return Suspicion(finding=finding, grace=grace)


def _limit(container: Object) -> str:
    limit = int((container.get("HostConfig") or {}).get("Memory") or 0)
    return f"{limit >> 20} MiB" if limit else ""


def _short(error: str) -> str:
    return error.strip().rsplit(": ", 2)[-1] if len(error) > 160 else error.strip()  # noqa: PLR2004
