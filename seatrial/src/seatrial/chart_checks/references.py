"""Read the references of pods to Secrets and ConfigMaps, and find those that nothing creates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seatrial.chart_checks.pods import containers_of, described_pods, mapping, sequence
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["Reference", "Source", "missing_references", "sources_of", "sources_of_variables"]

_ALWAYS: Final = ("kube-root-ca.crt",)
"""ConfigMaps that each namespace has: https://kubernetes.io/docs/concepts/configuration/configmap/"""

_BUILT_IN: Final = re.compile(r"v1|(?:apps|autoscaling|batch|policy|[a-z.]+\.k8s\.io)/v\d+\w*")
"""API versions of Kubernetes itself, whose controllers create no Secrets or ConfigMaps for others."""

_OF_VARIABLE: Final = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
_OF_ALL_KEYS: Final = {"secretRef": "Secret", "configMapRef": "ConfigMap"}
_OF_VOLUME: Final = {"secret": "Secret", "configMap": "ConfigMap"}

_PLURALS: Final = {"Secret": "secrets", "ConfigMap": "configmaps"}
_HELM_HOOK: Final = "helm.sh/hook"
_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type, not a token
_ANY_KEY: Final = ("*",)
"""Keys of an object whose keys are not known before it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A required reference to a Secret or ConfigMap.

    Attributes:
        subject: what refers to it.
        kind: Secret or ConfigMap.
        key: the key in it that must exist; empty: only the object.
        field: where the reference stands, for people.
    """

    subject: ObjectRef
    kind: str
    name: str
    namespace: str
    key: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Secret or ConfigMap that a pod gets variables or files from.

    Attributes:
        kind: Secret or ConfigMap.
        key: the key in it; empty: all keys, or those that a volume lists.
        optional: whether the pod starts without it.
        field: where the reference stands, for people.
        container: name of the container with the variable; empty for a volume.
    """

    kind: str
    name: str
    key: str
    optional: bool
    field: str
    container: str


def missing_references(objects: Sequence[Object], more: Iterable[Reference] = ()) -> Iterator[Finding]:
    """Yield a finding for each required reference to an object or key that is not among the objects.

    A kind is left out if something in the objects could create it in the cluster: an object of an API that is not
    Kubernetes' own, or a role that may create it.

    Args:
        objects: all objects that will be created, with namespaces.
        more: references from elsewhere.
    """
    known = {
        (str(obj["kind"]), str(meta.get("namespace", "")), str(meta.get("name", ""))): _keys(obj)
        for obj in objects
        if obj.get("kind") in _PLURALS
        for meta in [mapping(obj.get("metadata"))]
    }
    checked = {kind for kind in _PLURALS if not _can_be_created(objects, kind)}
    seen = set()
    for each in (*_references(objects), *more):
        if each.kind not in checked or each.name in _ALWAYS or each in seen:
            continue
        seen.add(each)
        keys = known.get((each.kind, each.namespace, each.name))
        if keys is None:
            others = [name for kind, namespace, name in known if (kind, namespace) == (each.kind, each.namespace)]
            yield _missing_object(each, others)
        elif each.key and keys is not _ANY_KEY and each.key not in keys:
            yield _missing_key(each, keys)


def _keys(obj: Object) -> tuple[str, ...]:
    """Return the keys of a Secret or ConfigMap; `_ANY_KEY` if a controller or hook fills it."""
    if obj.get("type") == _TOKEN or _HELM_HOOK in mapping(mapping(obj.get("metadata")).get("annotations")):
        return _ANY_KEY
    return tuple(key for part in ("data", "stringData", "binaryData") for key in mapping(obj.get(part)))


def _missing_object(reference: Reference, others: Sequence[str]) -> Finding:
    there = f"; namespace {reference.namespace} gets: {', '.join(sorted(others))}" if others else ""
    return Finding(
        cause=f"Missing{reference.kind}",
        subject=reference.subject,
        message=f"{reference.field} refers to {reference.kind} {reference.name}, which nothing creates{there}",
        hint=f"add {reference.kind} {reference.name} to the chart or to manifests, or correct the name",
        fatal=True,
    )


def _missing_key(reference: Reference, keys: Sequence[str]) -> Finding:
    has = ", ".join(sorted(keys)) or "none"
    return Finding(
        cause="MissingKey",
        subject=reference.subject,
        message=f"{reference.field} refers to key {reference.key!r} of {reference.kind} {reference.name}, "
        f"which has: {has}",
        hint="correct the key, or add it",
        fatal=True,
    )


def _can_be_created(objects: Iterable[Object], kind: str) -> bool:
    """Return whether a controller or a Job among the objects may create objects of a kind."""
    for obj in objects:
        if not _BUILT_IN.fullmatch(str(obj.get("apiVersion", ""))):
            return True
        if obj.get("kind") in ("RoleBinding", "ClusterRoleBinding"):
            role = mapping(obj.get("roleRef")).get("name")
            if role in ("admin", "cluster-admin", "edit"):
                return True
        if obj.get("kind") in ("Role", "ClusterRole"):
            for rule in map(mapping, sequence(obj.get("rules"))):
                resources, verbs = sequence(rule.get("resources")), sequence(rule.get("verbs"))
                if {_PLURALS[kind], "*"} & set(map(str, resources)) and {"create", "*"} & set(map(str, verbs)):
                    return True
    return False


def _references(objects: Iterable[Object]) -> Iterator[Reference]:
    for pod in described_pods(objects):
        for source in sources_of(pod.spec):
            if source.optional:
                continue
            subject = ObjectRef(
                kind=pod.subject.kind,
                name=pod.subject.name,
                namespace=pod.subject.namespace,
                container=source.container,
            )
            yield Reference(
                subject=subject,
                kind=source.kind,
                name=source.name,
                namespace=subject.namespace,
                key=source.key,
                field=source.field,
            )


def sources_of(spec: Mapping[str, Any]) -> Iterator[Source]:
    """Yield the Secrets and ConfigMaps that a pod gets variables and files from, given its specification."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in containers_of(spec, field):
            yield from sources_of_variables(container)
    for volume in map(mapping, sequence(spec.get("volumes"))):
        yield from _of_volume(volume)


def sources_of_variables(container: Mapping[str, Any]) -> Iterator[Source]:
    """Yield the Secrets and ConfigMaps that the variables of a container refer to."""
    name = str(container.get("name", ""))
    for variable in map(mapping, sequence(container.get("env"))):
        if given := variable.get("valueFrom"):
            yield from _sources(mapping(given), _OF_VARIABLE, f"variable {variable.get('name')}", name)
    for given in map(mapping, sequence(container.get("envFrom"))):
        yield from _sources(given, _OF_ALL_KEYS, "envFrom", name)


def _of_volume(volume: Mapping[str, Any]) -> Iterator[Source]:
    field = f"volume {volume.get('name')}"
    yield from _sources(volume, _OF_VOLUME, field)
    for given in map(mapping, sequence(mapping(volume.get("projected")).get("sources"))):
        yield from _sources(given, _OF_VOLUME, field)
    # Drivers of volumes, such as cephfs, read their credentials from a Secret.
    for driver in volume.values():
        if isinstance(driver, dict) and "secretRef" in driver:
            yield from _sources(driver, _OF_ALL_KEYS, field)


def _sources(given: Mapping[str, Any], kinds: Mapping[str, str], field: str, container: str = "") -> Iterator[Source]:
    for key, kind in kinds.items():
        if found := given.get(key):
            reference = mapping(found)
            # Volumes of Secrets alone call the name `secretName`.
            if name := reference.get("secretName") or reference.get("name"):
                yield Source(
                    kind=kind,
                    name=str(name),
                    key=str(reference.get("key", "")),
                    optional=bool(reference.get("optional")),
                    field=field,
                    container=container,
                )
