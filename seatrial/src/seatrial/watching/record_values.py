"""Read values of Kubernetes objects for records of the timeline. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from seatrial.model.timeline_parts import Condition, Controller
from seatrial.ports import Object

__all__ = ["conditions_of", "controller_of_object", "integer", "time_of"]


def time_of(value: object) -> datetime | None:
    """Return a time of the API in UTC; None if the value is missing or malformed."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


def integer(value: object) -> int:
    """Return a number of the API; 0 if it is left out or is no number."""
    return value if isinstance(value, int) else 0


def conditions_of(status: Object) -> tuple[Condition, ...]:
    """Return the conditions in a status, sorted by type. Heartbeat times are left out."""
    found: list[dict[str, Any]] = sorted(status.get("conditions") or (), key=lambda each: str(each.get("type")))
    return tuple(
        Condition(
            type=each.get("type", ""),
            status=each.get("status", ""),
            reason=each.get("reason") or "",
            message=each.get("message") or "",
            since=time_of(each.get("lastTransitionTime")),
        )
        for each in found
    )


def controller_of_object(obj: Object) -> Controller | None:
    """Return the direct controller of an object; None if it has none."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return Controller(kind=owner["kind"], name=owner["name"])
    return None
