"""Where images can be pulled from: the upstream registry, or a private one that mirrors it or holds foundry's own.

The engine does the pulling, with its own mirrors, proxies and credentials. A registry that accepts connections gets
time to answer and two retries; one that accepts none costs three seconds, once in a run for all of them together.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from foundry.artefacts import Artefact
from foundry.engine import Engine, Image
from foundry.errors import CommandFailedError, FoundryError
from foundry.keys import SHORT
from foundry.reach import Address, Probe, address, way_to

BUDGET = 3.0  # seconds for all registries that accept no connection, together
ANSWER = 60.0  # seconds for the first answer of a registry that accepts connections
SLOW = 5.0  # seconds until the user is told that a registry is slow
PAUSES = (1.0, 4.0)  # seconds before the second and the third try
HUB = "docker.io"
HUB_SERVER = "registry-1.docker.io"


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
    say: Callable[[str], None]
    private: str = field(default_factory=lambda: os.environ.get("FOUNDRY_REGISTRY", ""))
    silent: dict[str, str] = field(default_factory=dict)  # host -> why it is not asked any more
    causes: dict[str, list[str]] = field(default_factory=dict)  # artefact -> why each source failed
    pauses: tuple[float, ...] = PAUSES
    _answered: set[str] = field(default_factory=set)
    _budget: float = BUDGET
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pull(self, artefact: Artefact, key: str, watch: Callable[[str], None]) -> Pulled | None:
        """The image from the first source that has it, under its own name on the engine; None if none has.

        `watch` gets the engine's lines of progress. Afterwards `causes` says why sources failed.
        """
        causes = self.causes.setdefault(artefact.name, [])
        for source in sources(artefact, key, self.arch, self.private):
            before = self.engine.image(source.ref)
            if why := self._try(source, watch):
                causes.append(f"{host(source.ref)}: {why}")
                continue
            image = self.engine.image(source.ref)
            if image and image.architecture == self.arch and (not source.key or image.key == source.key):
                self.engine.tag(image.id, artefact.ref)
                self._untag(source.ref, artefact.ref, before)
                return Pulled(image, resolved(source.ref, image.digests))
            causes.append(f"{source.ref} is not the image wanted: {image.architecture if image else 'it vanished'}")
            self._untag(source.ref, artefact.ref, before)
        return None

    def _try(self, source: Source, watch: Callable[[str], None]) -> str:
        """Pull from one source; returns why that failed, or an empty text."""
        name = host(source.ref)
        with self._lock:  # one at a time until a registry has answered: nobody waits twice for a silent one
            if name in self.silent:
                return self.silent[name]
            if name not in self._answered:
                return self._first(source, name, watch)
        why = self._persist(source, watch, Probe(self._addresses(name)))
        if why:
            self._failed(source, name, why)
        return why

    def _first(self, source: Source, name: str, watch: Callable[[str], None]) -> str:
        if self._budget <= 0:
            return self._silence(name, "not asked: other registries took the time for asking")
        probe = Probe(self._addresses(name), self._budget)
        began = time.monotonic()
        why = self._persist(source, watch, probe)
        if not why or absent(why):
            self._answered.add(name)
            if why:
                self._failed(source, name, why)
            return why
        if not probe.connected:
            self._budget -= time.monotonic() - began
        return self._silence(name, why)

    def _persist(self, source: Source, watch: Callable[[str], None], probe: Probe) -> str:
        """Pull, again when it fails for a reason that may pass; returns the last try's failure, or an empty text."""
        name = host(source.ref)
        slow = False

        def patience(waited: float) -> bool:
            nonlocal slow
            if waited > SLOW and not slow:
                slow = True
                self.say(f"  {name} accepts connections but has not answered yet; waiting up to {ANSWER:.0f} s")
            return waited < (ANSWER if probe.connected else self._budget)

        pauses = list(self.pauses)
        while True:
            try:
                self.engine.pull(source.ref, arch=self.arch, patience=patience, watch=watch)
            except FoundryError as error:
                why = told(error)
            else:
                return ""
            if not (pauses and passing(why) and probe.connected):
                return why
            self.say(f"  {source.ref}: pull failed: {why}; trying again")
            time.sleep(pauses.pop(0))

    def _addresses(self, name: str) -> list[Address]:
        server = HUB_SERVER if name == HUB else name
        return [way_to(server), *(address(url) for url in self.engine.ways_out())]

    def _silence(self, name: str, why: str) -> str:
        self.silent[name] = why
        self.say(f"  no images from {name}: {why}")
        return why

    def _failed(self, source: Source, name: str, why: str) -> None:
        if limited(why):
            self._silence(name, why)
        # A private mirror need not have everything.
        elif not (absent(why) and self.private and source.ref.startswith(self.private)):
            self.say(f"  {source.ref}: pull failed: {why}")

    def _untag(self, ref: str, keep: str, before: Image | None) -> None:
        """Give a name the meaning that it had before the pull: none, or the user's own image of that name."""
        if ref == keep:
            return
        with contextlib.suppress(FoundryError):
            if before is None:
                # Names of upstream's stay upstream's: whoever pulls them later shall get what the registry has then.
                self.engine.remove_images([ref])
            elif "@" not in ref:
                self.engine.tag(before.id, ref)


def told(error: FoundryError) -> str:
    """Why a pull failed, in the engine's words, on one line."""
    if not isinstance(error, CommandFailedError):
        return error.what
    line = error.tail.splitlines()[-1] if error.tail else "the engine gave no reason"
    return line.removeprefix("Error response from daemon: ")


def absent(why: str) -> bool:
    """Whether a failed pull means that the registry answered and does not have the image (or does not show it)."""
    signs = ("not found", "manifest unknown", "access denied", "no matching manifest", "unauthorized", "name unknown")
    return any(sign in why.lower() for sign in signs) and not limited(why)


def limited(why: str) -> bool:
    """Whether a registry refuses because this address or account pulls too much."""
    return "toomanyrequests" in why.lower() or "rate limit" in why.lower()


def passing(why: str) -> bool:
    """Whether a failed pull may succeed when it is tried again at once."""
    lasting = (
        "no answer within",
        "no space left",
        "x509",
        "certificate",
        "no such host",
        "invalid reference",
        "not supported",
    )
    return not absent(why) and not limited(why) and not any(sign in why.lower() for sign in lasting)


def resolved(ref: str, digests: tuple[str, ...]) -> str:
    """A reference with the digest that it has; the reference itself when the engine knows none."""
    name = ref.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    for digest in digests:
        if digest.partition("@")[0] in {repository, path(repository), path(repository).removeprefix("library/")}:
            return f"{name}@{digest.partition('@')[2]}"
    return ref
