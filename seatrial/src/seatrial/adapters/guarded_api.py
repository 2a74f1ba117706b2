"""The API of a cluster that others use too: what is not ours is read, and not touched."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import Access
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.names import LABEL_ENVIRONMENT, LABEL_OWNER, LABEL_PROJECT, LABEL_USE, OWNER
from seatrial.ports import Object

__all__ = ["Guard", "OursOnly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What is ours.

    Attributes:
        project: value of the project's label: another project's things are not ours either.
        environment: what `--namespace` said; only its namespaces are ours then.
        releases: namespace and name of the Helm releases whose objects are ours.
    """

    project: str = ""
    environment: str = ""
    releases: frozenset[tuple[str, str]] = frozenset()

    def owns(self, obj: Object) -> bool:
        """Whether an object carries our labels, or is part of a release of ours."""
        labels, notes = (obj["metadata"].get(part) or {} for part in ("labels", "annotations"))
        release = notes.get("meta.helm.sh/release-namespace"), notes.get("meta.helm.sh/release-name")
        marked = labels.get(LABEL_OWNER) == OWNER and labels.get(LABEL_PROJECT) == self.project
        return marked or release in self.releases

    def has(self, namespace: Object) -> bool:
        """Whether a namespace is ours, with all that is in it."""
        labels = namespace["metadata"].get("labels") or {}
        return self.owns(namespace) and labels.get(LABEL_ENVIRONMENT, "") == self.environment


class OursOnly(KubeApi):
    """An API with a guard before whatever changes something."""

    def __init__(self, access: Access, guard: Guard) -> None:
        super().__init__(access)
        self._guard = guard
        self._places: dict[str, bool] = {}

    def apply(self, obj: Object) -> Object:
        """Make an object so, unless its namespace or what there is of its name is not ours.

        Raises:
            EnvironmentFailed: it is not.
        """
        meta = obj["metadata"]
        self._refuse("changed", f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", ""))
        return super().apply(obj)

    def create(self, obj: Object) -> bool:
        """Create an object, unless its namespace is not ours; False: there is one of its name.

        Raises:
            EnvironmentFailed: it is not.
        """
        meta = obj["metadata"]
        kind, namespace = f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", "")
        # What is there already is not changed by this: whose it is does not matter.
        if namespace and self._kinds.namespaced(kind):
            self._is_ours(namespace)
        return super().create(obj)

    def replace(self, obj: Object) -> bool:
        """Replace an object of ours; False: another client changed or removed it since it was read.

        Raises:
            EnvironmentFailed: it, or its namespace, is not ours.
        """
        meta = obj["metadata"]
        self._refuse("replaced", f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", ""))
        return super().replace(obj)

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool:
        """Delete an object of ours.

        Raises:
            EnvironmentFailed: it is not ours.
        """
        self._refuse("deleted", kind, name, namespace)
        return super().delete(kind, name, namespace, grace=grace)

    def _refuse(self, done: str, kind: str, name: str, namespace: str) -> None:
        if namespace and self._kinds.namespaced(kind) and self._is_ours(namespace):
            return
        there = self.get(kind, name, namespace)
        if there is None or self._guard.owns(there):
            return
        bare = kind.rpartition("/")[2]
        place = f" in namespace {namespace}" if namespace else ""
        raise EnvironmentFailed(
            f"{bare} {name}{place} is not ours and is not {done}",
            reason=f"it has no label {LABEL_OWNER}={OWNER} with {LABEL_PROJECT}={self._guard.project}",
            hint="choose another namespace or name",
        )

    def _is_ours(self, name: str) -> bool:
        """Whether a namespace is ours; False: its owner allows that we put things there."""
        if name not in self._places:
            there = self.get("v1/Namespace", name)
            ours = there is not None and self._guard.has(there)
            marks = (there or {}).get("metadata", {}).get("labels") or {}
            if not ours and marks.get(LABEL_USE) != "allowed":
                raise EnvironmentFailed(
                    f"nothing is changed in namespace {name}: it is not ours",
                    reason="it is not there" if there is None else f"it has neither our labels nor {LABEL_USE}=allowed",
                    hint="leave the namespace out of manifests: they go where their release goes",
                )
            self._places[name] = ours
        return self._places[name]
