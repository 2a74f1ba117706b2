"""Keep the objects of a cluster's namespaces up to date from watches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from seatrial.ports import Change, Object

__all__ = ["Ref", "Snapshot", "controller_of"]

_REVISION: Final = "deployment.kubernetes.io/revision"

Ref = tuple[str, str, str]
"""kind without its apiVersion, namespace, name"""


class Snapshot:
    """Objects by kind, namespace and name, with indexes for what `judge_workload` asks."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._pods: dict[Ref, dict[str, Object]] = {}
        """Pods by their controller and name."""

        self._replica_sets: dict[Ref, dict[str, Object]] = {}
        """ReplicaSets by their Deployment and name."""

        self._warnings: dict[str, dict[str, Object]] = {}
        """Warning events by the uid of their object and their name."""

    def take(self, kind: str, namespace: str, change: Change) -> set[Ref]:
        """Apply a change of one kind in one namespace; return the workloads whose verdicts may differ now.

        Events that regard a pod count for the pod and for its controller.
        """
        objects = self._objects.setdefault(kind, {})
        concerned: set[Ref] = set()
        if change.type == "synced":
            for name in [name for name in objects if name[0] == namespace]:
                concerned |= self._remove(kind, name)
        for obj in change.objects:
            name = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            concerned |= self._remove(kind, name)
            if change.type != "deleted":
                concerned |= self._add(kind, name, obj)
        return concerned

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object; None if it does not exist."""
        return self._objects.get(kind, {}).get((namespace, name))

    def all(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return list(self._objects.get(kind, {}).values())

    def pods_of(self, workload: Object, *, leaving: bool = False) -> list[Object]:
        """Return the pods that a workload controls, sorted by name: those being deleted (`leaving`), or the others."""
        meta = workload["metadata"]
        pods = self._pods.get((workload["kind"], meta.get("namespace", ""), meta["name"]), {})
        return [pod for _, pod in sorted(pods.items()) if bool(pod["metadata"].get("deletionTimestamp")) is leaving]

    def _add(self, kind: str, name: tuple[str, str], obj: Object) -> set[Ref]:
        self._objects[kind][name] = obj
        for index, key in self._indexed(kind, name, obj):
            index.setdefault(key, {})[name[1]] = obj
        return self._concerned(kind, name, obj)

    def _remove(self, kind: str, name: tuple[str, str]) -> set[Ref]:
        obj = self._objects[kind].pop(name, None)
        if obj is None:
            return set()
        concerned = self._concerned(kind, name, obj)
        for index, key in self._indexed(kind, name, obj):
            entries = index[key]
            entries.pop(name[1], None)
            if not entries:
                del index[key]
        return concerned

    def _indexed(
        self, kind: str, name: tuple[str, str], obj: Object
    ) -> Iterator[tuple[dict[Any, dict[str, Object]], Any]]:
        """Yield the indexes that contain an object, with its key in each."""
        if kind == "v1/Pod":
            yield self._pods, _in_namespace(controller_of(obj), name[0])
        elif kind == "apps/v1/ReplicaSet":
            for owner in _owners(obj, "Deployment"):
                yield self._replica_sets, ("Deployment", name[0], owner)
        elif kind == "v1/Event" and obj.get("type") == "Warning":
            yield self._warnings, (obj.get("involvedObject") or {}).get("uid")

    def _concerned(self, kind: str, name: tuple[str, str], obj: Object) -> set[Ref]:
        bare = kind.rpartition("/")[2]
        if kind == "v1/Event":
            about = obj.get("involvedObject") or {}
            bare, name = str(about.get("kind", "")), (str(about.get("namespace", "")), str(about.get("name", "")))
            regarded = self.get("v1/Pod", *name) if bare == "Pod" else None
            return {(bare, *name), *({_in_namespace(controller_of(regarded), name[0])} if regarded else ())}
        if kind == "v1/Pod":
            return {("Pod", *name), _in_namespace(controller_of(obj), name[0])}
        if kind == "apps/v1/ReplicaSet":
            return {("Deployment", name[0], owner) for owner in _owners(obj, "Deployment")}
        return {(bare, *name)}

    def current_pods_of(self, workload: Object) -> list[Object]:
        """Return the pods of a workload that were created from its newest template, as far as that is known.

        Pods of an older template are about to be deleted and show nothing about the newest one.
        """
        label, newest = self._revision_of(workload)
        pods = self.pods_of(workload)
        return [pod for pod in pods if not label or (pod["metadata"].get("labels") or {}).get(label) == newest]

    def _revision_of(self, workload: Object) -> tuple[str, str]:
        """Return the label that identifies a pod's template, and its value for the newest template.

        Both are empty for workloads without such a label. An empty value means that the newest template is not known
        yet: a watch may report a Deployment before its ReplicaSet.
        """
        if workload["kind"] == "StatefulSet":
            newest = str((workload.get("status") or {}).get("updateRevision", ""))
            return ("controller-revision-hash", newest) if newest else ("", "")
        if workload["kind"] == "Deployment":
            meta = workload["metadata"]
            wanted = (meta.get("annotations") or {}).get(_REVISION)
            ref = ("Deployment", meta.get("namespace", ""), meta["name"])
            for replicas in self._replica_sets.get(ref, {}).values():
                its = replicas["metadata"]
                if wanted and (its.get("annotations") or {}).get(_REVISION) == wanted:
                    return "pod-template-hash", str((its.get("labels") or {}).get("pod-template-hash", ""))
            if wanted:
                return "pod-template-hash", ""
        return "", ""

    def warnings_about(self, obj: Object) -> list[Object]:
        """Return the Warning events of this object, the latest last; not those of an earlier object of its name."""
        return sorted(self._warnings.get(obj["metadata"].get("uid", ""), {}).values(), key=_when)


def _in_namespace(controller: tuple[str, str], namespace: str) -> Ref:
    return controller[0], namespace, controller[1]


def _owners(obj: Object, kind: str) -> Iterator[str]:
    """Yield the names of an object's owners of a kind."""
    return (owner["name"] for owner in obj["metadata"].get("ownerReferences") or () if owner["kind"] == kind)


def controller_of(pod: Object) -> tuple[str, str]:
    """Return kind and name of a pod's controller, the Deployment in place of its ReplicaSet; both empty if none."""
    for owner in pod["metadata"].get("ownerReferences") or ():
        if not owner.get("controller"):
            continue
        kind, name = str(owner["kind"]), str(owner["name"])
        # A Deployment names its ReplicaSets NAME-HASH and labels their pods with the hash.
        hashed = (pod["metadata"].get("labels") or {}).get("pod-template-hash")
        if kind == "ReplicaSet" and hashed and name.endswith(f"-{hashed}"):
            return "Deployment", name.removesuffix(f"-{hashed}")
        return kind, name
    return "", ""


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
