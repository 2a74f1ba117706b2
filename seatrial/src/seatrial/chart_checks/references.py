"""Find references of pods to Secrets and ConfigMaps that nothing creates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seatrial.chart_checks.pods import containers_of, described_pods, mapping, sequence
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["Reference", "missing_references", "sources_of_variables"]

_ALWAYS: Final = ("kube-root-ca.crt",)
"""ConfigMaps that each namespace has: https://kubernetes.io/docs/concepts/configuration/configmap/"""

_BUILT_IN: Final = re.compile(r"v1|(?:apps|autoscaling|batch|policy|[a-z.]+\.k8s\.io)/v\d+\w*")
"""API versions of Kubernetes itself, whose controllers create no Secrets or ConfigMaps for others."""

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
        for field in ("initContainers", "containers"):
            for container in containers_of(pod.spec, field):
                yield from _of_variables(pod.subject, container)
        for volume in map(mapping, sequence(pod.spec.get("volumes"))):
            yield from _of_volume(pod.subject, volume)


def _reference(
    subject: ObjectRef, kind: str, source: Mapping[str, Any], field: str, *, name: object = None
) -> Iterator[Reference]:
    wanted = name or source.get("name")
    if wanted and not source.get("optional"):
        key = str(source.get("key", ""))
        yield Reference(subject=subject, kind=kind, name=str(wanted), namespace=subject.namespace, key=key, field=field)


def _of_variables(subject: ObjectRef, container: Mapping[str, Any]) -> Iterator[Reference]:
    named = ObjectRef(
        kind=subject.kind, name=subject.name, namespace=subject.namespace, container=str(container.get("name", ""))
    )
    for field, kind, source in sources_of_variables(container):
        yield from _reference(named, kind, source, field)


def sources_of_variables(container: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield field, kind and reference of each Secret and ConfigMap that variables of a container refer to."""
    for variable in map(mapping, sequence(container.get("env"))):
        given, field = mapping(variable.get("valueFrom")), f"variable {variable.get('name')}"
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if source := mapping(given.get(key)):
                yield field, kind, source
    for given in map(mapping, sequence(container.get("envFrom"))):
        for key, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if source := mapping(given.get(key)):
                yield "envFrom", kind, source


def _of_volume(subject: ObjectRef, volume: Mapping[str, Any]) -> Iterator[Reference]:
    field = f"volume {volume.get('name')}"
    secret = mapping(volume.get("secret"))
    yield from _reference(subject, "Secret", secret, field, name=secret.get("secretName"))
    yield from _reference(subject, "ConfigMap", mapping(volume.get("configMap")), field)
    for source in map(mapping, sequence(mapping(volume.get("projected")).get("sources"))):
        yield from _reference(subject, "Secret", mapping(source.get("secret")), field)
        yield from _reference(subject, "ConfigMap", mapping(source.get("configMap")), field)
