"""A cause, with the evidence for it."""

from __future__ import annotations

import msgspec

__all__ = ["Finding", "ObjectRef"]


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True):
    """One Kubernetes object, or one container of a pod."""

    kind: str
    name: str
    namespace: str = ""
    container: str = ""

    def __str__(self) -> str:
        """As kubectl writes it: `pod/web-0`, with the container behind it."""
        return f"{self.kind.lower()}/{self.name}" + (f" container {self.container}" if self.container else "")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of a failure or of waiting.

    Attributes:
        cause: a stable name for machines in CamelCase, Kubernetes' own reason where there is one.
        subject: what it is about.
        message: one line for people.
        evidence: lines that prove it: messages of the kubelet, last log lines.
        hint: one line, what to do; empty if we do not know.
        fatal: whether waiting longer is pointless.
    """

    cause: str
    subject: ObjectRef
    message: str
    evidence: tuple[str, ...] = ()
    hint: str = ""
    fatal: bool = False
