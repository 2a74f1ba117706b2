"""The upgrade of examples/orders-api from version 1 to version 2, and six breaks to plant in version 2."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from plants import Plant

EXAMPLE: Final = Path(__file__).resolve().parents[2] / "examples" / "orders-api"
ACCEPTED: Final = "accepted-differences.toml"
CHART: Final = "chart/templates/api.yaml"
DATABASE: Final = "chart/templates/postgresql.yaml"
APP: Final = "orders/app.py"

CONFIGURATION: Final = """\
project = "orders-api-0d2f4c11"

[cluster]
name = "seatrial-upgrade"

[[image]]
name = "orders-api"
target = "app"

[[image]]
name = "orders-api-tests"
target = "tests"

[[release]]
name = "orders-api"
chart = "chart"
images = { "image" = "orders-api" }
set = { "replicas" = 1 }

[runner]
image = "orders-api-tests"
command = ["pytest"]

[timeouts]
ready = 120
"""

TEST: Final = """

@pytest.mark.before_upgrade
def test_order_is_created_before_the_upgrade(api: httpx.Client) -> None:
    assert api.post("/orders", json={"item": "kept", "quantity": 1}).status_code == httpx.codes.CREATED


def test_order_survives_the_upgrade(api: httpx.Client) -> None:
    assert [each["item"] for each in api.get("/orders").json()] == ["kept"]
"""

INTENDED: Final = """\
[[accepted]]
difference = "image orders-api"
owner = "orders"
reason = "version 2 is another image"
expires = 2099-12-31
"""

VERSION_2: Final = Plant(
    "version 2", ((APP, 'return jsonify(status="ok"), 200', 'return jsonify(status="ok"), 200  # 2'),), ""
)

EGRESS: Final = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: inside}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{to: [{namespaceSelector: {}}]}]
"""
"""Connections to a port that a Service does not have leave the cluster, where a transparent proxy may answer them."""

POLICY: Final = """
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders-api}
spec:
  podSelector: {matchLabels: {app: orders-api}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
"""

BREAKS: Final = (
    Plant(
        "renamed column",
        ((APP, "INSERT INTO orders (item, quantity)", "INSERT INTO orders (item, amount)"),),
        "init-or-migration",
    ),
    Plant(
        "lost volume",
        ((DATABASE, "mountPath: /var/lib/postgresql/data }", "mountPath: /var/lib/postgresql/old }"),),
        "mounts",
    ),
    Plant("changed port", ((CHART, "port: 80,", "port: 8080,"),), "port"),
    Plant(
        "removed variable", ((CHART, '            - { name: PGDATABASE, value: "orders" }\n', ""),), "missing-variable"
    ),
    Plant(
        "stricter policy",
        ((CHART, "apiVersion: v1\nkind: Service", f"{POLICY.strip()}\n---\napiVersion: v1\nkind: Service"),),
        "network-policy",
    ),
    Plant(
        "slower start",
        (
            (
                APP,
                "    from waitress import serve\n",
                "    import time\n\n    from waitress import serve\n\n    time.sleep(25)\n",
            ),
        ),
        "slow-service",
    ),
)
"""Each is added to version 2."""


def write_project(root: Path) -> None:
    """Write version 1 with a configuration and tests of the upgrade."""
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__", ".pytest_cache"))
    (root / "seatrial.toml").write_text(CONFIGURATION)
    (root / ACCEPTED).write_text(INTENDED)
    (root / "chart" / "templates" / "egress.yaml").write_text(EGRESS)
    tests = root / "tests" / "test_orders.py"
    tests.write_text(tests.read_text() + TEST)
    fixtures = root / "tests" / "conftest.py"
    # Blocked connections get no answer, and each test would wait that long.
    fixtures.write_text(fixtures.read_text().replace("timeout=10", "timeout=2"))
    settings = root / "pytest.ini"
    settings.write_text(settings.read_text() + "markers = before_upgrade: creates what must survive\n")


def write_version(root: Path, plant: Plant | None) -> None:
    """Write version 2 over the project, with one break."""
    for path in (APP, CHART, DATABASE):
        shutil.copy(EXAMPLE / path, root / path)
    VERSION_2.apply(root)
    if plant is not None:
        plant.apply(root)
