"""Read quantities of Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from seatrial.model.errors import UsageError

__all__ = ["bytes_of", "cores_of", "quantity"]

_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("0.000000001"),
    "u": Decimal("0.000001"),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(n|u|m|k|[MGTPE]i?|Ki)?")


def quantity(text: object) -> Decimal | None:
    """Return a quantity such as `500m` or `2Gi` as a number of units or bytes; None if it is not one."""
    found = _QUANTITY.fullmatch(str(text).strip())
    return Decimal(found[1]) * _SUFFIXES[found[2] or ""] if found else None


def bytes_of(text: str) -> int:
    """Return a quantity of memory in bytes: `512Mi` is 536870912.

    Raises:
        UsageError: the text is no positive quantity.
    """
    return int(_number(text))


def cores_of(text: str) -> float:
    """Return a quantity of processors: `250m` is 0.25.

    Raises:
        UsageError: the text is no positive quantity.
    """
    return float(_number(text))


def _number(text: str) -> Decimal:
    number = quantity(text)
    if number is None or number < 0:
        raise UsageError(f"{text!r} is not a quantity", hint="write it as Kubernetes does: 512Mi, 250m")
    return number
