"""Refuse changes to objects of other owners in a shared cluster."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import Access
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.names import LABEL_ENVIRONMENT, LABEL_OWNER, LABEL_PROJECT, LABEL_USE, OWNER
from seatrial.ports import Object

__all__ = ["Guard", "GuardedApi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The objects that this environment may change.

    Attributes:
        project: value of the project label; objects of other projects are refused.
        environment: value of `--namespace`; if set, only namespaces of that guest environment are allowed.
        releases: namespace and name of the Helm releases whose objects are allowed.
    """

    project: str = ""
    environment: str = ""
    releases: frozenset[tuple[str, str]] = frozenset()

    def owns(self, obj: Object) -> bool:
        """Whether an object has the project's labels, or is part of one of its releases."""
        labels, annotations = (obj["metadata"].get(part) or {} for part in ("labels", "annotations"))
        release = annotations.get("meta.helm.sh/release-namespace"), annotations.get("meta.helm.sh/release-name")
        labeled = labels.get(LABEL_OWNER) == OWNER and labels.get(LABEL_PROJECT) == self.project
        return labeled or release in self.releases

    def owns_namespace(self, namespace: Object) -> bool:
        """Whether a namespace belongs to this environment, with all objects in it."""
        labels = namespace["metadata"].get("labels") or {}
        return self.owns(namespace) and labels.get(LABEL_ENVIRONMENT, "") == self.environment


class GuardedApi(KubeApi):
    """A Kubernetes API that checks the owner before each change.

    Args:
        access: how to reach the API.
        guard: the objects that may be changed.
    """

    def __init__(self, access: Access, guard: Guard) -> None:
        super().__init__(access)
        self._guard = guard
        self._owned: dict[str, bool] = {}

    def apply(self, obj: Object) -> Object:
        """Apply an object.

        Raises:
            EnvironmentFailed: the object or its namespace belongs to another owner.
        """
        meta = obj["metadata"]
        self._check_owner(f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", ""))
        return super().apply(obj)

    def create(self, obj: Object) -> bool:
        """Create an object; return False if it already exists.

        Raises:
            EnvironmentFailed: its namespace belongs to another owner.
        """
        meta = obj["metadata"]
        kind, namespace = f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", "")
        # An object that already exists is not changed, so its owner does not matter.
        if namespace and self._resources.namespaced(kind):
            self._check_namespace(namespace)
        return super().create(obj)

    def replace(self, obj: Object) -> bool:
        """Replace an object; return False if another client changed or deleted it since it was read.

        Raises:
            EnvironmentFailed: the object or its namespace belongs to another owner.
        """
        meta = obj["metadata"]
        self._check_owner(f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", ""))
        return super().replace(obj)

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool:
        """Delete an object.

        Raises:
            EnvironmentFailed: the object or its namespace belongs to another owner.
        """
        self._check_owner(kind, name, namespace)
        return super().delete(kind, name, namespace, grace=grace)

    def _check_owner(self, kind: str, name: str, namespace: str) -> None:
        if namespace and self._resources.namespaced(kind) and self._check_namespace(namespace):
            return
        existing = self.get(kind, name, namespace)
        if existing is None or self._guard.owns(existing):
            return
        bare = kind.rpartition("/")[2]
        place = f" in namespace {namespace}" if namespace else ""
        raise EnvironmentFailed(
            f"{bare} {name}{place} already exists and belongs to another owner",
            reason=f"it has no labels {LABEL_OWNER}={OWNER} and {LABEL_PROJECT}={self._guard.project}",
            hint="choose another name or namespace",
        )

    def _check_namespace(self, name: str) -> bool:
        """Return whether this environment owns a namespace; False if it is lent to seatrial by a label.

        Raises:
            EnvironmentFailed: neither is the case.
        """
        if name not in self._owned:
            existing = self.get("v1/Namespace", name)
            owned = existing is not None and self._guard.owns_namespace(existing)
            labels = (existing or {}).get("metadata", {}).get("labels") or {}
            if not owned and labels.get(LABEL_USE) != "allowed":
                lacking = f"it has neither the labels of this project nor {LABEL_USE}=allowed"
                raise EnvironmentFailed(
                    f"namespace {name} belongs to another owner and is not changed",
                    reason="it does not exist" if existing is None else lacking,
                    hint="remove the namespace from the manifests: they are installed in that of their release",
                )
            self._owned[name] = owned
        return self._owned[name]
