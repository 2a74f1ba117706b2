"""Find out why an image is not on a node. Pure.

Reasons are those of the kubelet:
https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/images/types.go
"""

from __future__ import annotations

import re
from typing import Final

from seatrial.diagnose.rules.objects import short
from seatrial.model.finding import Finding, ObjectRef

__all__ = ["PULL_REASONS", "pull_failure"]

PULL_REASONS: Final = frozenset(
    ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "InvalidImageName")
)
"""Reasons of a waiting container whose image is missing. ErrImagePull and ImagePullBackOff alternate."""

_UNREACHABLE: Final = re.compile(
    r"no such host|connection refused|i/o timeout|TLS handshake|server misbehaving|no route to host|x509: "
)
_ABSENT: Final = re.compile(r"not found|manifest unknown|does not exist", re.IGNORECASE)
_NO_CREDENTIALS: Final = re.compile(r"no basic auth credentials|40[13] (?:Unauthorized|Forbidden)")
"""Registries say of private images that they do not exist, or that access is denied."""

_DENIED: Final = re.compile(
    r"unauthorized|access denied|denied: |40[13] (?:Unauthorized|Forbidden)|authentication required|no basic auth",
    re.IGNORECASE,
)
_DIAL: Final = re.compile(r"(?:dial tcp|lookup) .*")


def pull_failure(ref: ObjectRef, image: str, reason: str, message: str) -> Finding:
    """Return why an image is not on the node.

    Args:
        ref: the container.
        image: its image as the pod names it.
        reason: one of `PULL_REASONS`.
        message: message of the kubelet; ImagePullBackOff repeats the one of ErrImagePull since Kubernetes 1.32.
    """
    evidence = (message,) if message else ()
    if reason == "ErrImageNeverPull":
        return Finding(
            cause=reason,
            subject=ref,
            message=f"image {image} is not on the node, and imagePullPolicy is Never",
            evidence=evidence,
            hint="set imagePullPolicy to IfNotPresent, or build the image: docker image inspect " + image,
            brief=f"has no image {image}",
        )
    if reason == "InvalidImageName":
        detail = message.rpartition("invalid reference format: ")[2] if "invalid reference format: " in message else ""
        return Finding(
            cause=reason,
            subject=ref,
            message=f"image {image} is not a valid image name" + (f": {short(detail)}" if detail else ""),
            evidence=evidence,
            hint="correct the image in the chart's values",
            brief="has an invalid image name",
        )
    cause, detail, hint = _pull(image, message)
    return Finding(
        cause=cause,
        subject=ref,
        message=f"image {image} cannot be pulled" + (f": {detail}" if detail else ""),
        evidence=evidence,
        hint=hint,
        brief="has no image",
    )


def _pull(image: str, message: str) -> tuple[str, str, str]:
    """Return cause, detail and hint of a failed pull."""
    engine = f"images of this machine's engine are delivered: docker image inspect {image}"
    if _UNREACHABLE.search(message):
        dial = _DIAL.search(message)
        detail = short(dial[0]) if dial else "the registry cannot be reached"
        return "RegistryUnreachable", detail, f"check name and network of the registry; {engine}"
    if _ABSENT.search(message) and not _NO_CREDENTIALS.search(message):
        return "ImageNotFound", "the registry has no such image", f"check name and tag; {engine}"
    if _DENIED.search(message):
        detail = "the registry requires credentials or denies them"
        return "ImageUnauthorized", detail, f"add imagePullSecrets to the pod; {engine}"
    return "ImagePull", "", f"check name and tag; {engine}"
