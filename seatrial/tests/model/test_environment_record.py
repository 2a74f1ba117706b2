from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.names import EnvironmentId

RECORD = EnvironmentRecord(
    id=EnvironmentId("5e551040"),
    project="/home/dev/My app",
    identity="shop-3f2a9c1b",
    command="up",
    provider="kind",
    cluster="shop-test",
    created=datetime(2026, 1, 31, tzinfo=UTC),
    expires=datetime(2026, 2, 1, tzinfo=UTC),
)


def test_record_reads_back_with_the_field_names_of_older_versions() -> None:
    data = msgspec.json.encode(RECORD.with_resource(Created(kind="cluster", name="shop-test")))

    assert b'"session":"5e551040"' in data
    assert b'"made":[' in data
    assert msgspec.json.decode(data, type=EnvironmentRecord).resources[0].name == "shop-test"


def test_resource_replaces_an_earlier_one_of_its_kind_and_name() -> None:
    begun, known = (Created(kind="cluster", name="c", identity=identity) for identity in ("", "node-1"))
    other = Created(kind="namespace", name="c")
    record = RECORD.with_resource(begun).with_resource(other).with_resource(known)

    assert record.resources == (other, known)
    assert [str(each) for each in record.resources] == ["namespace c", "cluster c"]


def test_labels_name_owner_project_environment_and_expiry() -> None:
    assert RECORD.labels == {
        "seatrial.dev/owner": "seatrial",
        "seatrial.dev/project": "shop-3f2a9c1b",
        "seatrial.dev/session": "5e551040",
        "seatrial.dev/expires": "1769904000",
    }
    assert RECORD.owner_selector == "seatrial.dev/owner=seatrial,seatrial.dev/project=shop-3f2a9c1b"


def test_record_of_an_older_version_has_the_directory_name_as_project_label() -> None:
    assert msgspec.structs.replace(RECORD, identity="").project_label == "My-app"


def test_environment_shares_its_cluster_if_seatrial_did_not_create_it_or_it_has_a_host() -> None:
    assert not RECORD.shares
    assert msgspec.structs.replace(RECORD, provider="existing").shares
    assert msgspec.structs.replace(RECORD, host="aaaaaaaa").shares
