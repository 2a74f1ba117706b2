"""List the pods that rendered objects describe, with the object that creates them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.model.finding import ObjectRef
from seatrial.ports import Object

__all__ = ["DescribedPod", "containers_of", "described_pods", "mapping", "namespaced", "sequence"]

_CREATORS = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedPod:
    """The specification of pods in a rendered object.

    Attributes:
        subject: the object that creates them.
        spec: their specification.
    """

    subject: ObjectRef
    spec: Mapping[str, Any]


def described_pods(objects: Iterable[Object]) -> Iterator[DescribedPod]:
    """Yield the pods of all objects that create pods. The objects have a namespace, see `namespaced`."""
    for obj in objects:
        if obj.get("kind") not in _CREATORS:
            continue
        spec = mapping(obj.get("spec"))
        if obj["kind"] == "CronJob":
            spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
        if obj["kind"] != "Pod":
            spec = mapping(mapping(spec.get("template")).get("spec"))
        meta = mapping(obj.get("metadata"))
        subject = ObjectRef(
            kind=str(obj["kind"]), name=str(meta.get("name", "")), namespace=str(meta.get("namespace", ""))
        )
        yield DescribedPod(subject=subject, spec=spec)


def containers_of(spec: Mapping[str, Any], field: str = "containers") -> list[Mapping[str, Any]]:
    """Return the containers in a field of a pod's specification."""
    return [each for each in sequence(spec.get(field)) if isinstance(each, Mapping)]


def namespaced(objects: Iterable[Object], namespace: str) -> list[Object]:
    """Return objects with a namespace: those without one get that of their release."""
    return [
        {**obj, "metadata": {**meta, "namespace": meta.get("namespace") or namespace}}
        for obj in objects
        for meta in [mapping(obj.get("metadata"))]
    ]


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping from rendered text, in which any field can have any type; an empty one for other values."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> list[Any]:
    """Return a list from rendered text; an empty one for other values."""
    return value if isinstance(value, list) else []
