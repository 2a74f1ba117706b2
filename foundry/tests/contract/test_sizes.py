"""Images are pulled by every fresh node: each has a size that it must not outgrow."""

from __future__ import annotations

import json

import pytest

LIMITS = {"python": 200, "postgresql": 300, "localstack": 350, "jaeger": 100, "iceberg-rest": 350}  # MB, unpacked


@pytest.mark.parametrize("artefact", LIMITS)
def test_an_image_is_no_larger_than_it_may_be(artefact, catalogue, engine):
    found = json.loads(engine("image", "inspect", catalogue[artefact].ref))[0]

    assert found["Size"] <= LIMITS[artefact] * 1_000_000


def test_images_stand_on_one_debian(catalogue, engine):
    """Their common layers reach a node once."""

    def layers(artefact):
        return json.loads(engine("image", "inspect", catalogue[artefact].ref))[0]["RootFS"]["Layers"]

    base = layers("debian")
    origins = {name: layers(name)[: len(base)] for name in ("python", "postgresql", "localstack", "iceberg-rest")}

    assert origins == dict.fromkeys(origins, base)
    assert layers("localstack")[: len(layers("python"))] == layers("python")
