"""Build the cluster roles that let tests create namespaces, and the admission policies that confine these. Pure.

RBAC has neither labels nor name patterns: `create namespaces` is a right in the whole cluster. Admission policies
confine the runner's ServiceAccount to the namespaces of its tests. They confine pods in these namespaces to the Pod
Security baseline. Admission does not see reads: the RoleBinding in each namespace decides what tests may read.

In an own kind cluster, the tests' namespaces are those whose names begin with `test-`, so that tests can create them
with any client. In a shared cluster, they are those with the labels of this environment.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ (stable since Kubernetes 1.30)
https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from seatrial.model.names import ISOLATED_PREFIX, LABEL_ENVIRONMENT, LABEL_ISOLATED_FOR, LABEL_PROJECT
from seatrial.model.spec import RunnerSpec
from seatrial.ports import Object
from seatrial.runner.fixture_settings import isolation_role

__all__ = ["REFUSAL", "isolation_policies", "isolation_rights", "refused_namespace"]

REFUSAL: Final = "seatrial confines tests"
"""Prefix of each message of these policies."""

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_READ: Final = ("get", "list", "watch")
_INSIDE: Final = (
    (
        "",
        (
            "configmaps",
            "secrets",
            "services",
            "serviceaccounts",
            "pods",
            "persistentvolumeclaims",
            "endpoints",
            "events",
        ),
        (*_READ, *_WRITE),
    ),
    # Not changed or deleted: these objects limit the tests.
    ("", ("resourcequotas", "limitranges"), (*_READ, "create")),
    ("", ("pods/log",), ("get",)),
    ("", ("pods/exec", "pods/portforward"), ("create", "get")),
    ("apps", ("deployments", "statefulsets", "daemonsets", "replicasets"), (*_READ, *_WRITE)),
    ("batch", ("jobs", "cronjobs"), (*_READ, *_WRITE)),
    ("networking.k8s.io", ("networkpolicies", "ingresses"), (*_READ, *_WRITE)),
    ("policy", ("poddisruptionbudgets",), (*_READ, *_WRITE)),
    ("autoscaling", ("horizontalpodautoscalers",), (*_READ, *_WRITE)),
    ("discovery.k8s.io", ("endpointslices",), (*_READ, *_WRITE)),
    # No `bind` and no `escalate`: these verbs allow a Role with more rights than its author has.
    (_RBAC, ("roles", "rolebindings"), (*_READ, *_WRITE)),
)
"""Rights of tests in their namespaces: API group, resources, verbs."""

_PODS: Final = ("pods", "pods/ephemeralcontainers")
_KEPT: Final = (
    LABEL_ISOLATED_FOR,
    LABEL_PROJECT,
    "pod-security.kubernetes.io/enforce",
    "pod-security.kubernetes.io/enforce-version",
)
"""Labels of the tests' namespaces that no user may change."""

_CONTAINERS: Final = (
    "object.spec.containers"
    " + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
    " + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])"
)
_CONTEXTS: Final = (
    "variables.containers.filter(c, has(c.securityContext)).map(c, c.securityContext)"
    " + (has(object.spec.securityContext) ? [object.spec.securityContext] : [])"
)
_CAPABILITIES: Final = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
_SYSCTLS: Final = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
)  # fmt: skip
_SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_NO_HOST: Final = (
    "['httpGet', 'tcpSocket'].all(h, !(h in {0}) || !has({0}[h].host) || {0}[h].host == '')"  # of a probe or a handler
)


def _cel_list(names: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


_BASELINE: Final = {
    "no host namespaces": (
        "['hostNetwork', 'hostPID', 'hostIPC'].all(n, !(n in object.spec) || object.spec[n] == false)"
    ),
    "no hostPath volumes": "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    "no privileged containers": "variables.contexts.all(c, !has(c.privileged) || c.privileged == false)",
    "no capabilities beyond the default set": (
        "variables.contexts.all(c, !has(c.capabilities) || !has(c.capabilities.add)"
        f" || c.capabilities.add.all(n, n in {_cel_list(_CAPABILITIES)}))"
    ),
    "no host ports": (
        "variables.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))"
    ),
    "no host in probes and lifecycle hooks": (
        "variables.containers.all(c, ['livenessProbe', 'readinessProbe', 'startupProbe']"
        f".all(p, !(p in c) || {_NO_HOST.format('c[p]')})"
        " && (!has(c.lifecycle) || ['postStart', 'preStop']"
        f".all(p, !(p in c.lifecycle) || {_NO_HOST.format('c.lifecycle[p]')})))"
    ),
    "the default /proc mount": "variables.contexts.all(c, !has(c.procMount) || c.procMount == 'Default')",
    "a seccomp profile that confines": (
        "variables.contexts.all(c, !has(c.seccompProfile) || c.seccompProfile.type in ['RuntimeDefault', 'Localhost'])"
    ),
    "an AppArmor profile that confines": (
        "variables.contexts.all(c,"
        " !has(c.appArmorProfile) || c.appArmorProfile.type in ['RuntimeDefault', 'Localhost'])"
        " && (!has(object.metadata.annotations) || object.metadata.annotations.all(k,"
        f" !k.startsWith('{_APPARMOR}') || object.metadata.annotations[k] == 'runtime/default'"
        " || object.metadata.annotations[k].startsWith('localhost/')))"
    ),
    "SELinux types of containers, and no user or role": (
        "variables.contexts.all(c, !has(c.seLinuxOptions)"
        f" || ((!has(c.seLinuxOptions.type) || c.seLinuxOptions.type in {_cel_list(_SELINUX_TYPES)})"
        " && (!has(c.seLinuxOptions.user) || c.seLinuxOptions.user == '')"
        " && (!has(c.seLinuxOptions.role) || c.seLinuxOptions.role == '')))"
    ),
    "safe sysctls": (
        f"variables.contexts.all(c, !has(c.sysctls) || c.sysctls.all(s, s.name in {_cel_list(_SYSCTLS)}))"
    ),
    "no Windows host processes": (
        "variables.contexts.all(c, !has(c.windowsOptions) || !has(c.windowsOptions.hostProcess)"
        " || c.windowsOptions.hostProcess == false)"
    ),
}
"""The Pod Security baseline: each rule and the CEL expression that a conforming pod fulfills."""


def isolation_policies(spec: RunnerSpec, labels: Mapping[str, str], *, shared: bool) -> list[Object]:
    """Return the policies and their bindings. They must be enforced before the runner gets `isolation_rights`.

    The guard, which refuses `refused_namespace`, is the last of both: a server that enforces it enforces the others.

    Args:
        spec: the runner.
        labels: owner labels of the objects.
        shared: whether it is a shared cluster. There labels identify the tests' namespaces, elsewhere their names.
    """
    name, ours = _name(spec), _assignment(spec, labels)
    user = f"system:serviceaccount:{spec.namespace}:{spec.pod}"
    selector = {"namespaceSelector": {"matchLabels": ours}} if shared else {}
    by_name = [] if shared else [_condition("tests-namespace", f"request.namespace.startsWith('{ISOLATED_PREFIX}')")]
    policies = [
        (
            "labels",
            {
                "matchConditions": [
                    _condition("tests-namespace", f"[object, oldObject].exists(n, {_carries('n', ours)})")
                ],
                "matchConstraints": {"resourceRules": [_rule("", ("namespaces", "namespaces/*"), "UPDATE")]},
                "validations": [
                    _validation(
                        f"{_cel_list(_KEPT)}.all(k, {_value('object')} == {_value('oldObject')})",
                        "and keeps the labels of their namespaces as they are",
                    )
                ],
            },
        ),
        (
            "pods",
            {
                "matchConditions": by_name,
                "matchConstraints": {"resourceRules": [_rule("", _PODS, "CREATE", "UPDATE")], **selector},
                "variables": [
                    {"name": "containers", "expression": _CONTAINERS},
                    {"name": "contexts", "expression": _CONTEXTS},
                ],
                "validations": [
                    _validation(expression, f"to the Pod Security baseline: {demand}")
                    for demand, expression in _BASELINE.items()
                ],
            },
        ),
        (
            "services",
            {
                "matchConditions": by_name,
                "matchConstraints": {"resourceRules": [_rule("", ("services",), "CREATE", "UPDATE")], **selector},
                "validations": [
                    _validation(
                        "!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0",
                        "to Services without externalIPs, which take over the traffic of others",
                    )
                ],
            },
        ),
        (
            "guard",
            {
                "matchConditions": [_condition("runner", f"request.userInfo.username == '{user}'")],
                "matchConstraints": {
                    "resourceRules": [
                        _rule("", ("namespaces", "namespaces/*"), "CREATE", "UPDATE", "DELETE"),
                        _rule(_RBAC, ("rolebindings",), "CREATE", "UPDATE", "DELETE"),
                    ]
                },
                "variables": [{"name": "touched", "expression": _CONCERNED}, {"name": "name", "expression": _NAME_OF}],
                "validations": [
                    _validation(
                        f"variables.name.startsWith('{ISOLATED_PREFIX}')",
                        f"to namespaces whose names begin with {ISOLATED_PREFIX}",
                    ),
                    _validation(
                        f"variables.touched.all(n, {_carries('n', ours) if shared else _no_others('n', ours)})",
                        "to namespaces with the labels of their environment"
                        if shared
                        else "to namespaces without the labels of another environment",
                    ),
                    _validation(
                        f"variables.touched.all(n, !has(n.metadata.labels) || !('{LABEL_ENVIRONMENT}' in"
                        " n.metadata.labels))",
                        "to namespaces that are no environment themselves",
                    ),
                ],
            },
        ),
    ]
    meta = {"labels": {**labels, **ours}}
    return [
        *(_policy(f"{name}.{suffix}", meta, policy) for suffix, policy in policies),
        *(_binding(f"{name}.{suffix}", meta) for suffix, _ in policies),
    ]


def isolation_rights(spec: RunnerSpec, labels: Mapping[str, str]) -> list[Object]:
    """Return the ClusterRoles and the binding that let the runner's own ServiceAccount create namespaces."""
    name, role = _name(spec), isolation_role(spec)
    meta = {"labels": {**labels, **_assignment(spec, labels)}}
    account = {"kind": "ServiceAccount", "name": spec.pod, "namespace": spec.namespace}
    inside = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in _INSIDE
    ]
    own: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [_RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
        {"apiGroups": [_RBAC], "resources": ["clusterroles"], "resourceNames": [role], "verbs": ["bind"]},
    ]
    return [
        _rbac("ClusterRole", role, meta, rules=inside),
        _rbac("ClusterRole", name, meta, rules=own),
        _rbac(
            "ClusterRoleBinding",
            name,
            meta,
            roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            subjects=[account],
        ),
    ]


def refused_namespace(spec: RunnerSpec) -> tuple[Object, str, tuple[str, ...]]:
    """Return a namespace that the policies refuse, and the user and groups to impersonate for the request.

    The groups have all rights, so only the policies refuse the request: the ServiceAccount has no rights yet.
    """
    refused = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"seatrial-probe-{spec.namespace}"[:63]}}
    user = f"system:serviceaccount:{spec.namespace}:{spec.pod}"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{spec.namespace}", "system:authenticated")
    return refused, user, (*groups, "system:masters")


_CONCERNED: Final = (
    "request.resource.resource != 'namespaces' ? [dyn(namespaceObject)]"
    " : request.operation == 'CREATE' ? [object]"
    " : request.operation == 'DELETE' ? [oldObject]"
    " : [object, oldObject]"
)
"""The namespaces that a request concerns, before and after it."""

_NAME_OF: Final = (
    "request.resource.resource != 'namespaces' ? request.namespace"
    " : request.name != '' ? request.name"
    " : object.metadata.generateName"
)


def _name(spec: RunnerSpec) -> str:
    return f"seatrial.{spec.namespace}.{spec.pod}"


def _assignment(spec: RunnerSpec, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that assign the tests' namespaces to their environment."""
    return {LABEL_PROJECT: labels[LABEL_PROJECT], LABEL_ISOLATED_FOR: spec.namespace}


def _carries(namespace: str, marks: Mapping[str, str]) -> str:
    """Return the CEL condition that a namespace has all of these labels."""
    labels = f"{namespace}.metadata.labels"
    return " && ".join(
        [f"has({labels})", *(f"'{k}' in {labels} && {labels}['{k}'] == '{v}'" for k, v in marks.items())]
    )


def _no_others(namespace: str, marks: Mapping[str, str]) -> str:
    """Return the CEL condition that a namespace is not assigned to another environment."""
    labels = f"{namespace}.metadata.labels"
    return f"!has({labels}) || !('{LABEL_ISOLATED_FOR}' in {labels}) || ({_carries(namespace, marks)})"


def _value(obj: str) -> str:
    labels = f"{obj}.metadata.labels"
    return f"(has({labels}) && k in {labels} ? {labels}[k] : '')"


def _policy(name: str, meta: Mapping[str, Any], spec: Mapping[str, Any]) -> Object:
    kind = {"apiVersion": _ADMISSION, "kind": "ValidatingAdmissionPolicy"}
    return {**kind, "metadata": {**meta, "name": name}, "spec": {"failurePolicy": "Fail", **spec}}


def _binding(name: str, meta: Mapping[str, Any]) -> Object:
    kind = {"apiVersion": _ADMISSION, "kind": "ValidatingAdmissionPolicyBinding"}
    return {**kind, "metadata": {**meta, "name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}


def _rule(group: str, resources: Iterable[str], *operations: str) -> dict[str, Any]:
    return {"apiGroups": [group], "apiVersions": ["*"], "resources": list(resources), "operations": list(operations)}


def _condition(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}


def _validation(expression: str, message: str) -> dict[str, str]:
    return {"expression": expression, "message": f"{REFUSAL} {message}"}


def _rbac(kind: str, name: str, meta: Mapping[str, Any], **more: Any) -> Object:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {**meta, "name": name}, **more}
