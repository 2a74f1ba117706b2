"""Types of the records in the frame log: all kinds, and limits for every value."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from seatrial.pod.agent.wire import RecordKind
from seatrial.runner.record_types import REPORT_FIELDS, AnyRecord, RecordFrame

from runner.session_records import RECORDS


def convert(record: list[Any]) -> Any:
    return msgspec.convert({"records": [record]}, RecordFrame).records[0]


def test_types_are_exactly_the_record_kinds_of_the_agent() -> None:
    kinds = [each.__struct_config__.tag for each in get_args(AnyRecord)]

    assert sorted(kinds) == sorted(value for name, value in vars(RecordKind).items() if name.isupper())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record[0])
def test_records_of_the_agent_have_their_type(record: list[Any]) -> None:
    assert convert(record).__struct_config__.tag == record[0]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record[0])
def test_additional_value_is_refused(record: list[Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert([*record, *[None] * 4])


@pytest.mark.parametrize(
    "record",
    [
        ["count", -1, 0],
        ["count", 1_000_001, 0],
        ["verbose", 1 << 31],
        ["s", "x" * ((1 << 16) * 3 + 3), 1],
        ["o", 1 << 63],
        ["unknown"],
        ["imports", {"a": ["x" * ((1 << 16) + 1), "c"]}],
    ],
    ids=lambda record: str(record)[:20],
)
def test_value_beyond_its_limit_is_refused(record: list[Any]) -> None:
    with pytest.raises((msgspec.ValidationError, OverflowError)):
        convert(record)


def test_options_that_name_files_are_refused() -> None:
    session = next(record for record in RECORDS if record[0] == "session")
    options = {**session[1]["options"], "log_file": "/etc/passwd"}

    with pytest.raises(msgspec.ValidationError, match="log_file"):
        convert(["session", {**session[1], "options": options}])


def test_fields_of_reports_are_those_that_pytest_serializes() -> None:
    assert {"nodeid", "outcome", "longrepr", "when", "sections", "duration"} <= REPORT_FIELDS
