"""The cause that the last lines of a log name."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.logs import explained_by_log
from seatrial.model.finding import Finding, ObjectRef


def finding(cause="Crash"):
    return Finding(cause=cause, subject=ObjectRef(kind="Pod", name="web-1"), message="it ended", hint="read it")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('FATAL:  password authentication failed for user "shop"', "WrongCredentials"),
        ("ERROR 1045 (28000): Access denied for user 'shop'@'10.0.0.1'", "WrongCredentials"),
        ("redis.exceptions.AuthenticationError: WRONGPASS invalid username-password pair", "WrongCredentials"),
        ("botocore.exceptions.ClientError: InvalidAccessKeyId", "WrongCredentials"),
        ("Unknown database 'shop'", "DatabaseNotFound"),
        ("x509: certificate has expired or is not yet valid", "CertificateExpired"),
        ("x509: certificate signed by unknown authority", "CertificateUntrusted"),
        ("sun.security.validator: PKIX path building failed", "CertificateUntrusted"),
        ("write /data/x: no space left on device".replace("no", "No"), "DiskFull"),
        ("EROFS: read-only file system, open '/app/x'", "ReadOnlyFileSystem"),
        ("listen tcp :80: bind: address already in use", "AddressInUse"),
        ("Error: getaddrinfo ENOTFOUND db", "NameNotResolved"),
        ("java.net.UnknownHostException: db", "NameNotResolved"),
        ("exec /app/start: exec format error", "ExecFormatError"),
        ("open /data/x: EACCES", "PermissionDenied"),
        ("IndexError: list index out of range", "Crash"),
    ],
)  # fmt: skip
def test_message_of_common_libraries_names_the_cause(line, cause):
    found = explained_by_log(finding(), ["starting", line, ""])

    assert (found.cause, found.evidence) == (cause, ("starting", line))


def test_last_line_that_names_a_cause_counts():
    found = explained_by_log(finding(), ["Permission denied: /x, using /y", "Address already in use", "bye"])

    assert (found.cause, found.message) == ("AddressInUse", "it ended: Address already in use")


@pytest.mark.parametrize("cause", ["HookFailed", "BackoffLimitExceeded", "InitContainerFailed"])
def test_cause_that_names_the_object_remains_and_gets_the_hint(cause):
    found = explained_by_log(finding(cause), ["No space left on device"])

    assert (found.cause, found.message) == (cause, "it ended: No space left on device")
    assert found.hint != "read it"
    assert explained_by_log(finding(cause), ["what"]).message == "it ended; its log ends with: what"


@pytest.mark.parametrize("cause", ["OOMKilled", "ReadinessProbe"])
def test_log_does_not_replace_a_proven_cause(cause):
    assert explained_by_log(finding(cause), ["Permission denied"]).cause == cause


def test_empty_log_changes_nothing():
    assert explained_by_log(finding(), ["", " "]) == finding()
