"""Images are pulled by every fresh node: each that a recipe makes has a size that it must not outgrow."""

from __future__ import annotations

import pytest

LIMITS = {"python": 200, "postgresql": 300, "localstack": 350, "jaeger": 100, "iceberg-rest": 350}  # MB, unpacked
BASES = {"python": "debian", "postgresql": "debian", "iceberg-rest": "debian", "localstack": "python"}


@pytest.fixture
def found(_there, artefact, catalogue, inspect):
    """What the engine knows about an artefact's image."""
    facts = inspect(catalogue[artefact].ref)
    assert facts, f"{catalogue[artefact].ref} is not there: foundry up"
    if (facts["Config"]["Labels"] or {}).get("dev.seatrial.foundry.origin") != "recipe":
        pytest.skip(f"{catalogue[artefact].ref} is upstream's own here")
    return facts


@pytest.mark.parametrize("artefact", LIMITS)
def test_an_image_is_no_larger_than_it_may_be(artefact, found):
    assert found["Size"] <= LIMITS[artefact] * 1_000_000


@pytest.mark.parametrize("artefact", BASES)
def test_an_image_stands_on_the_layers_that_others_have_too(artefact, found, catalogue, inspect):
    """They reach a node once."""
    base = inspect(catalogue[BASES[artefact]].ref)["RootFS"]["Layers"]

    assert found["RootFS"]["Layers"][: len(base)] == base
