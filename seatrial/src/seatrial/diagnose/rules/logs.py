"""Find the cause of a crash in the last lines of a log. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from seatrial.diagnose.rules.objects import short
from seatrial.model.finding import Finding

__all__ = ["explained_by_log"]


class _Words(NamedTuple):
    """A cause that programs write to their logs, with the messages of common libraries."""

    cause: str
    brief: str
    hint: str
    messages: tuple[str, ...]


_WORDS: Final = (
    _Words(
        "WrongCredentials", "has wrong credentials",
        "compare user and password with those of the database; a volume keeps the password that it was created with",
        (
            r"password authentication failed", r"no password supplied", r'role "[^"]+" does not exist',
            r"Access denied for user", r"WRONGPASS", r"NOAUTH", r"Authentication failed", r"SASL authentication",
            r"InvalidAccessKeyId", r"SignatureDoesNotMatch", r"invalid username or password", r"ORA-01017",
        ),
    ),
    _Words(
        "DatabaseNotFound", "asks for a database that does not exist",
        "create the database, or correct its name in the settings",
        (r'database "[^"]+" does not exist', r"Unknown database", r"Cannot open database"),
    ),
    _Words(
        "CertificateExpired", "met an expired certificate", "renew the certificate, and restart what serves it",
        (r"certificate has expired", r"certificate is expired", r"certificate expired", r"CertificateExpired"),
    ),
    _Words(
        "CertificateUntrusted", "does not trust a certificate",
        "mount the certificate of the authority, or correct the host name that the certificate is for",
        (
            r"certificate verify failed", r"certificate signed by unknown authority", r"self[- ]signed certificate",
            r"PKIX path building failed", r"unable to get local issuer", r"x509: ",
        ),
    ),
    _Words(
        "DiskFull", "has a full disk", "increase the volume or its sizeLimit, or write less",
        (r"No space left on device", r"ENOSPC", r"[Dd]isk quota exceeded", r"database or disk is full"),
    ),
    _Words(
        "ReadOnlyFileSystem", "writes to a read-only file system",
        "mount an emptyDir volume where it writes, or turn readOnlyRootFilesystem off",
        (r"Read-only file system", r"EROFS"),
    ),
    _Words(
        "AddressInUse", "found its port in use",
        "let one process of the pod use the port; containers of a pod share their ports",
        (r"[Aa]ddress already in use", r"EADDRINUSE", r"address in use", r"port is already allocated"),
    ),
    _Words(
        "NameNotResolved", "could not resolve a name",
        "correct the host name in the settings: the name of a Service, or NAME.NAMESPACE.svc",
        (
            r"Name or service not known", r"[Nn]ame resolution", r"could not translate host name", r"no such host",
            r"No address associated with hostname", r"getaddrinfo (?:failed|ENOTFOUND|EAI_AGAIN)", r"gaierror",
            r"UnknownHostException", r"Could not resolve host",
        ),
    ),
    _Words(
        "ExecFormatError", "cannot run on this CPU",
        "build the image for the platform of the nodes, or start the script with a #! line",
        (r"[Ee]xec format error", r"cannot execute binary file"),
    ),
    _Words(
        "PermissionDenied", "lacks a permission of files",
        "set fsGroup or runAsUser in the securityContext, or change the owner of the files in the image",
        (r"Permission denied", r"EACCES", r"AccessDeniedException"),
    ),
)  # fmt: skip
"""Causes, the most specific first: the last line that names one counts."""

_PATTERNS: Final = tuple((words, re.compile("|".join(words.messages))) for words in _WORDS)

_ENDS: Final = frozenset(
    ("Crash", "Exited", "InitContainerFailed", "BackoffLimitExceeded", "HookFailed", "PodFailed", "DeadlineExceeded")
)
"""Causes of which a log may name the cause."""

_NAMED: Final = frozenset(("HookFailed", "BackoffLimitExceeded", "InitContainerFailed"))
"""Causes that say more than that a program ended: the log is added to them and does not replace them."""


def explained_by_log(finding: Finding, lines: Sequence[str]) -> Finding:
    """Return a finding with the last lines of its container's log, and with the cause that they name.

    Args:
        finding: the finding.
        lines: the last lines of the log, in their order; empty ones do not count.
    """
    shown = [line for line in lines if line.strip()]
    if not shown:
        return finding
    complete = replace(finding, evidence=(*finding.evidence, *shown))
    if finding.cause == "InitContainerStuck":
        return replace(complete, message=f"{finding.message}; its log ends with: {short(shown[-1])}")
    if finding.cause not in _ENDS:
        return complete
    for line in reversed(shown):
        for words, pattern in _PATTERNS:
            if pattern.search(line):
                message = f"{finding.message}: {short(line)}"
                if finding.cause in _NAMED:
                    return replace(complete, message=message, hint=words.hint)
                return replace(complete, cause=words.cause, message=message, hint=words.hint, brief=words.brief)
    if finding.cause in _NAMED:
        return replace(complete, message=f"{finding.message}; its log ends with: {short(shown[-1])}")
    return complete
