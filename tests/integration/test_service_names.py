"""Test that services answer under their short and full names in Kubernetes DNS."""

import socket

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

WEB = {
    "polaris": (8182, "/q/health/ready"),
    "localstack": (4566, "/_localstack/health"),
    "jaeger": (16686, "/api/services"),
}
EACH_WEB_SERVICE = [
    # The catalog is ready only if its database answers.
    pytest.param(name, marks=pytest.mark.service(*((name, "postgresql") if name == "polaris" else (name,))))
    for name in WEB
]


def names_of(service, namespace):
    return [service, f"{service}.{namespace}", f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local"]


@pytest.mark.parametrize("service", EACH_WEB_SERVICE)
def test_http_service_answers_under_each_name(service, endpoints, http):
    port, path = WEB[service]

    answers = {
        name: http.get(f"http://{name}:{port}{path}").status_code for name in names_of(service, endpoints.namespace)
    }

    assert set(answers.values()) == {httpx.codes.OK}, answers


@pytest.mark.service("postgresql")
def test_database_answers_under_each_name(endpoints):
    for name in names_of("postgresql", endpoints.namespace):
        with psycopg.connect(make_conninfo(endpoints.dagster_database, host=name), connect_timeout=3) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("service", EACH_WEB_SERVICE)
def test_service_names_resolve_to_one_address(service, endpoints, http):
    port, path = WEB[service]
    addresses = {socket.gethostbyname(name) for name in names_of(service, endpoints.namespace)}

    assert len(addresses) == 1
    assert http.get(f"http://{addresses.pop()}:{port}{path}").status_code == httpx.codes.OK
