"""Validate table names and batches."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from floe_lakehouse.errors import BatchError

_PART = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class TableName:
    """A table in a namespace of one level, with characters that every engine accepts unquoted."""

    namespace: str
    table: str

    def __post_init__(self) -> None:
        """Reject parts that some engine would fold, quote or reject."""
        for part in (self.namespace, self.table):
            if not _PART.fullmatch(part):
                raise BatchError(
                    f"{part!r} is not a valid namespace or table name: use lower-case letters, digits and _, "
                    "a letter first, at most 63"
                )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `namespace.table`.

        Raises:
            BatchError: the text does not have exactly two parts, or one is invalid.
        """
        parts = text.split(".")
        if len(parts) != 2:  # noqa: PLR2004
            raise BatchError(f"{text!r} must be namespace.table")
        return cls(*parts)

    @property
    def identifier(self) -> tuple[str, str]:
        """The identifier as PyIceberg expects it."""
        return (self.namespace, self.table)

    def __str__(self) -> str:
        """Return `namespace.table`."""
        return f"{self.namespace}.{self.table}"


def check_batch(batch: pa.Table) -> None:
    """Reject a batch that would make an unusable snapshot.

    Raises:
        BatchError: the batch has no rows, or columns that `check_columns` rejects.
    """
    check_columns(batch.schema)
    if batch.num_rows == 0:
        raise BatchError("the batch has no rows")


def check_columns(schema: pa.Schema) -> None:
    """Reject columns that no table can have.

    Raises:
        BatchError: no columns, a duplicate name (ignoring case), or a column of nulls without a type.
    """
    if not schema.names:
        raise BatchError("the batch has no columns")
    # Engines fold case, so `id` and `Id` would be one column.
    twice = [name for name, count in Counter(name.lower() for name in schema.names).items() if count > 1]
    if twice:
        raise BatchError(f"duplicate column names (ignoring case): {', '.join(sorted(twice))}")
    untyped = [field.name for field in schema if pa.types.is_null(field.type)]
    if untyped:
        raise BatchError(f"columns of nulls have no type that Iceberg can store: {', '.join(untyped)}")
