"""Derive the facts about the containers of services from Kubernetes objects. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seatrial.diagnose.rules.objects import selects_pods
from seatrial.model.environment_facts import ContainerFacts, Limits, Mount, PolicyFacts, Trait, Variable
from seatrial.model.names import LABEL_DEBUG_POD
from seatrial.model.quantity import quantity
from seatrial.pod.agent.runner_facts import fingerprint, traits
from seatrial.ports import Object
from seatrial.readiness.snapshot import controller_of
from seatrial.watching.record_values import time_of

__all__ = ["Sources", "container_facts", "policy_facts", "variable"]

Values = Callable[[str, str, str], Mapping[str, str] | None]
"""Returns the values of a Secret or ConfigMap by kind, namespace and name; None if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the facts need beside the objects.

    Attributes:
        key: key of the fingerprints.
        values: reads Secrets and ConfigMaps that variables refer to.
        logs: pod and container to the bytes of its log.
        images: digest of a manifest to the id of the image on the engine.
    """

    key: bytes
    values: Values
    logs: Mapping[tuple[str, str], int]
    images: Mapping[str, str]


_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def variable(key: bytes, name: str, value: str) -> Variable:
    """Return the fact about a variable whose value is known."""
    return Variable(
        fingerprint=fingerprint(key, name, value), traits=tuple(Trait(each) for each in traits(name, value))
    )


def policy_facts(policies: Sequence[Object]) -> tuple[PolicyFacts, ...]:
    """Return the facts about NetworkPolicies."""
    return tuple(
        PolicyFacts(name=each["metadata"]["name"], digest=_digest(each.get("spec") or {}))
        for each in sorted(policies, key=lambda each: str(each["metadata"]["name"]))
    )


def container_facts(
    pods: Sequence[Object],
    services: Sequence[Object],
    *,
    runner: str,
    sources: Sources,
) -> tuple[ContainerFacts, ...]:
    """Return the facts about the containers of all pods except those of the tests and of `seatrial debug`.

    Args:
        pods: the pods.
        services: the Services of the same namespaces.
        runner: name of the runner pod.
        sources: key, values and logs.
    """
    groups: dict[tuple[str, str], list[Object]] = {}
    for pod in pods:
        meta = pod["metadata"]
        if meta["name"] != runner and LABEL_DEBUG_POD not in (meta.get("labels") or {}):
            workload = controller_of(pod)[1] or meta["name"]
            groups.setdefault((meta.get("namespace", ""), workload), []).append(pod)
    found: list[ContainerFacts] = []
    for (namespace, workload), group in sorted(groups.items()):
        newest = _newest(group)
        near = [each for each in services if each["metadata"].get("namespace", "") == namespace]
        selecting = [each for each in near if selects_pods(each, newest["metadata"].get("labels"))]
        containers = newest["spec"].get("containers") or []
        for container in containers:
            name = workload if len(containers) == 1 else f"{workload}/{container['name']}"
            found.append(_container(container, group, sources, name=name, services=selecting))
    return tuple(found)


def _container(
    container: Object, group: Sequence[Object], sources: Sources, *, name: str, services: Sequence[Object]
) -> ContainerFacts:
    """Return the facts about one container of a group of pods, by its newest pod."""
    pod = _newest(group)
    spec = pod["spec"]
    security = {**(spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
    statuses = [status for each in group for status in _statuses(each, container["name"])]
    status = next(iter(_statuses(pod, container["name"])), {})
    limits = (container.get("resources") or {}).get("limits") or {}
    once = controller_of(pod)[0] == "Job"
    namespace = pod["metadata"].get("namespace", "")
    return ContainerFacts(
        name=name,
        names=tuple(sorted(each["metadata"]["name"] for each in services)),
        image=str(container.get("image", "")),
        digest=_digest_of_image(status),
        image_id=sources.images.get(_digest_of_image(status), ""),
        command=(*(container.get("command") or ()), *(container.get("args") or ())),
        user=str(security.get("runAsUser", "")),
        variables=_variables(container, namespace, sources),
        limits=Limits(memory=int(quantity(limits.get("memory")) or 0), cpu=float(quantity(limits.get("cpu")) or 0)),
        mounts=_mounts(spec, container),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        restarts=sum(int(each.get("restartCount") or 0) for each in statuses),
        last_exit=_last_exit(status),
        ready=all(each.get("ready") for each in statuses) if statuses else False,
        completed=_terminated(status).get("reason") == "Completed",
        once=once,
        started=time_of(_started(status)),
        seconds_to_ready=None if once else _seconds_to_ready(pod, status),
        probes=tuple(each for each in ("startup", "readiness", "liveness") if f"{each}Probe" in container),
        waits_for=tuple(f"init container {each['name']}" for each in spec.get("initContainers") or ()),
        service_links=spec.get("enableServiceLinks") is not False,
        ports=_ports(container, services),
        log=sources.logs.get((pod["metadata"]["name"], container["name"]), -1),
    )


def _newest(group: Sequence[Object]) -> Object:
    """Return the newest pod: it has the current template of its workload."""
    return max(group, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))


def _ports(container: Object, services: Sequence[Object]) -> tuple[int, ...]:
    """Return the ports of the Services, else those that the container declares."""
    of_services = {int(port["port"]) for each in services for port in each["spec"].get("ports") or ()}
    declared = {int(each["containerPort"]) for each in container.get("ports") or ()}
    return tuple(sorted(of_services or declared))


def _statuses(pod: Object, container: str) -> list[Object]:
    found = (pod.get("status") or {}).get("containerStatuses") or []
    return [each for each in found if each.get("name") == container]


def _digest_of_image(status: Object) -> str:
    digest = str(status.get("imageID", "")).rpartition("@")[2]
    return digest if digest.startswith("sha256:") else ""


def _terminated(status: Object) -> Object:
    found: Object = (status.get("state") or {}).get("terminated") or {}
    return found


def _last_exit(status: Object) -> str:
    ended = _terminated(status) or (status.get("lastState") or {}).get("terminated") or {}
    return f"{ended.get('reason', 'Exited')} {ended.get('exitCode', '')}".strip() if ended else ""


def _started(status: Object) -> str:
    state = status.get("state") or {}
    return str((state.get("running") or state.get("terminated") or {}).get("startedAt") or "")


def _seconds_to_ready(pod: Object, status: Object) -> float | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready: Object = next((each for each in conditions if each.get("type") == "Ready"), {})
    start, end = time_of(_started(status)), time_of(ready.get("lastTransitionTime"))
    if ready.get("status") != "True" or start is None or end is None:
        return None
    return max(0.0, (end - start).total_seconds())


def _variables(container: Object, namespace: str, sources: Sources) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for source in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if reference := source.get(field):
                for name, value in (sources.values(kind, namespace, reference["name"]) or {}).items():
                    full = f"{source.get('prefix', '')}{name}"
                    found[full] = variable(sources.key, full, value)
    for each in container.get("env") or ():
        known = _value(each, namespace, sources.values)
        found[each["name"]] = Variable() if known is None else variable(sources.key, each["name"], known)
    return found


def _value(entry: Object, namespace: str, values: Values) -> str | None:
    """Return the value of an entry of `env`; None if the kubelet alone knows it."""
    source = entry.get("valueFrom")
    if not source:
        value = str(entry.get("value") or "")
        return None if "$(" in value else value
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := source.get(field):
            return (values(kind, namespace, reference["name"]) or {}).get(reference["key"])
    return None


def _mounts(spec: Object, container: Object) -> tuple[Mount, ...]:
    kinds = {
        volume["name"]: next((kind for kind in volume if kind != "name"), "") for volume in spec.get("volumes") or ()
    }
    return tuple(
        Mount(
            path=each["mountPath"],
            kind=_kind(spec, each["name"], kinds.get(each["name"], "")),
            read_only=bool(each.get("readOnly")),
        )
        for each in sorted(container.get("volumeMounts") or (), key=lambda each: str(each["mountPath"]))
        if each["mountPath"] != _SERVICE_ACCOUNT
    )


def _kind(spec: Object, name: str, kind: str) -> str:
    if kind != "emptyDir":
        return kind
    volume = next(each for each in spec["volumes"] if each["name"] == name)
    return "tmpfs" if (volume["emptyDir"] or {}).get("medium") == "Memory" else kind


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
