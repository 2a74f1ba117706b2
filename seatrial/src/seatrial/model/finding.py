"""The cause of a failure, with its evidence."""

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
        """Return the name as kubectl writes it, and the container: `pod/web-0 container api`."""
        return f"{self.kind.lower()}/{self.name}" + (f" container {self.container}" if self.container else "")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of a failure or a delay.

    Attributes:
        cause: stable name for programs in CamelCase: the reason in Kubernetes where there is one.
        subject: the object at fault.
        message: one line for people.
        evidence: lines that prove it: messages of the kubelet, last log lines.
        hint: one line, what to do; empty if unknown.
        fatal: whether waiting longer is pointless.
        brief: the cause in a few words, for lists: `OOMKilled at 512Mi`; empty: `cause` says it.
        leads_to: other problems that this one explains, one line each.
    """

    cause: str
    subject: ObjectRef
    message: str
    evidence: tuple[str, ...] = ()
    hint: str = ""
    fatal: bool = False
    brief: str = ""
    leads_to: tuple[str, ...] = ()
