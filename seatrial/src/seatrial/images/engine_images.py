"""Know which images the container engine has, by one request for many of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seatrial.model.result import ImageUsed
from seatrial.ports import Images, LocalImage

__all__ = ["EngineImages", "image_used"]

_STANDS_IN: Final = "dev.seatrial.stands-in-for"
"""Label of a stand-in image: the name of the real one."""


class EngineImages:
    """Images on the engine, as known to one run.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Images) -> None:
        self._engine = engine
        self._known: dict[str, LocalImage | None] = {}

    def inspect(self, references: Iterable[str]) -> None:
        """Request those images that are not known yet, all at once."""
        new = [each for each in dict.fromkeys(references) if each not in self._known]
        if new:
            found = self._engine.inspect(new)
            self._known |= {each: found.get(each) for each in new}

    def renew(self, references: Iterable[str]) -> None:
        """Request images again: they may have been pulled meanwhile."""
        again = list(references)
        if again:
            self._known |= self._engine.inspect(again)

    def put(self, reference: str, image: LocalImage) -> None:
        """Add an image that was just built."""
        self._known[reference] = image

    def get(self, reference: str) -> LocalImage | None:
        """Return an image, None if the engine does not have it or was not asked for it."""
        return self._known.get(reference)

    def present(self, references: Iterable[str]) -> dict[str, LocalImage]:
        """Return those of the images that the engine has."""
        return {each: image for each in references if (image := self._known.get(each)) is not None}


def image_used(reference: str, image: LocalImage | None, digest: str) -> ImageUsed:
    """Return an image as the result of a run names it.

    Args:
        reference: its name.
        image: the image on the engine; None: the engine does not have it.
        digest: of its manifest in a registry, or its id; empty if unknown.
    """
    if image is None:
        return ImageUsed(reference=reference, digest="")
    stands_in = image.labels.get(_STANDS_IN, "")
    return ImageUsed(reference=reference, digest=digest, size=image.size, stands_in_for=stands_in)
