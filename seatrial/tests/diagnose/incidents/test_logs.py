from __future__ import annotations

import pytest
from seatrial.diagnose.incidents.logs import LogLine, log_incidents, reported_cause

from diagnose.timeline_values import at


def line(seconds, text, pod="web-1"):
    return LogLine(at=at(seconds), namespace="shop", pod=pod, uid=pod, container="c", text=text)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", "DiskFull"),
        ('FATAL:  password authentication failed for user "shop"', "WrongCredentials"),
        ("botocore.exceptions.ClientError: (InvalidAccessKeyId)", "WrongCredentials"),
        ("ssl.SSLCertVerificationError: certificate has expired", "CertificateExpired"),
        ("GET /orders 200", ""),
    ],
)
def test_cause_that_a_line_reports(text, cause):
    assert reported_cause(text.encode()) == cause


def test_lines_of_one_container_within_ten_seconds_are_one_problem():
    full = "No space left on device"
    found = log_incidents(
        [line(30, full), line(1, f"first: {full}"), line(5, full), line(2, full, "db-1"), line(3, "GET / 200")]
    )

    assert [(each.finding.subject.name, each.begin, each.end) for each in found] == [
        ("db-1", at(2), at(3)),
        ("web-1", at(1), at(6)),
        ("web-1", at(30), at(31)),
    ]
    assert found[1].finding.message == "its log says that a volume is full: first: No space left on device"
    assert found[1].pods == {"web-1"}
