"""What lets the tests in the runner pod make namespaces of their own, and nothing else in the cluster. Pure.

RBAC knows no patterns of names. So the ServiceAccount may make, see and delete namespaces and bind itself to one role,
and an admission policy keeps all of that to namespaces whose names begin with `test-`: what else it could do in a
namespace it gets by that binding only, and rules of admission do not hold for reading.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ (stable since Kubernetes 1.30).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seatrial.inpod.definition import ISOLATION_ROLE
from seatrial.inpod.fixtures.isolation import PREFIX
from seatrial.model.spec import RunnerSpec
from seatrial.ports import Object

__all__ = ["isolation_objects"]

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_INSIDE: Final = (
    ("", ("configmaps", "secrets", "services", "serviceaccounts", "pods", "pods/log", "pods/exec", "pods/portforward",
          "persistentvolumeclaims", "resourcequotas", "limitranges", "endpoints", "events")),
    ("apps", ("deployments", "statefulsets", "daemonsets", "replicasets")),
    ("batch", ("jobs", "cronjobs")),
    ("networking.k8s.io", ("networkpolicies", "ingresses")),
    ("policy", ("poddisruptionbudgets",)),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("discovery.k8s.io", ("endpointslices",)),
    (_RBAC, ("roles", "rolebindings")),
)  # fmt: skip


def isolation_objects(spec: RunnerSpec, labels: Mapping[str, str]) -> list[Object]:
    """Return the cluster-wide objects for a runner; the ServiceAccount is its own."""
    name = f"seatrial-{spec.namespace}-{spec.pod}"
    meta = {"labels": dict(labels)}
    account = {"kind": "ServiceAccount", "name": spec.pod, "namespace": spec.namespace}
    inside = [{"apiGroups": [group], "resources": list(resources), "verbs": ["*"]} for group, resources in _INSIDE]
    own: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [_RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
        {"apiGroups": [_RBAC], "resources": ["clusterroles"], "resourceNames": [ISOLATION_ROLE], "verbs": ["bind"]},
    ]
    user = f"system:serviceaccount:{spec.namespace}:{spec.pod}"
    where = "request.resource.resource == 'namespaces' ? request.name : request.namespace"
    return [
        _rbac("ClusterRole", ISOLATION_ROLE, meta, rules=inside),
        _rbac("ClusterRole", name, meta, rules=own),
        _rbac(
            "ClusterRoleBinding",
            name,
            meta,
            roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            subjects=[account],
        ),
        {
            "apiVersion": _ADMISSION,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {**meta, "name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConditions": [{"name": "the-runner", "expression": f"request.userInfo.username == '{user}'"}],
                "matchConstraints": {
                    "resourceRules": [
                        _operations("", "namespaces", "CREATE", "DELETE"),
                        _operations(_RBAC, "rolebindings", "CREATE"),
                    ]
                },
                "validations": [
                    {
                        "expression": f"({where}).startsWith('{PREFIX}')",
                        "message": f"tests make and delete only namespaces whose names begin with {PREFIX}",
                    }
                ],
            },
        },
        {
            "apiVersion": _ADMISSION,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {**meta, "name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]


def _rbac(kind: str, name: str, meta: Mapping[str, Any], **more: Any) -> Object:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {**meta, "name": name}, **more}


def _operations(group: str, resource: str, *operations: str) -> dict[str, Any]:
    return {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": list(operations)}
