from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from seatrial.model import timeline as t

AT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
POD = t.PodRecord(
    at=AT,
    seen="added",
    namespace="shop",
    name="web-0",
    uid="u1",
    controller=t.Controller(kind="StatefulSet", name="web"),
    labels={"app": "web"},
    conditions=(t.Condition(type="Ready", status="False", reason="ContainersNotReady", since=AT),),
)
RECORDS: tuple[t.Record, ...] = (
    t.RecordingRecord(at=AT, state="started", schema=t.TIMELINE_SCHEMA, namespaces=("shop",)),
    POD,
    t.ContainerRecord(
        at=AT,
        seen="modified",
        namespace="shop",
        pod="web-0",
        uid="u1",
        container="web",
        state="terminated",
        reason="OOMKilled",
        exit_code=137,
        finished=AT,
        last=t.Termination(exit_code=1, reason="Error"),
        memory_limit="512Mi",
        probes={"readiness": "GET http://:8080/healthz"},
    ),
    t.WorkloadRecord(at=AT, seen="listed", kind="Deployment", namespace="shop", name="web", uid="u2", replicas=2),
    t.JobRecord(at=AT, seen="listed", namespace="shop", name="migrate", uid="u3", hook="pre-install"),
    t.EventRecord(
        at=AT,
        seen="added",
        namespace="shop",
        name="web-0.1",
        uid="u4",
        regarding=t.ClusterObject(kind="Pod", name="web-0", namespace="shop", uid="u1", container="web"),
        type="Warning",
        reason="Unhealthy",
        message="Readiness probe failed",
        count=3,
        first=AT,
        last=AT,
    ),
    t.NodeRecord(
        at=AT, seen="listed", name="node-1", uid="u5", ready=True, taints=(t.Taint(key="k", effect="NoExecute"),)
    ),
    t.EndpointsRecord(
        at=AT,
        seen="listed",
        namespace="shop",
        name="web-abc",
        uid="u6",
        service="web",
        ready=(t.Endpoint(addresses=("10.0.0.1",), pod="web-0"),),
        ports=(t.EndpointPort(port=8080, name="http"),),
    ),
    t.PolicyRecord(at=AT, seen="added", namespace="shop", name="deny", uid="u7", types=("Ingress",)),
    t.RefusalRecord(
        at=AT,
        namespace="shop",
        by="quota",
        policy="compute",
        regarding=t.ClusterObject(kind="ReplicaSet", name="web-1", namespace="shop"),
        reason="FailedCreate",
        message="exceeded quota: compute",
    ),
    t.LogRecord(
        at=AT,
        namespace="shop",
        pod="web-0",
        uid="u1",
        container="web",
        file="logs/shop/web-0.web.0.log",
        state="opened",
    ),
    t.GapRecord(at=AT, started=AT, resource="v1/Pod", namespace="shop", reason="connection closed"),
)


def test_every_kind_of_record_has_an_example_here() -> None:
    assert {type(record) for record in RECORDS} == set(get_args(t.Record))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_record_is_one_line_that_decodes_to_the_same_record(record: t.Record) -> None:
    line = t.encode_record(record)

    assert b"\n" not in line
    assert t.decode_record(line) == record


def test_record_has_its_kind_first_its_time_in_utc_with_microseconds_and_no_default_values() -> None:
    line = t.encode_record(t.GapRecord(at=AT, started=AT, resource="v1/Pod"))

    assert line == (
        b'{"record":"gap","at":"2026-01-31T12:00:00.250000Z","started":"2026-01-31T12:00:00.250000Z",'
        b'"resource":"v1/Pod"}'
    )


@pytest.mark.parametrize("line", [b"", b"[]", t.encode_record(POD).replace(b'"pod"', b'"newer"')])
def test_decode_record_refuses_lines_that_are_not_records_of_this_version(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        t.decode_record(line)


def test_decode_timeline_skips_unknown_records_and_an_incomplete_last_line() -> None:
    lines = [t.encode_record(record) for record in RECORDS]
    data = b"\n".join([lines[0], b'{"record":"newer","at":"2026-01-31T12:00:00Z"}', lines[1], lines[2][:-9]])

    assert t.decode_timeline(data) == [RECORDS[0], RECORDS[1]]
