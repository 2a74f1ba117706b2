"""Find objects of APIs that the cluster's version of Kubernetes does not serve any more. Pure.

https://kubernetes.io/docs/reference/using-api/deprecation-guide/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from seatrial.chart_checks.pods import mapping
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["removed_apis"]

Version = tuple[int, int]

_ANY: Final = ""
_REMOVED: Final[Mapping[tuple[str, str], tuple[Version, str]]] = {
    ("apps/v1beta1", _ANY): ((1, 16), "apps/v1"),
    ("apps/v1beta2", _ANY): ((1, 16), "apps/v1"),
    ("extensions/v1beta1", "DaemonSet"): ((1, 16), "apps/v1"),
    ("extensions/v1beta1", "Deployment"): ((1, 16), "apps/v1"),
    ("extensions/v1beta1", "ReplicaSet"): ((1, 16), "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy"): ((1, 16), "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy"): ((1, 16), ""),
    ("extensions/v1beta1", "Ingress"): ((1, 22), "networking.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"): (
        (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration"): (
        (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", _ANY): ((1, 22), "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", _ANY): ((1, 22), "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", "TokenReview"): ((1, 22), "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", _ANY): ((1, 22), "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest"): ((1, 22), "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease"): ((1, 22), "coordination.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): ((1, 22), "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): ((1, 22), "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", _ANY): ((1, 22), "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): ((1, 22), "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSINode"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "VolumeAttachment"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): ((1, 27), "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob"): ((1, 25), "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): ((1, 25), "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event"): ((1, 25), "events.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ((1, 25), "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ((1, 26), "autoscaling/v2"),
    ("policy/v1beta1", "PodDisruptionBudget"): ((1, 25), "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): ((1, 25), ""),
    ("node.k8s.io/v1beta1", "RuntimeClass"): ((1, 25), "node.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", _ANY): ((1, 26), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", _ANY): ((1, 29), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", _ANY): ((1, 32), "flowcontrol.apiserver.k8s.io/v1"),
}
"""apiVersion and kind, any kind if empty -> the first version without it, and the apiVersion to use; empty: none."""


def removed_apis(objects: Iterable[Object], version: Version) -> Iterator[Finding]:
    """Yield a finding for each object whose API was removed.

    Args:
        objects: rendered objects.
        version: of Kubernetes, major and minor.
    """
    for obj in objects:
        api, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        removed, use = _REMOVED.get((api, kind)) or _REMOVED.get((api, _ANY)) or ((0, 0), "")
        if not removed[0] or version < removed:
            continue
        meta = mapping(obj.get("metadata"))
        yield Finding(
            cause="RemovedApi",
            subject=ObjectRef(kind=kind, name=str(meta.get("name", "")), namespace=str(meta.get("namespace", ""))),
            message=f"uses {api}, which Kubernetes {removed[0]}.{removed[1]} removed; the cluster has "
            f"{version[0]}.{version[1]}",
            hint=f"write apiVersion: {use}" if use else f"remove it: no version of Kubernetes replaces {kind}",
            fatal=True,
        )
