"""What goes wrong by the caller's doing.

```
LakehouseError
├── SettingsError   the environment describes no lakehouse
└── BatchError      the rows or the table's name cannot become an Iceberg table
```

Failures of the catalog and of S3 stay PyIceberg's and PyArrow's own exceptions.
"""


class LakehouseError(ValueError):
    """Base of this package's errors; its text says what is wrong and what would be right."""


class SettingsError(LakehouseError):
    """A setting is missing or malformed."""


class BatchError(LakehouseError):
    """A batch or a table name that cannot be published."""
