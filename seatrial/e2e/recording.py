"""Write recorded objects: without the fields that no rule reads, one object a line."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["KINDS", "recording_text", "trimmed"]

Obj = dict[str, Any]

KINDS: Final = (
    "pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "events", "persistentvolumeclaims",
    "resourcequotas", "limitranges", "services", "endpointslices", "networkpolicies", "configmaps", "secrets",
)  # fmt: skip
_DROPPED: Final = frozenset(
    (
        "managedFields", "kubectl.kubernetes.io/last-applied-configuration", "selfLink", "images", "nodeInfo",
        "terminationMessagePath", "terminationMessagePolicy", "dnsPolicy", "schedulerName", "sessionAffinity",
        "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "progressDeadlineSeconds", "revisionHistoryLimit",
        "strategy", "enableServiceLinks", "automountServiceAccountToken", "blockOwnerDeletion", "resourceVersion",
        "qosClass", "tolerations", "preemptionPolicy", "daemonEndpoints", "volumeMountsStatus", "reportingComponent",
        "reportingInstance", "volumesInUse", "volumesAttached", "runtimeHandlers", "features", "imageID",
    )
)  # fmt: skip
"""Fields that no rule reads."""

_BLANK: Final = "removed"


def trimmed(obj: Any) -> Any:
    """Return an object without `_DROPPED` and empty fields; without values if it is a Secret."""
    if isinstance(obj, list):
        return [trimmed(each) for each in obj]
    if not isinstance(obj, dict):
        return obj
    found = {key: trimmed(value) for key, value in obj.items() if key not in _DROPPED}
    if obj.get("kind") == "Secret":
        found |= {key: dict.fromkeys(obj[key], _BLANK) for key in ("data", "stringData") if obj.get(key)}
    if obj.get("kind") == "ConfigMap" and obj["metadata"]["name"] == "kube-root-ca.crt":
        found["data"] = {}
    return {key: value for key, value in found.items() if value not in ({}, [], None)}


def recording_text(recorded: Obj) -> str:
    """Return a recording as JSON with one object a line."""
    lines = []
    for key, value in recorded.items():
        if isinstance(value, list):
            elements = ",\n".join(f"  {json.dumps(each, sort_keys=True)}" for each in value)
            lines.append(f" {json.dumps(key)}: [\n{elements}\n ]")
        elif isinstance(value, dict):
            elements = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items())
            lines.append(f" {json.dumps(key)}: {{\n{elements}\n }}" if value else f" {json.dumps(key)}: {{}}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
