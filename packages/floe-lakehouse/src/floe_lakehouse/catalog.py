"""Connect to the catalog."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.io import FileIO
from pyiceberg.typedef import EMPTY_DICT, Properties
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from floe_lakehouse.settings import LakehouseSettings

_S3_PLACE = frozenset(("s3.endpoint", "s3.force-virtual-addressing"))


def connect(settings: LakehouseSettings) -> Catalog:
    """Return a connected catalog, whose configuration has been fetched.

    Raises:
        requests.ConnectionError: no server listens at the address.
        requests.Timeout: no answer within `settings.timeout`.
        pyiceberg.exceptions.RESTError: the catalog refused (wrong credential, unknown warehouse).
    """
    return _BoundedRestCatalog(settings)


class _BoundedRestCatalog(RestCatalog):
    """PyIceberg's REST catalog with a timeout for every request.

    PyIceberg 0.12 has no timeout, so a catalog that accepts connections and never answers would block its caller
    forever. Only the session also covers the first request, which is made during construction.
    """

    def __init__(self, settings: LakehouseSettings) -> None:
        self._settings = settings
        super().__init__("floe", **settings.catalog_properties)

    def _create_session(self) -> Session:
        session = super()._create_session()
        adapter = _BoundedAdapter(self._settings.timeout)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        if self._settings.access_key is not None:
            # Do not request vended credentials if keys are configured: a catalog without STS would refuse the table.
            session.headers.pop("X-Iceberg-Access-Delegation", None)
        return session

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:
        # A catalog returns its own S3 endpoint. The endpoint in the settings is the one that this process can reach.
        ours = {name: value for name, value in self._settings.catalog_properties.items() if name in _S3_PLACE}
        return super()._load_file_io({**properties, **ours}, location)


class _BoundedAdapter(HTTPAdapter):
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        super().__init__()

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        return super().send(request, *args, **kwargs)
