"""Record the facts about a Kubernetes environment in `facts.json`, while other files are collected."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from seatrial.chart_checks.references import sources_of_variables
from seatrial.collection.cluster_facts import Sources, container_facts, policy_facts
from seatrial.collection.fingerprint_key import key_id
from seatrial.collection.runner_question import RunnerQuestion
from seatrial.model.environment_facts import EnvironmentFacts, EnvironmentKind, RunnerFacts, Usage
from seatrial.model.errors import SeatrialError
from seatrial.model.redaction import SECRETS, safe_struct
from seatrial.model.spec import Project
from seatrial.ports import Kube, Object

__all__ = ["FACTS_FILE", "FactsRecorder", "write_facts"]

FACTS_FILE: Final = "facts.json"
"""In the directory of a run."""


@dataclass(slots=True)
class FactsRecorder:
    """Reads the facts in a thread of its own.

    Attributes:
        kube: the cluster's API.
        project: the project.
        key: key of the fingerprints.
        question: the question to the container of the tests; None: no such container.
        usage: what that container used.
        images: digest of a manifest to the id of the image on the engine.
    """

    kube: Kube
    project: Project
    key: bytes
    question: RunnerQuestion | None
    usage: Usage
    images: Mapping[str, str]
    _answer: tuple[RunnerFacts | None, str] = field(init=False, default=(None, "there was no container of the tests"))
    _objects: dict[str, list[Object]] = field(init=False, default_factory=dict)
    _values: dict[tuple[str, str, str], Mapping[str, str] | None] = field(init=False, default_factory=dict)
    _version: str = field(init=False, default="")
    _thread: threading.Thread | None = field(init=False, default=None)

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._read, name="seatrial-facts", daemon=True)
        self._thread.start()

    def finish(self, run_dir: Path, logs: Mapping[tuple[str, str], int], *, seconds: float) -> bool:
        """Write `facts.json`; return False without a file if the cluster does not answer in time.

        Args:
            run_dir: directory of the run.
            logs: pod and container to the bytes of its log that could be read.
            seconds: time to wait for answers.
        """
        assert self._thread is not None, "start comes first"  # noqa: S101
        self._thread.join(seconds)
        if self._thread.is_alive() or not self._version:
            return False
        containers = container_facts(
            self._objects["v1/Pod"],
            self._objects["v1/Service"],
            runner=self.project.runner.pod,
            sources=Sources(self.key, lambda *reference: self._values.get(reference), logs, self.images),
        )
        runner, problem = self._answer
        facts = EnvironmentFacts(
            kind=EnvironmentKind.KUBERNETES,
            platform=self._version,
            key=key_id(self.key),
            runner=runner,
            runner_problem=problem,
            containers=containers,
            policies=policy_facts(self._objects["networking.k8s.io/v1/NetworkPolicy"]),
        )
        write_facts(run_dir, facts)
        return True

    def _read(self) -> None:
        with suppress(SeatrialError):
            for kind in ("v1/Pod", "v1/Service", "networking.k8s.io/v1/NetworkPolicy"):
                self._objects[kind] = [
                    each for namespace in self.project.used_namespaces for each in self._list(kind, namespace)
                ]
            for reference in _references(self._objects["v1/Pod"]):
                self._values[reference] = self._value(*reference)
            version = self.kube.version()
            if self.question is not None:
                self._answer = self.question.answer(self.usage)
            self._version = version

    def _list(self, kind: str, namespace: str) -> list[Object]:
        try:
            return self.kube.objects(kind, namespace)
        except SeatrialError:
            if kind == "v1/Pod":
                raise
            # In a shared cluster, seatrial may not be allowed to read every kind.
            return []

    def _value(self, kind: str, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return the values of a Secret or ConfigMap; None if the object does not exist or cannot be read."""
        try:
            obj = self.kube.get(f"v1/{kind}", name, namespace)
        except SeatrialError:
            return None
        data: dict[str, str] = (obj or {}).get("data") or {}
        if kind == "ConfigMap":
            return data
        return {name: base64.b64decode(text).decode(errors="surrogateescape") for name, text in data.items()}


def write_facts(run_dir: Path, facts: EnvironmentFacts) -> None:
    """Write `facts.json` of a run."""
    SECRETS.learn((), ordinary=facts.variable_names)
    encoded = msgspec.json.encode(safe_struct(facts))
    (run_dir / FACTS_FILE).write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")


def _references(pods: list[Object]) -> list[tuple[str, str, str]]:
    """Return kind, namespace and name of all Secrets and ConfigMaps that variables refer to."""
    found = {
        (source.kind, pod["metadata"].get("namespace", ""), source.name): None
        for pod in pods
        for container in pod["spec"].get("containers") or ()
        for source in sources_of_variables(container)
    }
    return list(found)
