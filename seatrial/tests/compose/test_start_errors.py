from __future__ import annotations

import pytest
from seatrial.compose.start_errors import explain_start


@pytest.mark.parametrize(
    ("output", "cause", "service"),
    [
        (
            "Error response from daemon: driver failed: Bind for 0.0.0.0:8000 failed: port is already allocated",
            "PortTaken",
            "compose",
        ),
        (
            "Error response from daemon: pull access denied for nosuch/image, repository does not exist",
            "ImagePull",
            "compose",
        ),
        ("dependency failed to start: container shop-1-db-1 is unhealthy", "DependencyFailed", "shop-1-db-1"),
        ('service "migrate" didn\'t complete successfully: exit 3', "DependencyFailed", "migrate"),
        (
            "failed to create network x: could not find an available, non-overlapping IPv4 address pool",
            "NoAddressPool",
            "compose",
        ),
    ],
)
def test_cause_is_found_in_the_output(output, cause, service):
    (finding,) = explain_start(f" Container a  Starting\n{output}\n")

    assert (finding.cause, finding.subject.name) == (cause, service)
    assert finding.evidence == (output,)
    assert finding.fatal
    assert finding.hint


def test_cause_is_reported_once():
    line = "dependency failed to start: container a is unhealthy"

    assert len(explain_start(f"{line}\n{line}")) == 1


def test_unknown_error_has_no_finding():
    assert explain_start("unexpected EOF") == []
