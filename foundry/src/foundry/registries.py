"""Where images can be pulled from: the upstream registry, or a private one that mirrors it or holds foundry's own.

Each registry is asked once in a run. One that does not answer within the budget of all of them is not asked again.
The engine does the asking, with its own mirrors, proxies and credentials.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field

from foundry.artefacts import Artefact
from foundry.engine import Engine, Image
from foundry.errors import CommandFailedError, FoundryError
from foundry.keys import SHORT

BUDGET = 3.0  # seconds for all registries that never answer, together
HUB = "docker.io"


@dataclass(frozen=True)
class Source:
    """One place an artefact can be pulled from."""

    ref: str
    key: str = ""  # the label it must carry; empty for an upstream image


@dataclass(frozen=True)
class Pulled:
    """An image as it came."""

    image: Image
    source: str  # reference with digest


def host(ref: str) -> str:
    """The registry of a reference (https://github.com/distribution/reference)."""
    first, slash, _ = ref.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else HUB


def path(ref: str) -> str:
    """The repository (with tag or digest) inside its registry."""
    if host(ref) != HUB:
        return ref.partition("/")[2]
    bare = ref.removeprefix(f"{HUB}/")
    return bare if "/" in bare else f"library/{bare}"


def sources(artefact: Artefact, key: str, arch: str, private: str) -> list[Source]:
    """Where to try, in order: foundry's own image in the private registry, upstream's there, upstream's at home."""
    found = []
    if private and key:
        found.append(Source(own(private, artefact, key), key))
    if artefact.upstream:
        pinned = artefact.upstream
        if digest := artefact.digests.get(arch):
            name, _, tag = pinned.rpartition(":")
            pinned = f"{pinned if '/' in tag or not name else name}@{digest}"
        if private:
            found.append(Source(f"{private.rstrip('/')}/{path(pinned)}"))
        found.append(Source(pinned))
    return found


def own(private: str, artefact: Artefact, key: str) -> str:
    """The name of a foundry image in a private registry; the key in the tag lets versions live side by side."""
    return f"{private.rstrip('/')}/foundry/{artefact.name}:{artefact.version}-{key[:SHORT]}"


@dataclass
class Registries:
    """Registries as this run has found them."""

    engine: Engine
    arch: str
    private: str = field(default_factory=lambda: os.environ.get("FOUNDRY_REGISTRY", ""))
    silent: dict[str, str] = field(default_factory=dict)  # host -> why it is not asked any more
    _answered: set[str] = field(default_factory=set)
    _budget: float = BUDGET
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pull(self, artefact: Artefact, key: str) -> Pulled | None:
        """The image from the first source that has it, under its own name on the engine; None if none has."""
        for source in sources(artefact, key, self.arch, self.private):
            if self._try(source):
                image = self.engine.image(source.ref)
                if image and image.architecture == self.arch and (not source.key or image.key == source.key):
                    self.engine.tag(image.id, artefact.ref)
                    self._untag(source.ref, artefact.ref)
                    return Pulled(image, resolved(source.ref, image.digests))
                self._untag(source.ref, artefact.ref)
        return None

    def _try(self, source: Source) -> bool:
        name = host(source.ref)
        with self._lock:  # one at a time until a registry has answered: nobody waits twice for a silent one
            if name in self.silent:
                return False
            if name not in self._answered:
                return self._first(source, name)
        return self._pull(source, None)

    def _first(self, source: Source, name: str) -> bool:
        if self._budget <= 0:
            self.silent[name] = "not asked: other registries took the time for asking"
            return False
        began = time.monotonic()
        try:
            self.engine.pull(source.ref, arch=self.arch, patience=self._budget)
        except CommandFailedError as error:
            if not absent(error.tail):
                self.silent[name] = error.tail.splitlines()[-1] if error.tail else "no reason given"
                return False
            self._answered.add(name)
            return False
        except FoundryError as error:
            self._budget -= time.monotonic() - began
            self.silent[name] = error.what
            return False
        self._answered.add(name)
        return True

    def _pull(self, source: Source, patience: float | None) -> bool:
        try:
            self.engine.pull(source.ref, arch=self.arch, patience=patience)
        except FoundryError:
            return False
        return True

    def _untag(self, ref: str, keep: str) -> None:
        # Names of upstream's stay upstream's: whoever pulls them later shall get what the registry has then.
        if ref != keep:
            with contextlib.suppress(FoundryError):
                self.engine.remove_images([ref])


def absent(told: str) -> bool:
    """Whether a failed pull means that the registry answered and does not have the image (or does not show it)."""
    signs = ("not found", "manifest unknown", "access denied", "no matching manifest", "unauthorized", "name unknown")
    return any(sign in told.lower() for sign in signs) and "toomanyrequests" not in told


def resolved(ref: str, digests: tuple[str, ...]) -> str:
    """A reference with the digest that it has; the reference itself when the engine knows none."""
    name = ref.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    for digest in digests:
        if digest.partition("@")[0] in {repository, path(repository), path(repository).removeprefix("library/")}:
            return f"{name}@{digest.partition('@')[2]}"
    return ref
