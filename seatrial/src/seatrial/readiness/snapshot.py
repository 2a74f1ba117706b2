"""Keep the objects of a cluster's namespaces up to date from watches."""

from __future__ import annotations

from typing import Final

from seatrial.ports import Change, Object

__all__ = ["Snapshot", "controller_of"]

_REVISION: Final = "deployment.kubernetes.io/revision"

Key = tuple[str, str, str]
"""kind with its apiVersion, namespace, name"""


class Snapshot:
    """Objects by kind, namespace and name."""

    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}

    def take(self, kind: str, namespace: str, change: Change) -> None:
        """Apply a change of one kind in one namespace."""
        if change.type == "synced":
            for key in [key for key in self._objects if key[:2] == (kind, namespace)]:
                del self._objects[key]
        for obj in change.objects:
            key = (kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if change.type == "deleted":
                self._objects.pop(key, None)
            else:
                self._objects[key] = obj

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object; None if it does not exist."""
        return self._objects.get((kind, namespace, name))

    def all(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return [obj for key, obj in self._objects.items() if key[0] == kind]

    def pods_of(self, workload: Object, *, leaving: bool = False) -> list[Object]:
        """Return the pods that a workload controls, sorted by name: those being deleted (`leaving`), or the others."""
        meta = workload["metadata"]
        wanted = (workload["kind"], meta["name"])
        return sorted(
            (
                pod
                for pod in self.all("v1/Pod")
                if pod["metadata"].get("namespace") == meta.get("namespace")
                and bool(pod["metadata"].get("deletionTimestamp")) is leaving
                and controller_of(pod) == wanted
            ),
            key=lambda pod: str(pod["metadata"]["name"]),
        )

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
            for replicas in self.all("apps/v1/ReplicaSet"):
                its = replicas["metadata"]
                owners = [(owner["kind"], owner["name"]) for owner in its.get("ownerReferences") or ()]
                same = its.get("namespace") == meta.get("namespace") and ("Deployment", meta["name"]) in owners
                if wanted and same and (its.get("annotations") or {}).get(_REVISION) == wanted:
                    return "pod-template-hash", str((its.get("labels") or {}).get("pod-template-hash", ""))
            if wanted:
                return "pod-template-hash", ""
        return "", ""

    def warnings_about(self, obj: Object) -> list[Object]:
        """Return the Warning events of this object, the latest last; not those of an earlier object of its name."""
        uid = obj["metadata"].get("uid")
        found = (
            event
            for event in self.all("v1/Event")
            if event.get("type") == "Warning" and event.get("involvedObject", {}).get("uid") == uid
        )
        return sorted(found, key=_when)


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
