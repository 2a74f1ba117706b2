from __future__ import annotations

from seatrial.compose.service_probes import probes_of
from seatrial.model.spec import ReadySpec, ServiceSpec


def test_host_is_the_name_of_the_service():
    found = probes_of({"web": ServiceSpec(port=80, ready=ReadySpec(http="/ok", port=81)), "db": ServiceSpec(port=5432)})

    assert [(each["name"], each["host"], each["port"], each["http"]) for each in found] == [
        ("web", "web", 81, "/ok"),
        ("db", "db", 5432, None),
    ]


def test_configured_name_of_the_service_is_its_host():
    (found,) = probes_of({"orders": ServiceSpec(port=80, name="orders-api", namespace="shop")})

    assert (found["name"], found["host"]) == ("orders", "orders-api")
