"""Names of tables, and which batches can become one."""

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
    """A table in a namespace of one level, in letters that every engine takes unquoted."""

    namespace: str
    table: str

    def __post_init__(self) -> None:
        """Refuse parts that some engine would fold, quote or reject."""
        for part in (self.namespace, self.table):
            if not _PART.fullmatch(part):
                raise BatchError(
                    f"{part!r} is no name for a namespace or table: lower-case letters, digits and _, "
                    "a letter first, at most 63"
                )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `namespace.table`.

        Raises:
            BatchError: if there are not exactly two parts, or one is malformed.
        """
        parts = text.split(".")
        if len(parts) != 2:  # noqa: PLR2004
            raise BatchError(f"{text!r} must be namespace.table")
        return cls(*parts)

    @property
    def identifier(self) -> tuple[str, str]:
        """The form PyIceberg takes."""
        return (self.namespace, self.table)

    def __str__(self) -> str:
        """Return `namespace.table`."""
        return f"{self.namespace}.{self.table}"


def check_batch(batch: pa.Table) -> None:
    """Refuse a batch that would make a snapshot nobody can use.

    Raises:
        BatchError: no rows, or columns that `check_columns` refuses.
    """
    check_columns(batch.schema)
    if batch.num_rows == 0:
        raise BatchError("the batch has no rows; an empty snapshot says nothing")


def check_columns(schema: pa.Schema) -> None:
    """Refuse columns that no table can have.

    Raises:
        BatchError: no columns, a name used twice (whatever its case), or a column of nulls without a type.
    """
    if not schema.names:
        raise BatchError("the batch has no columns")
    # Engines fold case: `id` and `Id` would be one column there.
    twice = [name for name, count in Counter(name.lower() for name in schema.names).items() if count > 1]
    if twice:
        raise BatchError(f"column names differ in nothing but case, or not at all: {', '.join(sorted(twice))}")
    untyped = [field.name for field in schema if pa.types.is_null(field.type)]
    if untyped:
        raise BatchError(f"columns of nulls only have no type Iceberg could store: {', '.join(untyped)}")
