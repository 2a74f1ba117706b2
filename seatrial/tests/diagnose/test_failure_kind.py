from __future__ import annotations

import pytest
from seatrial.diagnose.failure_kind import failure_kind, hosts_in, split_address


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("httpx.ConnectError: [Errno 111] Connection refused", "refused"),
        ("http.client.RemoteDisconnected: Remote end closed connection without response", "closed"),
        ("psycopg.OperationalError: server closed the connection unexpectedly", "closed"),
        ("psycopg.errors.AdminShutdown: terminating connection due to administrator command", "closed"),
        ("httpx.ConnectTimeout: timed out", "timeout"),
        ("OSError: [Errno 113] No route to host", "unreachable"),
        ("socket.gaierror: [Errno -2] Name or service not known", "dns"),
        ('could not translate host name "db" to address: Temporary failure in name resolution', "dns"),
        ("Failed: service web is not ready: HTTP status 503; hint: seatrial status", "not ready"),
        ("urllib.error.HTTPError: HTTP Error 503: Service Unavailable", "server error"),
        ("Server error '500 Internal Server Error' for url 'http://web/'", "server error"),
        ('pods "a" is forbidden: exceeded quota: small', "api"),
        ("assert 500 == 404", "other"),
        ("assert 'refused' == 'accepted'", "other"),
        ("ValueError: invalid literal for int() with base 10: 'x'", "other"),
        ("", "other"),
    ],
)
def test_kind_of_an_error(error, kind):
    assert failure_kind(error) == kind


def test_kind_of_an_assertion_on_an_answer_of_a_server_error():
    assert failure_kind("assert 500 == 200", [(500, "http://web")]) == "server error"
    assert failure_kind("assert 404 == 200", [(404, "http://web")]) == "other"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("http://orders:8080/x", [("orders", 8080)]),
        ("postgresql://u:p@db.shop.svc:5432/x", [("db.shop.svc", 5432)]),
        ("HTTPConnectionPool(host='orders', port=80): Max retries", [("orders", 80)]),
        ('connection to server at "db" (10.96.0.7), port 5432 failed', [("db", 5432), ("10.96.0.7", 5432)]),
        ("ConnectionError: ('orders', 80)", [("orders", 80)]),
        ("cannot connect to orders:8080", [("orders", 8080)]),
        ("service orders is not ready: timed out", [("orders", 0)]),
        ("the orders are wrong at 12:30", [("12", 30)]),
        ("test_orders.py::test_a", []),
        ("assert orders == []", []),
    ],
)
def test_hosts_are_found_only_in_addresses(text, hosts):
    assert hosts_in(text) == hosts


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("http://web/orders", ("web", 0)),
        ("https://u:p@web.shop:8443/x?y", ("web.shop", 8443)),
        ("web:80", ("web", 80)),
        ("[fd00::1]:80", ("fd00::1", 80)),
        ("web", ("web", 0)),
    ],
)
def test_address_is_split(address, parts):
    assert split_address(address) == parts
