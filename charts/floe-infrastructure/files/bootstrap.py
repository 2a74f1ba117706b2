"""Create the warehouse in the catalog and verify that it is usable. Runs in a Job and may be repeated.

With ``CATALOG`` (a catalog object of Polaris's management API, as JSON), that catalog is created first, and its
administrators get the permission to manage its content. Then, with the Iceberg REST API, the configuration of
``WAREHOUSE`` is read and each of ``NAMESPACES`` is created. API: https://github.com/apache/polaris/tree/main/spec

Exits 1 with the reason in one line if the catalog refuses or is not ready in time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

# Seconds until the catalog must be ready. Afterwards Kubernetes retries in a new pod.
TIMEOUT_SECONDS = 180.0
PAUSE_SECONDS = 0.2
# Statuses of a server, or of a proxy in front of it, that is not ready yet.
RETRYABLE = frozenset({404, 408, 429, 500, 502, 503, 504})


class CatalogError(Exception):
    """The catalog's answer prevents the bootstrap."""


@dataclass
class Catalog:
    """A catalog server at `url`. Requests contain `token` after login."""

    url: str
    token: str = ""
    deadline: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_SECONDS)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        form: dict[str, str] | None = None,
        accept: frozenset[int] = frozenset(),
        wait: bool = False,
    ) -> tuple[int, Any]:
        """Return status and JSON of the answer if its status is 2xx or in `accept`.

        Raises `CatalogError` otherwise. With `wait`, retryable statuses are retried until the deadline.
        """
        said = ""
        while True:
            status, text = self._ask_once(method, path, body, form)
            why = f"{method} {self.url}{path}: {status or 'no answer'}: {text.strip()[:300]}"
            if 200 <= status < 300 or status in accept:
                try:
                    return status, json.loads(text) if text.strip() else {}
                except ValueError:
                    raise CatalogError(f"{why} the answer is not JSON") from None
            if not wait or (status and status not in RETRYABLE) or time.monotonic() > self.deadline:
                raise CatalogError(why)
            if why != said:
                print(f"waiting: {why}")
                said = why
            time.sleep(PAUSE_SECONDS)

    def _ask_once(self, method: str, path: str, body: object, form: dict[str, str] | None) -> tuple[int, str]:
        """Return status (0: no answer) and text."""
        headers = {"Accept": "application/json"}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:  # refused, unresolved, reset, timed out
            return 0, str(error)


def log_in(catalog: Catalog, client_id: str, client_secret: str) -> None:
    """Wait for the server and get a token of the root principal."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": "PRINCIPAL_ROLE:ALL",
    }
    _, answer = catalog.ask("POST", "/api/catalog/v1/oauth/tokens", form=form, wait=True)
    catalog.token = answer["access_token"]


def create_catalog(catalog: Catalog, wanted: dict[str, Any]) -> None:
    """Create the catalog `wanted`; an existing one must have the same location."""
    name = wanted["name"]
    path = "/api/management/v1/catalogs"
    status, _ = catalog.ask("POST", path, body={"catalog": wanted}, accept=frozenset({409}))
    if status == 409:
        _, found = catalog.ask("GET", f"{path}/{name}")
        there, here = (c["properties"].get("default-base-location") for c in (found, wanted))
        if there != here:
            raise CatalogError(f"catalog {name} already exists with its data at {there}, expected {here}")
    grant = {"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}}
    catalog.ask("PUT", f"{path}/{name}/catalog-roles/catalog_admin/grants", body=grant, accept=frozenset({409}))
    print(f"catalog {name} {'already exists' if status == 409 else 'created'}")


def create_namespaces(catalog: Catalog, warehouse: str, names: list[str]) -> None:
    """Create each namespace of `names` and verify that the catalog lists it."""
    query = urllib.parse.urlencode({"warehouse": warehouse})
    _, config = catalog.ask("GET", f"/api/catalog/v1/config?{query}", wait=True)
    prefix = config.get("overrides", {}).get("prefix") or config.get("defaults", {}).get("prefix") or ""
    path = "/".join(["/api/catalog/v1", *([urllib.parse.quote(prefix, safe="")] if prefix else []), "namespaces"])
    for name in names:
        status, _ = catalog.ask("POST", path, body={"namespace": [name]}, accept=frozenset({409}), wait=True)
        print(f"namespace {name} {'already exists' if status == 409 else 'created'}")
    _, listed = catalog.ask("GET", path)
    missing = [name for name in names if [name] not in listed["namespaces"]]
    if missing:
        raise CatalogError(f"the catalog does not list {', '.join(missing)}: {listed}")


def main() -> int:
    """Run the bootstrap with the settings of the environment."""
    catalog = Catalog(os.environ["CATALOG_URL"])
    try:
        log_in(catalog, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
        if wanted := os.environ.get("CATALOG"):
            create_catalog(catalog, json.loads(wanted))
        create_namespaces(
            catalog, os.environ["WAREHOUSE"], [name for name in os.environ["NAMESPACES"].split(",") if name]
        )
    except CatalogError as error:
        print(f"bootstrap failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # process 1 of a container ignores unhandled signals
    sys.exit(main())
