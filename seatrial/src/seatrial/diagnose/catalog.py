"""The causes that rules find: whose fault each is, and which come before those that they lead to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seatrial.model.blame import Fault
from seatrial.model.finding import Finding

__all__ = ["CAUSES", "fault_of", "rank_of", "ranked"]

_PLATFORM, _SERVICE = Fault.PLATFORM, Fault.SERVICE

_RANKS: Final[tuple[dict[str, Fault], ...]] = (
    {
        "NodeNotReady": _PLATFORM, "MemoryPressure": _PLATFORM, "DiskPressure": _PLATFORM, "PIDPressure": _PLATFORM,
        "NetworkUnavailable": _PLATFORM, "DnsUnavailable": _PLATFORM,
    },
    {
        "WebhookTimeout": _PLATFORM, "WebhookUnreachable": _PLATFORM, "WebhookRefused": _SERVICE,
        "QuotaExceeded": _SERVICE, "LimitRange": _SERVICE,
        "PodSecurity": _SERVICE, "PolicyRefused": _SERVICE, "ServiceAccountNotFound": _SERVICE,
        "PriorityClassNotFound": _SERVICE, "FailedCreate": _SERVICE, "ReleaseLocked": _SERVICE,
    },
    {
        "NoStorageClass": _SERVICE, "ClaimNotFound": _SERVICE, "ClaimPending": _PLATFORM,
    },
    {
        "Evicted": _PLATFORM, "Preempted": _PLATFORM, "StorageLimit": _SERVICE, "UnexpectedAdmissionError": _PLATFORM,
    },
    {
        "InsufficientResources": _SERVICE, "UntoleratedTaint": _PLATFORM, "NodeSelector": _SERVICE,
        "HostPortTaken": _SERVICE, "PodAntiAffinity": _SERVICE, "SchedulingGated": _SERVICE, "Unschedulable": _SERVICE,
    },
    {
        "InvalidImageName": _SERVICE, "ErrImageNeverPull": _SERVICE, "ImageNotFound": _SERVICE,
        "ImageUnauthorized": _SERVICE, "RegistryUnreachable": _PLATFORM, "ImagePull": _PLATFORM,
    },
    {
        "FailedMount": _SERVICE, "FailedAttachVolume": _PLATFORM, "FailedMapVolume": _PLATFORM,
        "FailedCreatePodSandBox": _PLATFORM, "CreateContainerConfigError": _SERVICE, "RunAsNonRoot": _SERVICE,
    },
    {
        "CreateContainerError": _SERVICE, "RunContainerError": _SERVICE, "StartError": _SERVICE,
        "ContainerCannotRun": _SERVICE, "ExecFormatError": _SERVICE, "CommandNotFound": _SERVICE,
        "PostStartHookError": _SERVICE,
    },
    {
        "OOMKilled": _SERVICE, "ChildOOMKilled": _SERVICE, "DiskFull": _SERVICE, "CertificateExpired": _SERVICE,
        "WrongCredentials": _SERVICE, "DatabaseNotFound": _SERVICE, "CertificateUntrusted": _SERVICE,
        "ReadOnlyFileSystem": _SERVICE, "PermissionDenied": _SERVICE, "AddressInUse": _SERVICE,
        "NameNotResolved": _SERVICE,
    },
    {"LivenessProbe": _SERVICE, "StartupProbe": _SERVICE},
    {
        "InitContainerFailed": _SERVICE, "InitContainerStuck": _SERVICE, "Crash": _SERVICE, "Exited": _SERVICE,
        "BackoffLimitExceeded": _SERVICE, "DeadlineExceeded": _SERVICE, "HookFailed": _SERVICE, "PodFailed": _SERVICE,
    },
    {"ScaledDown": _SERVICE, "Rollout": _SERVICE, "PodDeleted": _SERVICE, "PodTerminating": _SERVICE},
    {"ReadinessProbe": _SERVICE, "ReadinessGate": _SERVICE},
    {
        "NetworkPolicy": _SERVICE, "WrongTargetPort": _SERVICE, "SelectorMismatch": _SERVICE,
        "ServiceDeleted": _SERVICE, "NotListening": _SERVICE,
    },
    {"CPUThrottled": _SERVICE},
    {"ProgressDeadlineExceeded": _SERVICE, "NoEndpoints": _SERVICE, "NoAnswer": _SERVICE, "NotReadyInTime": _SERVICE},
    {"ServerError": _SERVICE, "Restarted": _SERVICE},
)  # fmt: skip
"""Causes with their fault, each before those that it leads to."""

CAUSES: Final[dict[str, Fault]] = {cause: fault for rank in _RANKS for cause, fault in rank.items()}
"""All causes that have a rule, with their fault."""

_ORDER: Final = {cause: rank for rank, causes in enumerate(_RANKS) for cause in causes}


def fault_of(cause: str) -> Fault:
    """Return whose fault a cause is; that of a service for reasons of Kubernetes without a rule."""
    return CAUSES.get(cause, _SERVICE)


def rank_of(cause: str) -> int:
    """Return the rank of a cause: lower ones lead to higher ones."""
    return _ORDER.get(cause, len(_RANKS))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without duplicates: fatal ones first, causes before their consequences."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: (not finding.fatal, rank_of(finding.cause))))
