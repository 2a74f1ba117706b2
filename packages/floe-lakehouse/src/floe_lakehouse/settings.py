"""Define the settings: addresses and credentials of the lakehouse."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from floe_lakehouse.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class LakehouseSettings:
    """One catalog and the S3 storage of its tables.

    `timeout` is in seconds and applies to each connection and each answer. Environment variables have the prefix
    `FLOE_`, because Kubernetes may set `POLARIS_PORT` and similar names to a URL.
    """

    catalog_uri: str = "http://polaris:8181/api/catalog"
    warehouse: str = "floe"
    credential: str | None = field(default=None, repr=False)
    scope: str = "PRINCIPAL_ROLE:ALL"
    s3_endpoint: str | None = "http://localstack:4566"
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    region: str = "us-east-1"
    timeout: float = 5.0

    def __post_init__(self) -> None:
        """Reject settings that would fail later with a less clear error."""
        _require_url("FLOE_CATALOG_URI", self.catalog_uri)
        if self.s3_endpoint is not None:
            _require_url("FLOE_S3_ENDPOINT", self.s3_endpoint)
        if not self.warehouse:
            raise SettingsError("FLOE_WAREHOUSE is empty; set it to the name of the warehouse")
        if self.credential is not None and ":" not in self.credential:
            raise SettingsError("FLOE_CATALOG_CREDENTIAL must be client-id:client-secret")
        if (self.access_key is None) != (self.secret_key is None):
            raise SettingsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set or both be unset")
        if not self.timeout > 0:
            raise SettingsError(f"FLOE_TIMEOUT_SECONDS must be more than 0, not {self.timeout:g}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings from `environment` (default: the process's). An empty variable counts as unset.

        The exception is `FLOE_S3_ENDPOINT`: empty means AWS.

        Raises:
            SettingsError: a variable is invalid; the message names it.
        """
        values = os.environ if environment is None else environment
        seconds = values.get("FLOE_TIMEOUT_SECONDS") or "5"
        try:
            timeout = float(seconds)
        except ValueError:
            raise SettingsError(f"FLOE_TIMEOUT_SECONDS must be a number of seconds, not {seconds!r}") from None
        return cls(
            catalog_uri=values.get("FLOE_CATALOG_URI") or "http://polaris:8181/api/catalog",
            warehouse=values.get("FLOE_WAREHOUSE") or "floe",
            credential=values.get("FLOE_CATALOG_CREDENTIAL") or None,
            scope=values.get("FLOE_CATALOG_SCOPE") or "PRINCIPAL_ROLE:ALL",
            s3_endpoint=values.get("FLOE_S3_ENDPOINT", "http://localstack:4566") or None,
            access_key=values.get("AWS_ACCESS_KEY_ID") or None,
            secret_key=values.get("AWS_SECRET_ACCESS_KEY") or None,
            region=values.get("AWS_REGION") or "us-east-1",
            timeout=timeout,
        )

    @property
    def catalog_properties(self) -> dict[str, str]:
        """The properties of PyIceberg's REST catalog and PyArrow's file access."""
        properties = {
            "uri": self.catalog_uri.rstrip("/"),
            "warehouse": self.warehouse,
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
            "s3.region": self.region,
            "s3.connect-timeout": f"{self.timeout:g}",
            "s3.request-timeout": f"{self.timeout:g}",
        }
        if self.credential is not None:
            properties |= {
                "credential": self.credential,
                "scope": self.scope,
                "oauth2-server-uri": f"{properties['uri']}/v1/oauth/tokens",
            }
        if self.s3_endpoint is not None:
            # Servers other than AWS use one host name, so the bucket is part of the path.
            properties |= {"s3.endpoint": self.s3_endpoint, "s3.force-virtual-addressing": "false"}
        if self.access_key is not None and self.secret_key is not None:
            properties |= {"s3.access-key-id": self.access_key, "s3.secret-access-key": self.secret_key}
        return properties


def _require_url(name: str, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{name} must be an http or https URL, not {value!r}")
