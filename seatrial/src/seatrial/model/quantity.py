"""Read quantities of Kubernetes as numbers of bytes and processors."""

from __future__ import annotations

import re
from typing import Final

from seatrial.model.errors import UsageError

__all__ = ["bytes_of", "cores_of"]

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)(m|k|[MGTPE]|[KMGTPE]i)?")
_POWERS: Final = "kMGTPE"


def bytes_of(quantity: str) -> int:
    """Return a quantity of memory in bytes: `512Mi` is 536870912.

    Raises:
        UsageError: the text is not a quantity.
    """
    return int(_number(quantity))


def cores_of(quantity: str) -> float:
    """Return a quantity of processors: `250m` is 0.25.

    Raises:
        UsageError: the text is not a quantity.
    """
    return _number(quantity)


def _number(quantity: str) -> float:
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise UsageError(f"{quantity!r} is not a quantity", hint="write it as Kubernetes does: 512Mi, 250m")
    value, suffix = float(match[1]), match[2] or ""
    if suffix == "m":
        return value / 1000
    if not suffix:
        return value
    power = _POWERS.index("k" if suffix[0] == "K" else suffix[0]) + 1
    factor = 1024 if suffix.endswith("i") else 1000
    return value * float(factor**power)
