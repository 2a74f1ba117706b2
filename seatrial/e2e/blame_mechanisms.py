"""Break one service of a stack by requests to the Kubernetes API, say what it shows of that, and repair it.

This is the oracle of `check_blame.py`: it shares no code with seatrial. Requests go through `kubectl proxy`, because
starting kubectl for each takes longer than what it does.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["MECHANISMS", "Mechanism", "Target"]

_PATIENCE: Final = 120.0
_APPS: Final = "/apis/apps/v1"
_MERGE: Final = "application/merge-patch+json"
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Target:
    """One service of a stack.

    Attributes:
        api: URL of `kubectl proxy`.
        baseline: the Deployment and the Service as they were installed.
    """

    namespace: str
    name: str
    api: str
    baseline: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Return the answer of the API; None if the object does not exist."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.api + path, data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND:
                return None
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:200]!r}") from None
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def path(self, kind: str, name: str = "") -> str:
        group = {"deployments": _APPS, "networkpolicies": "/apis/networking.k8s.io/v1",
                 "endpointslices": "/apis/discovery.k8s.io/v1"}.get(kind, "/api/v1")  # fmt: skip
        return f"{group}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def patch(self, kind: str, patch: dict[str, Any]) -> None:
        self.call("PATCH", self.path(kind, self.name), patch, kind=_MERGE)

    def template(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the pod template: a bad rollout."""
        deployment = json.loads(json.dumps(self.baseline[0]))
        change(deployment["spec"]["template"]["spec"])
        self.call("PUT", self.path("deployments", self.name), deployment)

    def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"{self.path('pods')}?labelSelector=app%3D{self.name}")["items"]
        return found

    def pod(self) -> str:
        alive = [each for each in self.pods() if not each["metadata"].get("deletionTimestamp")]
        return str(alive[-1]["metadata"]["name"])

    def ask(self, path: str) -> None:
        """Let the server in the pod do something to itself, if it answers."""
        try:
            self.call("GET", f"{self.path('pods', self.pod())}:8080/proxy{path}")
        except (RuntimeError, OSError, IndexError):
            return

    def delete_pod(self, grace: int = 1) -> None:
        for pod in self.pods():
            self.call("DELETE", self.path("pods", pod["metadata"]["name"]), {"gracePeriodSeconds": grace})

    def delete_rules(self) -> None:
        """Delete policies and quotas, also those of a check that was interrupted."""
        for kind in ("networkpolicies", "resourcequotas"):
            self.call("DELETE", self.path(kind))

    def remember(self) -> None:
        """Store the objects as they are now."""
        for kind in ("deployments", "services"):
            obj = self.call("GET", self.path(kind, self.name))
            obj.pop("status", None)
            for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
                obj["metadata"].pop(key, None)
            self.baseline.append(obj)

    def restore(self) -> None:
        """Bring back the objects as they were, and a pod without restarts."""
        self.delete_rules()
        old = [pod["metadata"]["uid"] for pod in self.pods()]
        if self.call("PUT", self.path("services", self.name), self.baseline[1]) is None:
            self.call("POST", self.path("services"), self.baseline[1])
        self.call("PUT", self.path("deployments", self.name), self.baseline[0])
        self.delete_pod(grace=0)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            pods = self.pods()
            if len(pods) == 1 and pods[0]["metadata"]["uid"] not in old and _is_fresh(pods[0]):
                return
            time.sleep(0.3)
        raise RuntimeError(f"{self.namespace}/{self.name} did not recover")


def _is_fresh(pod: dict[str, Any]) -> bool:
    statuses = pod["status"].get("containerStatuses") or ()
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions") or ()}
    return (
        not pod["metadata"].get("deletionTimestamp")
        and conditions.get("Ready") == "True"
        and all(not each["restartCount"] for each in statuses)
    )


@dataclass(frozen=True)
class Mechanism:
    """A way to break a service.

    Attributes:
        fault: whose fault a failure is that it causes.
        causes: names of causes that say what was done, or what it led to in the same object.
        plant: breaks the target.
        observed: returns what Kubernetes shows of it; empty if nothing.
        heal: undoes what `Target.restore` does not.
    """

    fault: str
    causes: tuple[str, ...]
    plant: Callable[[Target], object]
    observed: Callable[[Target], str]
    heal: Callable[[Target], object] = lambda _: None


def _states(target: Target) -> str:
    """Return how containers of the target ended, why they wait, and which pods are left."""
    return ", ".join(dict.fromkeys(state for pod in target.pods() for state in _pod_states(pod)))


def _pod_states(pod: dict[str, Any]) -> Iterator[str]:
    status = pod["status"]
    if status.get("reason"):
        yield status["reason"]
    if pod["metadata"].get("deletionTimestamp"):
        yield "terminating"
    for entry in status.get("conditions") or ():
        if entry["status"] == "False" and entry.get("reason") in ("Unschedulable", "ContainersNotReady"):
            yield entry["reason"]
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        for state in (each.get("state") or {}, each.get("lastState") or {}):
            for kind in state.keys() & {"waiting", "terminated"}:
                yield f"{kind} {state[kind].get('reason', '')} {state[kind].get('exitCode', '')}".strip()


def _running(target: Target) -> str:
    return _states(target) or "running"


def _endpoints(target: Target) -> str:
    slices = target.call(
        "GET", f"{target.path('endpointslices')}?labelSelector=kubernetes.io%2Fservice-name%3D{target.name}"
    )
    parts = [(one.get("endpoints") or (), one.get("ports") or ()) for one in slices["items"]]
    ready = sum(bool(each["conditions"].get("ready")) for endpoints, _ in parts for each in endpoints)
    return f"{ready} ready endpoints, ports {[port['port'] for _, ports in parts for port in ports]}"


def _events(reason: str) -> Callable[[Target], str]:
    def observed(target: Target) -> str:
        found = target.call("GET", f"{target.path('events')}?fieldSelector=reason%3D{reason}")["items"]
        return f"{reason}: {found[-1]['message'][:120]}" if found else ""

    return observed


def _both(*observers: Callable[[Target], str]) -> Callable[[Target], str]:
    return lambda target: ", ".join(filter(None, (each(target) for each in observers)))


def _exists(kind: str) -> Callable[[Target], str]:
    return lambda target: ", ".join(each["metadata"]["name"] for each in target.call("GET", target.path(kind))["items"])


def _container(**changes: object) -> Callable[[Target], None]:
    return lambda target: target.template(lambda spec: spec["containers"][0].update(changes))


def _evict(target: Target) -> None:
    try:
        name = target.pod()
    except IndexError:  # not created yet
        return
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": target.namespace}}
    target.call("POST", f"{target.path('pods', name)}/eviction", body)


def _again(act: Callable[[Target], None]) -> Callable[[Target], None]:
    """Return an act that also meets the next two pods: one pod may be replaced so quickly that no request fails."""

    def acts(target: Target) -> None:
        for _ in range(3):
            act(target)
            time.sleep(0.8)

    return acts


def _policy(target: Target) -> None:
    spec = {"podSelector": {"matchLabels": {"app": target.name}}, "policyTypes": ["Ingress"]}
    target.call("POST", target.path("networkpolicies"), {"metadata": {"name": "deny"}, "spec": spec})


def _quota(target: Target) -> None:
    target.call("POST", target.path("resourcequotas"), {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}})
    target.delete_pod()


def _init(target: Target) -> None:
    def change(spec: dict[str, Any]) -> None:
        command = ["python3", "-c", "import time; time.sleep(600)"]
        spec["initContainers"] = [{"name": "wait", "image": spec["containers"][0]["image"], "command": command}]

    target.template(change)


def _throttle(target: Target) -> None:
    target.ask("/break?what=busy")
    resources = {"requests": {"cpu": "1m"}, "limits": {"cpu": "1m"}}
    patch = {"spec": {"containers": [{"name": target.name, "resources": resources}]}}
    path = f"{target.path('pods', target.pod())}/resize"
    target.call("PATCH", path, patch, kind="application/strategic-merge-patch+json")


def _break(what: str) -> Callable[[Target], None]:
    return lambda target: target.ask(f"/break?what={what}")


def _scale(target: Target, replicas: int, path: str = "") -> None:
    path = path or target.path("deployments", target.name)
    target.call("PATCH", path, {"spec": {"replicas": replicas}}, kind=_MERGE)


_COREDNS: Final = f"{_APPS}/namespaces/kube-system/deployments/coredns"


def _node(target: Target) -> str:
    return str(target.call("GET", "/api/v1/nodes?labelSelector=stack%3Dd")["items"][0]["metadata"]["name"])


def _node_ready(target: Target) -> str:
    node = target.call("GET", f"/api/v1/nodes/{_node(target)}")
    return next(f"Ready {each['status']}" for each in node["status"]["conditions"] if each["type"] == "Ready")


def _docker(verb: str) -> Callable[[Target], None]:
    def act(target: Target) -> None:
        subprocess.run(["docker", verb, _node(target)], check=True, capture_output=True, timeout=60)

    return act


def _unpause(target: Target) -> None:
    # Kubernetes calls a node unknown 40 s or more after its last sign of life.
    time.sleep(55)
    _docker("unpause")(target)
    until = time.monotonic() + _PATIENCE
    while _node_ready(target) != "Ready True" and time.monotonic() < until:
        time.sleep(1)


def _set_node(**spec: object) -> Callable[[Target], None]:
    def act(target: Target) -> None:
        target.call("PATCH", f"/api/v1/nodes/{_node(target)}", {"spec": spec}, kind=_MERGE)

    return act


_OWN: Final = {"key": "stack", "value": "d", "effect": "NoSchedule"}
_MAINTENANCE: Final = {"key": "maintenance", "value": "now", "effect": "NoExecute"}


def _drain(target: Target) -> None:
    _set_node(unschedulable=True)(target)
    _evict(target)


_HOOKS: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def _webhook(target: Target) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "pods.blame.invalid", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail", "timeoutSeconds": 1,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": target.namespace}},
        "clientConfig": {"service": {"name": "nowhere", "namespace": target.namespace}},
    }  # fmt: skip
    target.call("POST", _HOOKS, {"metadata": {"name": "blame"}, "webhooks": [hook]})
    time.sleep(1)
    target.delete_pod()


_NEW = ("Rollout",)
"""A template that cannot run also replaced the pod that ran."""

MECHANISMS: Final[dict[str, Mechanism]] = {
    "oom": Mechanism("service", ("OOMKilled", "ChildOOMKilled"), _break("leak"), _states),
    "exit3": Mechanism("service", ("Crash",), _break("exit3"), _states),
    "exit0": Mechanism("service", ("Exited",), _break("exit0"), _states),
    "abort": Mechanism("service", ("Crash",), _break("abort"), _states),
    "delete": Mechanism("service", ("PodDeleted",), _again(lambda target: target.delete_pod()), _states),
    "force-delete": Mechanism(
        "service", ("PodDeleted",), lambda target: target.delete_pod(grace=0), _states
    ),
    "evict": Mechanism("platform", ("Evicted",), _again(_evict), _states),
    "live": Mechanism("service", ("LivenessProbe",), _break("live"), _both(_states, _events("Unhealthy"))),
    "ready": Mechanism("service", ("ReadinessProbe",), _break("ready"), _both(_states, _endpoints)),
    "policy": Mechanism(
        "service", ("NetworkPolicy",), _policy, _exists("networkpolicies")
    ),
    "scale0": Mechanism(
        "service", ("ScaledDown",), lambda t: _scale(t, 0), _endpoints
    ),
    "never-pull": Mechanism(
        "service", (*_NEW, "ErrImageNeverPull"), _container(image="none:1", imagePullPolicy="Never"), _states
    ),
    "registry": Mechanism(
        "service", (*_NEW, "ImagePull", "RegistryUnreachable"), _container(image="registry.invalid/none:1"), _states
    ),
    "invalid-image": Mechanism("service", (*_NEW, "InvalidImageName"), _container(image="No/Image:1"), _states),
    "no-command": Mechanism(
        "service", (*_NEW, "StartError", "CommandNotFound"), _container(command=["/none"]), _states
    ),
    "crash-loop": Mechanism("service", (*_NEW, "Crash"), _container(command=["python3", "-c", "exit(7)"]), _states),
    "config-key": Mechanism(
        "service", (*_NEW, "CreateContainerConfigError"),
        _container(env=[{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "none"}}}]), _states,
    ),
    "mount": Mechanism(
        "service", (*_NEW, "FailedMount"),
        lambda t: t.template(lambda spec: spec["volumes"][0].update(configMap={"name": "none"})),
        _both(_states, _events("FailedMount")),
    ),
    "too-big": Mechanism(
        "service", (*_NEW, "InsufficientResources"), _container(resources={"requests": {"cpu": "1000"}}), _states
    ),
    "node-selector": Mechanism(
        "service", (*_NEW, "NodeSelector"),
        lambda t: t.template(lambda spec: spec.update(nodeSelector={"disk": "tape"})), _states,
    ),
    "init": Mechanism("service", (*_NEW, "InitContainerStuck"), _init, _states),
    "quota": Mechanism("service", ("QuotaExceeded", "PodDeleted"), _quota, _events("FailedCreate")),
    "selector": Mechanism(
        "service", ("SelectorMismatch", "NoEndpoints"),
        lambda t: t.patch("services", {"spec": {"selector": {"app": "none"}}}), _endpoints,
    ),
    "target-port": Mechanism(
        "service", ("WrongTargetPort",),
        lambda t: t.patch("services", {"spec": {"ports": [{"port": 8080, "targetPort": 8081}]}}), _endpoints,
    ),
    "delete-service": Mechanism(
        "service", ("ServiceDeleted", "NoEndpoints"), lambda t: t.call("DELETE", t.path("services", t.name)),
        lambda t: "no service" if t.call("GET", t.path("services", t.name)) is None else "",
    ),
    "error500": Mechanism("service", ("ServerError",), _break("500"), _running),
    "full": Mechanism("service", ("DiskFull", "ServerError"), _break("fill"), _running),
    "wrong-password": Mechanism("service", ("WrongCredentials", "ServerError"), _break("auth"), _running),
    "storage-limit": Mechanism("service", ("StorageLimit",), _break("spool"), _states),
    "throttled": Mechanism("service", ("CPUThrottled",), _throttle, _running),
    "dns": Mechanism(
        "platform", ("DnsUnavailable",), lambda t: _scale(t, 0, _COREDNS),
        lambda t: f"{t.call('GET', _COREDNS)['spec']['replicas']} replicas of coredns",
        heal=lambda t: _scale(t, 2, _COREDNS),
    ),
    "paused-node": Mechanism("platform", ("NodeNotReady",), _docker("pause"), _node_ready, heal=_unpause),
    "tainted-node": Mechanism(
        "platform", ("Evicted", "UntoleratedTaint"), _set_node(taints=[_OWN, _MAINTENANCE]), _states,
        heal=_set_node(taints=[_OWN]),
    ),
    "drained-node": Mechanism(
        "platform", ("Evicted", "UntoleratedTaint"), _drain, _states, heal=_set_node(unschedulable=False)
    ),
    # The API server cannot create pods: a part of the platform does not work, whoever deleted the last pod.
    "webhook": Mechanism(
        "platform", ("WebhookTimeout", "WebhookRefused"), _webhook, _events("FailedCreate"),
        heal=lambda t: t.call("DELETE", f"{_HOOKS}/blame"),
    ),
}  # fmt: skip
"""How to break a service, by name."""
