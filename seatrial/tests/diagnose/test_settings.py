"""Settings of pods, and the hosts that they name."""

from __future__ import annotations

import pytest
from seatrial.diagnose.settings import named_hosts, named_services, settings_of


def test_settings_are_variables_arguments_and_config_maps():
    spec = {
        "initContainers": [{"env": [{"name": "A", "value": "1"}]}],
        "containers": [
            {
                "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}, {"name": "C"}],
                "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}],
                "args": ["--x"],
            }
        ],
        "volumes": [{"configMap": {"name": "c"}}],
    }
    found = list(settings_of(spec, "shop", {("shop", "c"): {"k": "v"}}))

    assert found == [("A", "1"), ("B", "v"), ("C", ""), ("k", "v"), ("its command", "--x"), ("k", "v")]


@pytest.mark.parametrize(
    ("setting", "value", "hosts"),
    [
        ("X", "postgresql://u:p@db:5432/shop", ["db"]),
        ("DB_HOST", "db", ["db"]),
        ("NAME", "db", []),
    ],
)
def test_hosts_are_those_of_addresses_and_of_variables_with_a_telling_name(setting, value, hosts):
    assert named_hosts(setting, value) == hosts


def test_service_is_named_with_or_without_its_namespace():
    known = {("shop", "db"), ("data", "db")}

    assert list(named_services("DB_HOST", "db", "shop", known)) == [("shop", "db")]
    assert list(named_services("DB_HOST", "db.data.svc", "shop", known)) == [("data", "db")]
