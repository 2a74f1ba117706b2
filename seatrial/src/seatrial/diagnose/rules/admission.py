"""Find out what refuses to create the pods of a workload. Pure.

Messages are those of the admission plug-ins ResourceQuota, LimitRanger, PodSecurity, ServiceAccount, Priority,
ValidatingAdmissionPolicy and of webhooks: https://github.com/kubernetes/kubernetes/tree/v1.34.0/plugin/pkg/admission
"""

from __future__ import annotations

import re
from typing import Final

from seatrial.diagnose.rules.objects import short
from seatrial.model.finding import Finding, ObjectRef

__all__ = ["refusal"]

_QUOTA: Final = re.compile(
    r"exceeded quota: (?P<name>[^,\s]+), requested: (?P<requested>.*?), used: (?P<used>.*?), limited: (?P<limited>.*)"
)
_UNSET: Final = re.compile(r"failed quota: (?P<name>[^:\s]+): must specify (?P<what>.*)")
_LIMIT_RANGE: Final = re.compile(
    r"(?:maximum|minimum) \S+ usage per (?:Container|Pod|PersistentVolumeClaim).*|\S+ max limit to request ratio.*"
)
_SECURITY: Final = re.compile(r'violates PodSecurity "(?P<level>[^"]+)": (?P<what>.*)')
_POLICY: Final = re.compile(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '[^']+' denied request: (?P<what>.*)"
)
_REFUSED: Final = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<what>.*)')
_CALL: Final = re.compile(r'failed calling webhook "(?P<name>[^"]+)": (?:failed to call webhook: )?(?P<what>.*)')
_TIMEOUT: Final = re.compile(r"deadline exceeded|Client\.Timeout|timed out", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_PRIORITY: Final = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")
_PREFIX: Final = re.compile(r"^Error creating: ")


def refusal(ref: ObjectRef, message: str) -> Finding:
    """Return what refuses to create the pods of a workload.

    Args:
        ref: the workload.
        message: of its condition ReplicaFailure, or of its event FailedCreate.
    """
    cause, detail, hint, brief = _classified(ref.namespace, message)
    return Finding(
        cause=cause,
        subject=ref,
        message=f"its pods are refused: {detail}",
        evidence=(message,),
        hint=hint,
        brief=brief,
    )


def _classified(namespace: str, message: str) -> tuple[str, str, str, str]:
    """Return cause, detail, hint and the cause in a few words."""
    if found := _QUOTA.search(message):
        text = f"quota {found['name']} allows {found['limited']}; used {found['used']}, requested {found['requested']}"
        hint = f"increase the quota, or decrease the requests: kubectl -n {namespace} describe quota {found['name']}"
        return "QuotaExceeded", text, hint, f"refused by quota {found['name']}"
    if found := _UNSET.search(message):
        text = f"quota {found['name']} requires each container to set {short(found['what'])}"
        return "QuotaExceeded", text, "set it in the values, or add a LimitRange with defaults", "refused by a quota"
    if found := _LIMIT_RANGE.search(message):
        hint = f"change the container's resources, or the range: kubectl -n {namespace} describe limitrange"
        return "LimitRange", f"a LimitRange forbids it: {short(found[0])}", hint, "refused by a LimitRange"
    if found := _SECURITY.search(message):
        text = f"Pod Security level {found['level']} forbids {short(found['what'])}"
        hint = f"change securityContext, or the label pod-security.kubernetes.io/enforce of namespace {namespace}"
        return "PodSecurity", text, hint, "refused by Pod Security"
    if found := _POLICY.search(message):
        text = f"ValidatingAdmissionPolicy {found['name']} forbids it: {short(found['what'])}"
        return (
            "PolicyRefused",
            text,
            "change the pod template as the policy requires",
            f"refused by policy {found['name']}",
        )
    if found := _REFUSED.search(message):
        text = f"webhook {found['name']} refuses it: {short(found['what'])}"
        return "WebhookRefused", text, "change the pod template as the webhook requires", f"refused by {found['name']}"
    if found := _CALL.search(message):
        late = bool(_TIMEOUT.search(message))
        how = "does not answer in time" if late else "cannot be called"
        text = f"webhook {found['name']} {how}: {short(found['what'])}"
        hint = "repair the webhook's Service and pods, or set its failurePolicy to Ignore"
        return "WebhookTimeout" if late else "WebhookUnreachable", text, hint, f"webhook {found['name']} {how}"
    if found := _ACCOUNT.search(message):
        text = f"ServiceAccount {found['name']} does not exist in namespace {namespace}"
        return "ServiceAccountNotFound", text, "create it, or correct serviceAccountName", "has no ServiceAccount"
    if found := _PRIORITY.search(message):
        text = f"PriorityClass {found['name']} does not exist"
        return "PriorityClassNotFound", text, "create it, or correct priorityClassName", "has no PriorityClass"
    hint = "check quotas, limit ranges and admission in the namespace"
    return "FailedCreate", _PREFIX.sub("", message), hint, "its pods are refused"
