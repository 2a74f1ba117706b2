"""Compare recorded runs, with the accepted differences of a reviewed file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seatrial.comparison.accepted import Entry, parse
from seatrial.comparison.compare import compare
from seatrial.comparison.recorded import Side
from seatrial.comparison.tests import Bounds
from seatrial.model.comparison import Comparison
from seatrial.model.errors import UsageError

__all__ = ["AcceptedFile", "accepted_entries", "compare_sides"]


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """The reviewed file: its name in messages and its entries."""

    name: str = ""
    entries: tuple[Entry, ...] = ()


def accepted_entries(given: str | None, default: Path | None) -> AcceptedFile:
    """Return the entries of the given file, or of the default file if it exists.

    Raises:
        UsageError: the given file cannot be read, or an entry is not valid.
    """
    file = Path(given) if given is not None else default
    if file is None or (given is None and not file.is_file()):
        return AcceptedFile()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}", reason=str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8", reason=str(error)) from error
    return AcceptedFile(name=file.name, entries=parse(text, file.name))


def compare_sides(
    left: Side, right: Side, *, bounds: Bounds, accepted: AcceptedFile, ready: bool = False
) -> Comparison:
    """Return the comparison of two sides as of today."""
    return compare(
        left,
        right,
        bounds=bounds,
        entries=accepted.entries,
        file=accepted.name,
        today=datetime.now(UTC).date(),
        ready=ready,
    )
