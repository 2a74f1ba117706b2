"""Quantities of Kubernetes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.quantity import bytes_of, cores_of, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", Decimal("0.5")),
        ("2", Decimal(2)),
        (2, Decimal(2)),
        ("1.5Gi", Decimal("1.5") * 2**30),
        ("1G", Decimal(10**9)),
        ("1e3", Decimal(1000)),
        ("128974848000m", Decimal(128974848)),
        ("2 Gi", None),
        ("500u", Decimal("0.0005")),
        ("many", None),
        ("", None),
    ],
)
def test_quantity_is_a_number_of_units_or_bytes(text, number):
    assert quantity(text) == number


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
