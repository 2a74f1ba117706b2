"""Images are requested from the engine once, and all at once."""

from __future__ import annotations

from fakes import FakeImages
from seatrial.images.engine_images import EngineImages


def counting(**present):
    engine, requests = FakeImages(**present), []
    inspect = engine.inspect
    engine.inspect = lambda references: (requests.append(list(references)), inspect(references))[1]
    return EngineImages(engine), engine, requests


def test_each_image_is_requested_once():
    images, _, requests = counting(a__1="sha256:a")
    images.inspect(["a:1", "b:1", "a:1"])
    images.inspect(["a:1", "b:1"])
    images.inspect(["b:1", "c:1"])

    assert requests == [["a:1", "b:1"], ["c:1"]]
    assert images.present(["a:1", "b:1", "c:1"]).keys() == {"a:1"}
    assert images.get("b:1") is None


def test_renewed_image_is_requested_again():
    images, engine, requests = counting()
    images.inspect(["a:1"])
    engine.present["a:1"] = "sha256:a"
    images.renew(["a:1"])
    images.renew([])

    assert images.get("a:1").digest == "sha256:a"
    assert requests == [["a:1"], ["a:1"]]
