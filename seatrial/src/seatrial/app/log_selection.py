"""Select the pods and containers whose logs are printed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.model.spec import Project
from seatrial.ports import Kube, Object
from seatrial.readiness.snapshot import controller_of

__all__ = ["RUNNER", "Chosen", "chosen", "containers_of"]

RUNNER: Final = "runner"
"""The name of the runner's pod on the command line."""


class Chosen:
    """Which pods and containers are meant, now and later.

    Args:
        names: of pods or of what controls them; empty: all.
        selector: labels of the pods behind a Service; empty: there is none of that name.
        container: only this container; None: all.
    """

    def __init__(self, names: Collection[str], selector: Mapping[str, str], container: str | None) -> None:
        self._names = names
        self._selector = selector
        self._container = container

    def __call__(self, pod: Object) -> bool:
        """Whether a pod is meant."""
        labels = pod["metadata"].get("labels") or {}
        return (
            not self._names
            or bool({pod["metadata"]["name"], controller_of(pod)[1]} & set(self._names))
            or bool(self._selector and self._selector.items() <= labels.items())
        )

    def containers(self, pod: Object) -> list[str]:
        """Return the names of the containers that are meant, in the order in which they start."""
        return [name for name in containers_of(pod) if self._container in (None, name)]


def containers_of(pod: Object) -> list[str]:
    """Return the names of all containers of a pod, in the order in which they start."""
    spec = pod["spec"]
    return [each["name"] for each in [*(spec.get("initContainers") or ()), *spec["containers"]]]


def chosen(
    kube: Kube, project: Project, pods: Sequence[Object], name: str | None, container: str | None
) -> tuple[Chosen, list[Object]]:
    """Return what is meant, and those of the pods.

    Raises:
        UsageError: nothing is called so.
    """
    declared = project.service.get(name or "")
    place = (declared and declared.namespace) or project.runner.namespace
    names = [each for each in (name, declared and declared.name) if each]
    if name == RUNNER:
        names, container = [project.runner.pod], container or "tests"
    service = kube.get("v1/Service", names[-1], place) if names else None
    meant = Chosen(names, ((service or {}).get("spec") or {}).get("selector") or {}, container)
    found = [pod for pod in pods if meant(pod)]
    if not found:
        names = sorted({controller_of(pod)[1] or pod["metadata"]["name"] for pod in pods})
        raise UsageError(
            f"nothing is called {name!r}" if name else "there are no pods",
            hint=f"one of: {', '.join(names)}, {RUNNER}" if names else "seatrial status",
        )
    if not any(meant.containers(pod) for pod in found):
        there = sorted({each for pod in found for each in containers_of(pod)})
        raise UsageError(f"no container is called {container!r}", hint=f"one of: {', '.join(there)}")
    return meant, found
