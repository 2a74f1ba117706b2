"""Find out why volumes cannot be mounted, and why PersistentVolumeClaims have no volume. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from seatrial.diagnose.rules.objects import object_ref, pod_ref, short
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["MOUNT_REASONS", "claim_pending", "claims_of", "mount_failure", "storage_limit"]

MOUNT_REASONS: Final = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")
"""Reasons of events about volumes and the network of a pod. The status of the pod does not show them."""

_OBJECT: Final = re.compile(r'volume "(?P<volume>[^"]+)" : (?P<kind>secret|configmap) "(?P<name>[^"]+)" not found')
_KEY: Final = re.compile(
    r'volume "(?P<volume>[^"]+)" : (?:configmap )?references non-existent (?:config|secret) key: (?P<key>\S+)'
)
_HOST: Final = re.compile(r'volume "(?P<volume>[^"]+)" : hostPath type check failed: (?P<text>.*)')
_KINDS: Final = {"secret": "Secret", "configmap": "ConfigMap"}


def mount_failure(pod: Object, event: Object) -> Finding:
    """Return why a volume of a pod cannot be mounted.

    Args:
        pod: the pod.
        event: Warning event with one of `MOUNT_REASONS`.
    """
    message = str(event.get("message", ""))
    text, hint = short(message), "create the object that the volume names before the pod"
    if found := _OBJECT.search(message):
        kind = _KINDS[found["kind"]]
        text = f"volume {found['volume']} cannot be mounted: {kind} {found['name']} does not exist"
        hint = f"create {kind} {found['name']} before the pod, or correct its name"
    elif found := _KEY.search(message):
        source: Object = next(
            (each for each in pod["spec"].get("volumes") or () if each["name"] == found["volume"]), {}
        )
        kind = "Secret" if "secret" in source else "ConfigMap"
        name = (source.get("configMap") or {}).get("name") or (source.get("secret") or {}).get("secretName") or ""
        text = f"volume {found['volume']} cannot be mounted: {kind} {name} has no key {found['key']}"
        hint = f"add the key to {kind} {name}, or correct the volume's items"
    elif found := _HOST.search(message):
        text = f"volume {found['volume']} cannot be mounted: on the node, {short(found['text'])}"
        hint = "create the path on every node, or use another kind of volume"
    elif event.get("reason") == "FailedCreatePodSandBox":
        hint = "the runtime or the network plug-in of the node fails: kubectl describe node, and its log"
    return Finding(
        cause=str(event["reason"]),
        subject=pod_ref(pod),
        message=text,
        evidence=(message,),
        hint=hint,
        brief="cannot mount a volume",
    )


def claims_of(pod: Object) -> list[str]:
    """Return the names of the PersistentVolumeClaims of a pod."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if each.get("persistentVolumeClaim")]


def claim_pending(claim: Object, events: Iterable[Object]) -> Finding | None:
    """Return why a claim has no volume; None if it has one, or waits for the first pod that uses it.

    Args:
        claim: the PersistentVolumeClaim.
        events: its events, the latest last.
    """
    if (claim.get("status") or {}).get("phase") != "Pending":
        return None
    ref, about = object_ref(claim), list(events)
    wanted = claim["spec"].get("storageClassName")
    latest = about[-1] if about else {}
    message = str(latest.get("message", ""))
    evidence = (message,) if message else ()
    if "storageclass" in message and "not found" in message:
        return Finding(
            cause="NoStorageClass", subject=ref, message=f"StorageClass {wanted} does not exist", evidence=evidence,
            hint="use a class of this cluster, or leave storageClassName out: kubectl get storageclass",
            brief="has no StorageClass",
        )  # fmt: skip
    if latest.get("reason") == "FailedBinding":
        return Finding(
            cause="NoStorageClass", subject=ref,
            message=f"no PersistentVolume matches it, and without a StorageClass none is created: {short(message)}",
            evidence=evidence,
            hint='set storageClassName, or remove it to use the default class ("" means no class)',
            brief="has no StorageClass",
        )  # fmt: skip
    if latest.get("reason") == "WaitForFirstConsumer":
        return None
    size = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "")
    return Finding(
        cause="ClaimPending", subject=ref,
        message=f"no volume of {size} was created" + (f": {short(message)}" if message else ""), evidence=evidence,
        hint=f"check the provisioner of StorageClass {wanted}: kubectl describe storageclass {wanted}" if wanted
        else "kubectl describe pvc", brief="has no volume",
    )  # fmt: skip


def storage_limit(pod: Object, message: str) -> Finding:
    """Return the storage limit for which the kubelet evicted a pod."""
    return Finding(
        cause="StorageLimit",
        subject=pod_ref(pod),
        message=f"it wrote more than it may: {short(message)}",
        evidence=(message,),
        hint="increase sizeLimit of the volume or the limit of ephemeral-storage, or write less",
        brief="exceeded its storage limit",
    )
