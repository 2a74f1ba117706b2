"""Test size limits and shared layers of built images, because every new node pulls them."""

from __future__ import annotations

import pytest

LIMITS = {"python": 200, "postgresql": 300, "localstack": 350, "jaeger": 100, "iceberg-rest": 350}  # MB, unpacked
BASES = {"python": "debian", "postgresql": "debian", "iceberg-rest": "debian", "localstack": "python"}


@pytest.fixture
def found(_stand_in_needed, artifact, catalog, inspect):
    """Provide the engine's information about an artifact's image."""
    facts = inspect(catalog[artifact].ref)
    assert facts, f"{catalog[artifact].ref} is missing; run: foundry up"
    if (facts["Config"]["Labels"] or {}).get("dev.seatrial.foundry.origin") != "recipe":
        pytest.skip(f"{catalog[artifact].ref} is upstream's image")
    return facts


@pytest.mark.parametrize("artifact", LIMITS)
def test_image_size_is_below_limit(artifact, found):
    assert found["Size"] <= LIMITS[artifact] * 1_000_000


@pytest.mark.parametrize("artifact", BASES)
def test_image_shares_base_layers(artifact, found, catalog, inspect):
    """A node pulls shared layers once."""
    base = inspect(catalog[BASES[artifact]].ref)["RootFS"]["Layers"]

    assert found["RootFS"]["Layers"][: len(base)] == base
