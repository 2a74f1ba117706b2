"""Ask the container of the tests for the facts that a process in it sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from seatrial.model.environment_facts import RunnerFacts
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import Project
from seatrial.ports import PodExec, StreamBroken
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.decoder import Malformed
from seatrial.runner.facts_decoder import decode_facts

__all__ = ["SECONDS", "ask_runner", "asked_services"]

SECONDS: Final = 10.0
"""Time for the agent to answer."""


def ask_runner(
    connect: Callable[[], PodExec], services: Sequence[dict[str, Any]], key: bytes
) -> tuple[RunnerFacts | None, str]:
    """Return the facts, or None and why the container did not answer.

    Args:
        connect: returns commands in the container.
        services: what to resolve and to connect to.
        key: key of the fingerprints.
    """
    stdin = json.dumps({"key": key.hex(), "services": list(services)}).encode() + b"\n"
    try:
        done = connect().run(agent_argv("facts"), stdin=stdin, container="tests", timeout=SECONDS)
        return decode_facts(done.stdout), ""
    except (SeatrialError, StreamBroken, Malformed) as error:
        return None, str(error)


def asked_services(project: Project, namespace: str) -> list[dict[str, Any]]:
    """Return the declared services as the tests in a namespace reach them; without a namespace, by their bare names."""
    services = []
    for name, spec in project.service.items():
        host, place = spec.name or name, spec.namespace or namespace
        if namespace and place != namespace:
            host = f"{host}.{place}"
        path = spec.ready.http if spec.ready and spec.scheme == "http" and not spec.ready.port else None
        services.append({"name": name, "host": host, "port": spec.port, "names": [host], "http": path})
    return services
