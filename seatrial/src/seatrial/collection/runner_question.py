"""Ask the container of the tests for the facts that a process in it sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, Final

from msgspec import structs

from seatrial.model.environment_facts import RunnerFacts, Usage
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import Project
from seatrial.ports import PodExec, StreamBroken
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.decoder import Malformed
from seatrial.runner.facts_decoder import decode_facts

__all__ = ["RunnerQuestion", "asked_services"]

SECONDS: Final = 10.0
"""Time for the agent to answer."""


class RunnerQuestion:
    """The question for the facts, asked in a thread while the tests run: the answer takes a tenth of a second.

    Args:
        exec_: commands in the container.
        services: what to resolve and to connect to.
        key: key of the fingerprints.
    """

    def __init__(self, exec_: PodExec, services: Sequence[dict[str, Any]], key: bytes) -> None:
        self._exec = exec_
        self._stdin = json.dumps({"key": key.hex(), "services": list(services)}).encode() + b"\n"
        self._facts: RunnerFacts | None = None
        self._problem = "it did not answer in time"
        self._thread = threading.Thread(target=self._ask, name="seatrial-facts-exec", daemon=True)

    def begin(self) -> None:
        """Ask. Later calls do nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def answer(self, usage: Usage) -> tuple[RunnerFacts | None, str]:
        """Wait for the answer. Return the facts, or None and why the container did not answer.

        Args:
            usage: what the container used until the end of the tests, which the answer cannot have.
        """
        self.begin()
        self._thread.join(SECONDS)
        if self._facts is None:
            return None, self._problem
        return structs.replace(self._facts, usage=usage), ""

    def _ask(self) -> None:
        try:
            done = self._exec.run(agent_argv("facts"), stdin=self._stdin, container="tests", timeout=SECONDS)
            self._facts = decode_facts(done.stdout)
        except (SeatrialError, StreamBroken, Malformed) as error:
            self._problem = str(error)


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
