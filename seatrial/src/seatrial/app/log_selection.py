"""Select the pods and containers whose logs are printed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.model.spec import Project
from seatrial.ports import Kube, Object
from seatrial.readiness.snapshot import controller_of

__all__ = ["RUNNER", "Selection", "containers_of", "select"]

RUNNER: Final = "runner"
"""Name of the runner pod on the command line."""


class Selection:
    """A rule that selects pods and containers, also of pods that start later.

    Args:
        names: names of pods or their controllers; empty: all pods.
        selector: label selector of a Service with that name; empty: no Service has that name.
        container: only this container; None: all.
    """

    def __init__(self, names: Collection[str], selector: Mapping[str, str], container: str | None) -> None:
        self._names = names
        self._selector = selector
        self._container = container

    def __call__(self, pod: Object) -> bool:
        """Whether a pod is selected."""
        labels = pod["metadata"].get("labels") or {}
        return (
            not self._names
            or bool({pod["metadata"]["name"], controller_of(pod)[1]} & set(self._names))
            or bool(self._selector and self._selector.items() <= labels.items())
        )

    def containers(self, pod: Object) -> list[str]:
        """Return the names of the selected containers of a pod, in the order of their start."""
        return [name for name in containers_of(pod) if self._container in (None, name)]


def containers_of(pod: Object) -> list[str]:
    """Return the names of all containers of a pod, in the order of their start."""
    spec = pod["spec"]
    return [each["name"] for each in [*(spec.get("initContainers") or ()), *spec["containers"]]]


def select(
    kube: Kube, project: Project, pods: Sequence[Object], name: str | None, container: str | None
) -> tuple[Selection, list[Object]]:
    """Return the selection by the arguments of `seatrial logs`, and the pods that it selects now.

    Raises:
        UsageError: no pod or container is selected.
    """
    declared = project.service.get(name or "")
    place = (declared and declared.namespace) or project.runner.namespace
    names = [each for each in (name, declared and declared.name) if each]
    if name == RUNNER:
        names, container = [project.runner.pod], container or "tests"
    service = kube.get("v1/Service", names[-1], place) if names else None
    meant = Selection(names, ((service or {}).get("spec") or {}).get("selector") or {}, container)
    found = [pod for pod in pods if meant(pod)]
    if not found:
        names = sorted({controller_of(pod)[1] or pod["metadata"]["name"] for pod in pods})
        raise UsageError(
            f"no service, workload or pod is called {name!r}" if name else "there are no pods",
            hint=f"one of: {', '.join(names)}, {RUNNER}" if names else "seatrial status",
        )
    if not any(meant.containers(pod) for pod in found):
        there = sorted({each for pod in found for each in containers_of(pod)})
        raise UsageError(f"no container is called {container!r}", hint=f"one of: {', '.join(there)}")
    return meant, found
