"""Differences to plant in the project: what to change, and which rules have to explain it.

Nothing here imports the comparing code: a plant is a change of files, and its expectation a few words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

CHART: Final = "chart/templates/all.yaml"
API: Final = "chart/files/api.py"
STORE: Final = "chart/files/store.py"
DATA: Final = "chart/files/data.json"
TESTS: Final = "tests/test_api.py"

INIT: Final = """\
      initContainers:
        - name: wait-for-store
"""
FALSE_LINKS: Final = "enableServiceLinks: false # api"
API_LIMITS: Final = "limits: {memory: 96Mi}} # api"


@dataclass(frozen=True)
class Plant:
    """One planted difference.

    Attributes:
        name: kind and variant.
        edits: path, old text, new text.
        rule: the rule that must explain at least one difference; empty: every difference must be unexplained.
        also: rules that may explain other differences of the same plant.
    """

    name: str
    edits: tuple[tuple[str, str, str], ...]
    rule: str
    also: frozenset[str] = frozenset()

    def apply(self, root: Path) -> None:
        """Change the files of a copy of the project."""
        for path, old, new in self.edits:
            text = (root / path).read_text()
            assert old in text, f"{self.name}: {path} has no {old!r}"
            (root / path).write_text(text.replace(old, new))


def _without_init() -> tuple[str, str, str]:
    text = (Path(__file__).parent / "project" / CHART).read_text()
    start = text.index(INIT)
    return CHART, text[start : text.index("      containers:\n        - name: api\n", start)], ""


PLANTS: Final = (
    Plant("localhost URL in the API", ((CHART, "http://store:9000", "http://localhost:9000"),), "localhost"),
    Plant("localhost URL in a test", ((TESTS, "http://api:8080", "http://localhost:8080"),), "localhost"),
    Plant("service link that crashes", ((CHART, FALSE_LINKS, "enableServiceLinks: true"),), "service-links"),
    Plant(
        "service link with a wrong value",
        ((CHART, FALSE_LINKS, "enableServiceLinks: true"), (API, 'int(os.environ.get("API_PORT", "8080"))', "8080")),
        "service-links",
    ),
    Plant(
        "missing probe of a slow service",
        (
            (CHART, "readinessProbe: {tcpSocket: {port: 9000}, periodSeconds: 1} # store", ""),
            (STORE, "START = 2", "START = 12"),
        ),
        "missing-probe",
    ),
    Plant(
        "missing probe of the API",
        (
            (
                CHART,
                "readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, timeoutSeconds: 10}",
                "",
            ),
        ),
        "missing-probe",
    ),
    Plant("memory limit under load", ((CHART, API_LIMITS, "limits: {memory: 40Mi}}"),), "limits"),
    Plant(
        "memory limit at the start", ((CHART, "limits: {memory: 64Mi}} # store", "limits: {memory: 22Mi}}"),), "limits"
    ),
    Plant(
        "start order without a waiting step",
        (_without_init(), (API, "NEEDS_STORE = False", "NEEDS_STORE = True"), (STORE, "START = 2", "START = 12")),
        "start-order",
        frozenset({"slow-service"}),
    ),
    Plant(
        "start order with a step that does not wait",
        (
            (CHART, "while True:", "while False:"),
            (API, "NEEDS_STORE = False", "NEEDS_STORE = True"),
            # Another number than that of the plant before, so that the store starts again.
            (STORE, "START = 2", "START = 13"),
        ),
        "start-order",
        frozenset({"slow-service"}),
    ),
    Plant("variable of the API", ((CHART, "value: exact", "value: loose"),), "variable-value"),
    Plant("variable of the tests", (("seatrial.toml", 'REGION = "eu"', 'REGION = "us"'),), "variable-value"),
    Plant("image of the API", (("api/VERSION", "1", "2"),), "image-digest"),
    Plant("image of the store", (("store/VERSION", "1", "2"),), "image-digest"),
    Plant(
        "skipped test",
        ((TESTS, "def test_rate(", '@pytest.mark.skip(reason="no rates here")\ndef test_rate('),),
        "skipped",
    ),
    Plant("test that is not collected", ((TESTS, "def test_price(", "def price("),), "skipped"),
    Plant("slow answers", ((DATA, '"delay": 0', '"delay": 0.8'),), "slow-service"),
    Plant("slow program", ((API, 'time.sleep(DATA["delay"])', "time.sleep(0.7)"),), "slow-service"),
    Plant("underscore in a variable", ((CHART, "http://store:9000", "http://key_store:9000"),), "underscore"),
    Plant("underscore in a test", ((TESTS, "http://api:8080", "http://stock_api:8080"),), "underscore"),
)
"""Ten kinds, two variants each."""

COMPOSE: Final = "compose.yaml"
HEALTHCHECK: Final = """\
    healthcheck:
      test: [CMD, python3, -c, "import socket; socket.create_connection(('127.0.0.1', 9000), 1)"]
      interval: 1s
      retries: 60
"""
NO_CONDITION: Final = (COMPOSE, "{ store: { condition: service_healthy } }", "[store]")

IN_COMPOSE: Final = {
    "localhost URL in the API": ((COMPOSE, "http://store:9000", "http://localhost:9000"),),
    "missing probe of a slow service": (
        (COMPOSE, HEALTHCHECK, ""),
        NO_CONDITION,
        (STORE, "START = 2", "START = 12"),
    ),
    "memory limit under load": ((COMPOSE, "mem_limit: 96m", "mem_limit: 40m"),),
    "variable of the API": ((COMPOSE, "MODE: exact", "MODE: loose"),),
    "underscore in a variable": ((COMPOSE, "http://store:9000", "http://key_store:9000"),),
}
"""The edits of plants that change the chart, for Compose. Other plants change files that both environments use."""

RESTARTS: Final = {"api": {API, DATA}, "store": {STORE}}
"""Service to the mounted files that it reads at its start."""


def plants_in_compose() -> tuple[Plant, ...]:
    """Return the plants that exist in Compose."""
    found = []
    for plant in (*PLANTS, *UNKNOWN):
        edits = IN_COMPOSE.get(plant.name, plant.edits)
        paths = {path for path, *_ in edits}
        if CHART in paths:
            continue
        # Compose does not see that a mounted file changed: a label of its own recreates the container.
        restarts = tuple(
            (COMPOSE, f"{name}-1", f"{name}-{plant.name.replace(' ', '-')}")
            for name, files in RESTARTS.items()
            if paths & files
        )
        found.append(replace(plant, edits=(*edits, *restarts)))
    return tuple(found)


UNKNOWN: Final = (
    Plant("another rate", ((DATA, "19", "7"),), ""),
    Plant("another order", ((DATA, '["a", "b"]', '["b", "a"]'),), ""),
    Plant("another greeting", ((DATA, "hello", "bonjour"),), ""),
    Plant("another rounding", ((DATA, '"digits": 2', '"digits": 1'),), ""),
    Plant("another content type", ((DATA, "application/json", "text/json"),), ""),
)
"""Files of a ConfigMap change the answers: no fact and no text tells why."""
