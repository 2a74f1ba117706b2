"""Names, overrides, endpoints."""

from __future__ import annotations

import pytest
from seatrial.pod.fixtures.endpoint import Endpoint, cluster_host, cluster_names, override, overrides
from seatrial.pod.fixtures.location import Location

NEAR = {"service": "db", "namespace": "shop"}
FAR = {"service": "db", "namespace": "data"}


def test_endpoint():
    it = Endpoint("orders", "127.128.0.1", 80, "http", Location("host", "because"))

    assert (it.address, it.url, str(it)) == ("127.128.0.1:80", "http://127.128.0.1:80", "http://127.128.0.1:80")


def test_names_are_those_that_a_pod_has():
    assert cluster_host(NEAR, "shop") == "db"
    assert cluster_host(FAR, "shop") == "db.data"
    assert cluster_names(NEAR, "shop") == ("db", "db.shop", "db.shop.svc", "db.shop.svc.cluster.local")
    assert "db" not in cluster_names(FAR, "shop")


@pytest.mark.parametrize(
    ("text", "parts"),
    [("h:1", ("h", 1, "")), ("https://h:443/x", ("h", 443, "https")), ("[::1]:80", ("::1", 80, ""))],
)
def test_override(text, parts):
    assert override(text) == parts


@pytest.mark.parametrize("text", ["h", "h:", ":1", "h:port", "http://h", "h:99999"])
def test_no_override(text):
    with pytest.raises(ValueError, match="is not HOST:PORT or SCHEME://HOST:PORT"):
        override(text)


def test_options_win_over_variables():
    environ = {"SEATRIAL_SERVICE_ORDERS_DB": "a:1", "SEATRIAL_SERVICE_WEB": "https://b:2"}
    found = overrides(["orders-db", "web", "x"], environ, ["web=c:3"])

    assert found == {
        "orders-db": ("a", 1, "", "SEATRIAL_SERVICE_ORDERS_DB says so"),
        "web": ("c", 3, "", "--seatrial-service says so"),
    }


def test_bad_ones_are_told_by_their_names():
    with pytest.raises(ValueError, match="SEATRIAL_SERVICE_WEB: 'b' is not"):
        overrides(["web"], {"SEATRIAL_SERVICE_WEB": "b"}, [])
    with pytest.raises(ValueError, match="--seatrial-service web=b: 'b' is not"):
        overrides(["web"], {}, ["web=b"])
    with pytest.raises(ValueError, match="no service 'wbe'; known: web"):
        overrides(["web"], {}, ["wbe=b:1"])
