"""Provoke pods that find no node, volumes that cannot be mounted, and objects that the API refuses."""

from __future__ import annotations

import base64
import subprocess
import time
from typing import Any, Final

from provocation import LOOP, PORT, WAIT, Obj, Place, Provocation, deployment, obj, pod, script, service

__all__ = ["CLUSTER"]

_UNSCHEDULABLE: Final = '"reason": "Unschedulable"'
_REFUSED: Final = '"reason": "FailedCreate"'


def _requests(**resources: str) -> Obj:
    return {"resources": {"requests": resources}}


def _on(place: Place, node: int) -> Obj:
    return {"nodeSelector": {"kubernetes.io/hostname": place.nodes[node]}}


def _anti(name: str) -> Obj:
    term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _preempt(place: Place) -> None:
    """Let a pod with a high priority take the only slot of a node from another one."""
    patch = '{"status": {"capacity": {"example.invalid/slot": "1"}}}'
    place.kubectl("patch", "node", place.nodes[1], "--subresource=status", "--type=merge", "-p", patch)
    slot = {"resources": {"limits": {"example.invalid/slot": "1"}}}
    keep = script("trap '' TERM; while true; do sleep 1; done")
    place.apply(deployment("reports", pod={"terminationGracePeriodSeconds": 300}, **slot, **keep))
    place.wait_ready("reports")
    place.apply(deployment("checkout", pod={"priorityClassName": "urgent"}, **slot))


_SCHEDULING: Final = (
    Provocation("insufficient-memory", _UNSCHEDULABLE, (deployment(**_requests(memory="900Gi")),), nodes="all"),
    Provocation("insufficient-cpu", _UNSCHEDULABLE, (deployment(**_requests(cpu="64")),), nodes="all"),
    Provocation(
        "insufficient-gpu", _UNSCHEDULABLE,
        (deployment(resources={"limits": {"nvidia.com/gpu": "1"}}),), nodes="all",
    ),
    Provocation(
        "untolerated-taint", _UNSCHEDULABLE,
        act=lambda place: place.apply(deployment(pod=_on(place, 0))), nodes="all",
    ),
    Provocation(
        "node-selector", _UNSCHEDULABLE, (deployment(pod={"nodeSelector": {"disk": "ssd"}}),), nodes="all"
    ),
    Provocation("anti-affinity", _UNSCHEDULABLE, (deployment(replicas=2, pod=_anti("api")),), nodes="all", settle=3),
    Provocation(
        "host-port-taken", _UNSCHEDULABLE,
        (deployment(replicas=2, ports=[{"containerPort": PORT, "hostPort": 18080}]),), nodes="all", settle=3,
    ),
    Provocation(
        "scheduling-gate", "SchedulingGated",
        (deployment(pod={"schedulingGates": [{"name": "example.invalid/budget"}]}),),
    ),
    Provocation(
        "out-of-memory-on-node", "OutOf",
        act=lambda place: place.apply(pod(pod={"nodeName": place.nodes[1]}, **_requests(memory="900Gi"))),
    ),
    Provocation(
        "preempted", "PreemptionByScheduler",
        (obj("PriorityClass", "urgent", "scheduling.k8s.io/v1", value=1000),), act=_preempt,
    ),
)  # fmt: skip


def _claim(name: str = "data", **spec: Any) -> Obj:
    return obj(
        "PersistentVolumeClaim", name,
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec},
    )  # fmt: skip


def _volume(source: Obj, path: str = "/data", **container: Any) -> Obj:
    return deployment(
        pod={"volumes": [{"name": "data", **source}]},
        volumeMounts=[{"name": "data", "mountPath": path}], **container,
    )  # fmt: skip


_CLAIMED: Final = {"persistentVolumeClaim": {"claimName": "data"}}
_FILL: Final = "echo writing; head -c 20000000 /dev/zero > /data/file"

_VOLUMES: Final = (
    Provocation(
        "storage-class-missing", "ProvisioningFailed|unbound",
        (_claim(storageClassName="fast"), _volume(_CLAIMED)), settle=5,
    ),
    Provocation("no-storage-class", "FailedBinding", (_claim(storageClassName=""), _volume(_CLAIMED)), settle=3),
    Provocation(
        "provisioner-missing", "ExternalProvisioning",
        (obj("StorageClass", "nowhere", "storage.k8s.io/v1", provisioner="example.invalid/none"),
         _claim(storageClassName="nowhere"), _volume(_CLAIMED)), settle=3,
    ),
    Provocation("claim-missing", r'persistentvolumeclaim \\"data\\" not found', (_volume(_CLAIMED),)),
    Provocation("secret-to-mount-missing", "FailedMount", (_volume({"secret": {"secretName": "tls"}}),)),
    Provocation(
        "config-map-key-to-mount-missing", "FailedMount",
        (obj("ConfigMap", "settings", data={"a.yaml": "x"}),
         _volume({"configMap": {"name": "settings", "items": [{"key": "app.yaml", "path": "app.yaml"}]}})),
    ),
    Provocation(
        "host-path-missing", "FailedMount", (_volume({"hostPath": {"path": "/srv/none", "type": "Directory"}}),)
    ),
    Provocation(
        "disk-full", LOOP,
        (_volume({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}, **script(_FILL)),),
    ),
    Provocation(
        "volume-limit", "exceeds the limit",
        (_volume({"emptyDir": {"sizeLimit": "2Mi"}}, **script(f"{_FILL}; {WAIT}")),), settle=8,
    ),
    Provocation(
        "ephemeral-storage-limit", "exceeds the total limit|exceeds its local ephemeral|exceeded its local ephemeral",
        (deployment(resources={"limits": {"ephemeral-storage": "2Mi"}},
                    **script(f"mkdir /data; {_FILL}; {WAIT}")),),
    ),
    Provocation(
        "read-only-file-system", LOOP,
        (deployment(securityContext={"readOnlyRootFilesystem": True},
                    command=["python3", "-c", "open('/app.pid', 'w')"]),),
    ),
    Provocation(
        "permission-denied", LOOP,
        (deployment(securityContext={"runAsUser": 1000}, command=["python3", "-c", "open('/var/lib/app.db', 'w')"]),),
    ),
)  # fmt: skip


def _certificate(namespace: str) -> tuple[str, str]:
    """Return a new certificate of the Service `hook` and its key, both in PEM."""
    name = f"hook.{namespace}.svc"
    argv = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "-", "-out", "-",
        "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
    ]  # fmt: skip
    both = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    key, mark, certificate = both.partition("-----BEGIN CERTIFICATE-----")
    return mark + certificate, key


_ANSWER: Final = """
import http.server, json, ssl
class Refuse(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"message": "images must come from registry.invalid"}
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": status}
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("", 8443), Refuse)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
_SILENT: Final = "import socket, time; s = socket.create_server(('', 8443)); time.sleep(3600)"


def _webhook(place: Place, certificate: str) -> Obj:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "images.example.invalid", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail", "timeoutSeconds": 2,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
        "clientConfig": {
            "service": {"name": "hook", "namespace": place.namespace},
            "caBundle": base64.b64encode(certificate.encode()).decode(),
        },
    }  # fmt: skip
    return obj(
        "ValidatingWebhookConfiguration", place.namespace, "admissionregistration.k8s.io/v1", webhooks=[hook]
    )  # fmt: skip


def _hooked(code: str, *, exists: bool = True) -> Any:
    """Return an action that creates a webhook, its Service if it `exists`, and a Deployment that it must admit."""

    def act(place: Place) -> None:
        certificate, key = _certificate(place.namespace)
        if code:
            volume = {"name": "tls", "secret": {"secretName": "hook"}}
            place.apply(
                obj("Secret", "hook", stringData={"pem": key + certificate}),
                deployment(
                    "hook", pod={"volumes": [volume]}, command=["python3", "-c", code],
                    volumeMounts=[{"name": "tls", "mountPath": "/tls"}], readinessProbe={"tcpSocket": {"port": 8443}},
                ),
            )  # fmt: skip
            place.wait_ready("hook")
        front = [service("hook", port=443, target=8443)] if exists else []
        place.apply(*front, _webhook(place, certificate))
        time.sleep(2)
        place.apply(deployment())

    return act


_POLICY: Final = (
    obj(
        "ValidatingAdmissionPolicy", "replicas-at-most-one", "admissionregistration.k8s.io/v1",
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
            "validations": [{"expression": "has(object.metadata.labels.team)", "message": "pods need the label team"}],
        },
    ),
    obj(
        "ValidatingAdmissionPolicyBinding", "replicas-at-most-one", "admissionregistration.k8s.io/v1",
        spec={
            "policyName": "replicas-at-most-one", "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": "policy-refused"}}},
        },
    ),
)  # fmt: skip


def _quota(**hard: str) -> Obj:
    return obj("ResourceQuota", "team", spec={"hard": hard})


def _later(*objects: Obj, seconds: float = 3.0) -> Any:
    """Return an action that creates objects once what they depend on is known to the API server."""

    def act(place: Place) -> None:
        time.sleep(seconds)
        place.apply(*objects)

    return act


_ADMISSION: Final = (
    Provocation(
        "quota-exceeded", _REFUSED, (_quota(**{"requests.memory": "512Mi"}),),
        act=_later(deployment(**_requests(memory="1Gi"))),
    ),
    Provocation("quota-needs-limits", _REFUSED, (_quota(**{"limits.memory": "1Gi"}),), act=_later(deployment())),
    Provocation(
        "limit-range", _REFUSED,
        (obj("LimitRange", "sizes", spec={"limits": [{"type": "Container", "max": {"memory": "256Mi"}}]}),),
        act=_later(deployment(resources={"requests": {"memory": "512Mi"}, "limits": {"memory": "512Mi"}})),
    ),
    Provocation(
        "pod-security", _REFUSED, (deployment(securityContext={"privileged": True}),),
        labels={"pod-security.kubernetes.io/enforce": "baseline"},
    ),
    Provocation("policy-refused", _REFUSED, _POLICY, act=_later(deployment(), seconds=8)),
    Provocation("service-account-missing", _REFUSED, (deployment(pod={"serviceAccountName": "shop"}),)),
    Provocation("priority-class-missing", _REFUSED, (deployment(pod={"priorityClassName": "gold"}),)),
    Provocation("webhook-refused", _REFUSED, act=_hooked(_ANSWER), settle=2),
    Provocation("webhook-timeout", _REFUSED, act=_hooked(_SILENT), settle=2),
    Provocation("webhook-without-pods", _REFUSED, act=_hooked(""), settle=2),
    Provocation("webhook-unreachable", _REFUSED, act=_hooked("", exists=False), settle=2),
)  # fmt: skip

CLUSTER: Final = (*_SCHEDULING, *_VOLUMES, *_ADMISSION)
