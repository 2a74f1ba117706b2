"""Define the errors that a caller can fix.

``` LakehouseError ├── SettingsError   the environment describes no lakehouse └── BatchError      the rows or the table
name cannot become an Iceberg table ```

Failures of the catalog and of S3 are PyIceberg's and PyArrow's own exceptions.
"""


class LakehouseError(ValueError):
    """Base class of this package's errors. The message says what is wrong and what is expected."""


class SettingsError(LakehouseError):
    """A setting is missing or malformed."""


class BatchError(LakehouseError):
    """A batch or a table name cannot be published."""
