from __future__ import annotations

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.quantity import bytes_of, cores_of


@pytest.mark.parametrize(
    ("text", "number"),
    [("512Mi", 512 << 20), ("1Gi", 1 << 30), ("2k", 2000), ("128M", 128_000_000), ("1.5Gi", 3 << 29), ("77", 77)],
)
def test_bytes_of_memory_quantity(text, number):
    assert bytes_of(text) == number


@pytest.mark.parametrize(("text", "number"), [("250m", 0.25), ("2", 2.0), ("0.5", 0.5)])
def test_cores_of_processor_quantity(text, number):
    assert cores_of(text) == number


@pytest.mark.parametrize("text", ["", "12 Mi", "1Xi", "-1", "Mi"])
def test_other_text_is_no_quantity(text):
    with pytest.raises(UsageError, match="is not a quantity"):
        bytes_of(text)
