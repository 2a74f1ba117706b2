"""Provide clients for the services, and require each test to declare the services that it needs.

Addresses come from the environment; defaults are the names in the cluster. On a host, clients that use Python's
resolver know these names. Clients with their own resolver (PyArrow, gRPC, libpq) get an address from the fixture
`service` there. `<SERVICE>_PORT` is never read, because Kubernetes may set it to a URL.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import psycopg
import pyarrow as pa
import pytest
from botocore.config import Config
from floe_lakehouse import LakehouseSettings, TableName, connect, publish, trace_to
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError

from testing.base_classes.integration_test_base import host_services, location

# The timeout of every client in seconds, so that a missing service does not make its tests wait.
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5
SERVICES = ("polaris", "localstack", "postgresql", "jaeger", "kubernetes")
# A test needs the services of its fixtures.
OF_FIXTURES = {"isolated_namespace": "kubernetes", "scene": "kubernetes", "floe_pods": "kubernetes"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"service(*names): the services that this test requires; from {', '.join(SERVICES)}"
    )
    config.addinivalue_line("markers", "needs_real(service): requires the real service instead of its stand-in")
    # This marker belongs to seatrial. It is also registered here, for a run without seatrial's plugin.
    config.addinivalue_line(
        "markers", "isolated_namespace(quota, limits): objects that the fixture of that name creates"
    )


def services_of(item: pytest.Item) -> list[str]:
    named = {name for mark in item.iter_markers("service") for name in mark.args}
    for name, _ in getattr(getattr(item, "cls", None), "required_services", ()):
        # The catalog has no ready pod if its database does not answer.
        named |= {"polaris", "postgresql"} if name == "polaris" else {name}
    named |= {OF_FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in OF_FIXTURES}
    return [service for service in SERVICES if service in named]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)  # noqa: PTH120
    for item in items:
        if not str(item.path).startswith(here + os.sep):
            continue
        unknown = {name for mark in item.iter_markers("service") for name in mark.args} - set(SERVICES)
        if unknown or not services_of(item):
            raise pytest.UsageError(
                f"{item.nodeid}: requires @pytest.mark.service with at least one of {', '.join(SERVICES)}, "
                "or required_services in its class" + (f"; unknown: {', '.join(sorted(unknown))}" if unknown else "")
            )
        if location() == "compose" and "kubernetes" in services_of(item):
            item.add_marker(pytest.mark.skip(reason="not run: kubernetes"))
        # Part of the JUnit file, to verify a run without a service.
        item.user_properties.append(("services", " ".join(services_of(item))))


class Endpoints:
    """The services' addresses for the process that runs the tests.

    Args:
        service: the fixture of that name on a host; None in a pod, where names are sufficient.
    """

    def __init__(self, service: Any) -> None:
        read = os.environ.get
        self._service = service
        self.catalog = read("FLOE_CATALOG_URI") or "http://polaris:8181/api/catalog"
        self.catalog_health = read("FLOE_CATALOG_HEALTH_URI") or "http://polaris:8182"
        self.jaeger = read("FLOE_JAEGER_URI") or "http://jaeger:16686"
        self.otlp_http = read("FLOE_OTLP_HTTP_URI") or "http://jaeger:4318"
        self.namespace = read("FLOE_NAMESPACE") or "floe"

    # Resolved on first use: a missing service must not fail the tests of other services.

    @property
    def s3(self) -> str:
        return os.environ.get("FLOE_S3_ENDPOINT") or f"http://{self._place('localstack', 4566)}"

    @property
    def otlp_grpc(self) -> str:
        return os.environ.get("FLOE_OTLP_GRPC") or self._place("jaeger", 4317)

    @property
    def dagster_database(self) -> str | None:
        return self._database("FLOE_DAGSTER_DATABASE_URI")

    @property
    def polaris_database(self) -> str | None:
        return self._database("FLOE_POLARIS_DATABASE_URI")

    def _place(self, name: str, port: int) -> str:
        if self._service is None:
            return f"{name}:{port}"
        return str(self._service(name, port=port, check=False).address)

    def _database(self, variable: str) -> str | None:
        uri = os.environ.get(variable)
        parts = urlsplit(uri or "")
        if not uri or self._service is None or parts.hostname != "postgresql":
            return uri
        account, _, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{account}@{self._place('postgresql', parts.port or 5432)}").geturl()


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Endpoints:
    return Endpoints(host_services(request))


@pytest.fixture
def unique() -> str:
    """Provide a unique name: letters and digits, beginning with a letter; for buckets, tables, roles and services."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`eventually(probe, within=10)` returns the probe's first result that is not None, and ignores errors."""

    def wait(probe: Callable[[], Any], *, within: float = 10.0) -> Any:
        deadline = time.monotonic() + within
        while (answer := probe()) is None:
            if time.monotonic() > deadline:
                pytest.fail(f"timed out after {within:g} s")
            time.sleep(0.1)
        return answer

    return wait


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)) as client:
        yield client


@pytest.fixture(scope="session")
def aws(endpoints: Endpoints) -> Callable[..., Any]:
    """`aws("s3")` is a client of LocalStack; further arguments override defaults (such as keys of an assumed role)."""

    def client(service: str, **changes: Any) -> Any:
        arguments: dict[str, Any] = {
            "endpoint_url": endpoints.s3,
            "region_name": os.environ.get("AWS_REGION") or "us-east-1",
            "aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID") or "test",
            "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY") or "test",
            "config": Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=ANSWER_SECONDS,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        }
        return boto3.client(service, **(arguments | changes))

    return client


@pytest.fixture(scope="session")
def s3(aws: Callable[..., Any]) -> Any:
    return aws("s3")


@pytest.fixture
def bucket(s3: Any, unique: str) -> Iterator[str]:
    """Provide a bucket for one test; it is deleted with its contents."""
    s3.create_bucket(Bucket=unique)
    yield unique
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=unique):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=unique, Key=found["Key"])
    s3.delete_bucket(Bucket=unique)


def database(uri: str | None, variable: str) -> psycopg.Connection:
    if not uri:
        pytest.fail(f"{variable} is not set; the runner pod sets it from the chart's Secret", pytrace=False)
    return psycopg.connect(
        uri, connect_timeout=CONNECT_SECONDS, options=f"-c statement_timeout={ANSWER_SECONDS * 1000}"
    )


@pytest.fixture
def dagster_database(endpoints: Endpoints) -> Iterator[psycopg.Connection]:
    with database(endpoints.dagster_database, "FLOE_DAGSTER_DATABASE_URI") as connection:
        yield connection


@pytest.fixture
def polaris_database(endpoints: Endpoints) -> Iterator[psycopg.Connection]:
    with database(endpoints.polaris_database, "FLOE_POLARIS_DATABASE_URI") as connection:
        yield connection


@pytest.fixture(scope="session")
def lakehouse_settings(endpoints: Endpoints) -> LakehouseSettings:
    # LocalStack accepts any keys but requires some. The catalog's cold JVM answers slowly.
    defaults = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "FLOE_TIMEOUT_SECONDS": "20"}
    return LakehouseSettings.from_environment(defaults | {"FLOE_S3_ENDPOINT": endpoints.s3} | dict(os.environ))


@pytest.fixture(scope="session")
def lakehouse(lakehouse_settings: LakehouseSettings) -> Catalog:
    return connect(lakehouse_settings)


@pytest.fixture(scope="session")
def warehouse(lakehouse: Catalog) -> Catalog:
    """Provide the catalog after a successful write. Without S3, all its users fail here after one round of retries."""
    name = TableName("warmup", f"t{uuid.uuid4().hex[:12]}")
    publish(lakehouse, name, pa.table({"id": [1]}))
    lakehouse.drop_table(name.identifier)
    return lakehouse


@pytest.fixture
def table(lakehouse: Catalog, unique: str) -> Iterator[TableName]:
    """Provide the name of a new table in the test's own namespace; both are deleted."""
    name = TableName(f"ns_{unique}", "orders")
    yield name
    try:
        for identifier in lakehouse.list_tables(name.namespace):
            lakehouse.drop_table(identifier)
        lakehouse.drop_namespace(name.namespace)
    except NoSuchNamespaceError:
        pass


@pytest.fixture(scope="session")
def dg() -> Any:
    """Provide Dagster, which takes a second to load."""
    import dagster  # noqa: PLC0415

    return dagster


@pytest.fixture(scope="session")
def runs() -> Any:
    """Provide `floe_lakehouse.runs`, which loads Dagster."""
    from floe_lakehouse import runs  # noqa: PLC0415

    return runs


@pytest.fixture(scope="session")
def instance(endpoints: Endpoints, runs: Any) -> Iterator[Any]:
    """Provide a Dagster instance with storage in PostgreSQL."""
    if not endpoints.dagster_database:
        pytest.fail(
            "FLOE_DAGSTER_DATABASE_URI is not set; the runner pod sets it from the chart's Secret", pytrace=False
        )
    with runs.dagster_instance(endpoints.dagster_database) as made:
        yield made


@pytest.fixture(scope="session")
def _tracing(endpoints: Endpoints) -> Iterator[Any]:
    provider = trace_to(endpoints.otlp_http, service="floe-tests", timeout=CONNECT_SECONDS)
    yield provider
    provider.shutdown()


@pytest.fixture
def traces(
    _tracing: Any, http: httpx.Client, endpoints: Endpoints, eventually: Callable[..., Any]
) -> Callable[..., Any]:
    """`traces(table)`: the sorted names of a table's spans in Jaeger, once there are `at_least` of them.

    With `failed`, only spans with an error count.
    """

    def find(table: TableName, *, at_least: int = 2, failed: bool = False) -> list[str]:
        _tracing.force_flush()
        tags = {"floe.table": str(table)}

        def probe() -> list[str] | None:
            question = {"service": "floe-tests", "tags": json.dumps(tags), "limit": "200", "lookback": "1h"}
            answer = http.get(f"{endpoints.jaeger}/api/traces", params=question)
            assert answer.status_code == httpx.codes.OK, answer.text
            spans = [span for trace in answer.json()["data"] or [] for span in trace["spans"]]
            # Jaeger returns all spans of a matching trace, including those of other tables.
            names = [
                span["operationName"]
                for span in spans
                if ("floe.table", str(table)) in (said := {(tag["key"], tag["value"]) for tag in span["tags"]})
                and (not failed or ("error", True) in said)
            ]
            return sorted(names) if len(names) >= at_least else None

        found: list[str] = eventually(probe)
        return found

    return find
