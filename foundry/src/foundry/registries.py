"""Pull images from the upstream registry, or from a private one that mirrors it or has foundry's own images.

The engine pulls, with its own mirrors, proxies and credentials. A registry that accepts connections gets time to answer
and two retries. All registries that accept no connection together cost three seconds per run.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from foundry.artifacts import Artifact
from foundry.engine import Engine, Image
from foundry.errors import CommandFailedError, FoundryError
from foundry.keys import SHORT
from foundry.reach import Address, Probe, address, connect_address

UNREACHABLE_SECONDS = 3.0  # seconds for all unreachable registries together
ANSWER_SECONDS = 60.0  # seconds for the first answer of a registry that accepts connections
SLOW_SECONDS = 5.0  # seconds until the user is told that a registry is slow
PAUSES = (1.0, 4.0)  # seconds before the second and the third attempt
HUB = "docker.io"
HUB_SERVER = "registry-1.docker.io"


@dataclass(frozen=True)
class Source:
    """One reference that an artifact can be pulled from."""

    ref: str
    key: str = ""  # the required key label; empty for an upstream image


@dataclass(frozen=True)
class Pulled:
    """An image after a successful pull."""

    image: Image
    source: str  # reference with digest


def host(ref: str) -> str:
    """Return the registry of a reference (https://github.com/distribution/reference)."""
    first, slash, _ = ref.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else HUB


def path(ref: str) -> str:
    """Return the repository (with tag or digest) without its registry."""
    if host(ref) != HUB:
        return ref.partition("/")[2]
    bare = ref.removeprefix(f"{HUB}/")
    return bare if "/" in bare else f"library/{bare}"


def sources(artifact: Artifact, key: str, arch: str, private: str) -> list[Source]:
    """Return the sources in order: foundry's own image in the private registry, upstream's there, upstream's."""
    found = []
    if private and key:
        found.append(Source(private_ref(private, artifact, key), key))
    if artifact.upstream:
        pinned = artifact.upstream
        if digest := artifact.digests.get(arch):
            name, _, tag = pinned.rpartition(":")
            pinned = f"{pinned if '/' in tag or not name else name}@{digest}"
        if private:
            found.append(Source(f"{private.rstrip('/')}/{path(pinned)}"))
        found.append(Source(pinned))
    return found


def private_ref(private: str, artifact: Artifact, key: str) -> str:
    """Return the reference of a foundry image in a private registry. Its tag contains the key, so versions coexist."""
    return f"{private.rstrip('/')}/foundry/{artifact.name}:{artifact.version}-{key[:SHORT]}"


@dataclass
class Registries:
    """The registries and their state during this run."""

    engine: Engine
    arch: str
    say: Callable[[str], None]
    private: str = field(default_factory=lambda: os.environ.get("FOUNDRY_REGISTRY", ""))
    unreachable: dict[str, str] = field(default_factory=dict)  # host -> reason why it is no longer asked
    causes: dict[str, list[str]] = field(default_factory=dict)  # artifact -> reason why each source failed
    pauses: tuple[float, ...] = PAUSES
    _answered: set[str] = field(default_factory=set)
    _budget: float = UNREACHABLE_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pull(self, artifact: Artifact, key: str, watch: Callable[[str], None]) -> Pulled | None:
        """Pull the image from the first source that has it and give it its foundry name; None if no source has it.

        `watch` gets the engine's progress lines. Afterwards `causes` has the reasons of failed sources.
        """
        causes = self.causes.setdefault(artifact.name, [])
        for source in sources(artifact, key, self.arch, self.private):
            before = self.engine.image(source.ref)
            if reason := self._pull_from(source, watch):
                causes.append(f"{host(source.ref)}: {reason}")
                continue
            image = self.engine.image(source.ref)
            if image and image.architecture == self.arch and (not source.key or image.key == source.key):
                self.engine.tag(image.id, artifact.ref)
                self._restore_name(source.ref, artifact.ref, before)
                return Pulled(image, resolved(source.ref, image.digests))
            causes.append(
                f"{source.ref} is not the expected image: {image.architecture if image else 'deleted meanwhile'}"
            )
            self._restore_name(source.ref, artifact.ref, before)
        return None

    def _pull_from(self, source: Source, watch: Callable[[str], None]) -> str:
        """Pull from one source. Return the reason of a failure, or an empty string."""
        name = host(source.ref)
        with self._lock:  # one at a time until a registry has answered, to wait only once for an unreachable one
            if name in self.unreachable:
                return self.unreachable[name]
            if name not in self._answered:
                return self._pull_first(source, name, watch)
        reason = self._pull_with_retries(source, watch, Probe(self._addresses(name)))
        if reason:
            self._report_failure(source, name, reason)
        return reason

    def _pull_first(self, source: Source, name: str, watch: Callable[[str], None]) -> str:
        if self._budget <= 0:
            return self._mark_unreachable(name, "skipped after other registries timed out")
        probe = Probe(self._addresses(name), self._budget)
        began = time.monotonic()
        reason = self._pull_with_retries(source, watch, probe)
        if not reason or is_not_found(reason):
            self._answered.add(name)
            if reason:
                self._report_failure(source, name, reason)
            return reason
        if not probe.connected:
            self._budget -= time.monotonic() - began
        return self._mark_unreachable(name, reason)

    def _pull_with_retries(self, source: Source, watch: Callable[[str], None], probe: Probe) -> str:
        """Pull and retry transient failures. Return the reason of the last failure, or an empty string."""
        name = host(source.ref)
        slow = False

        def keep_waiting(waited: float) -> bool:
            nonlocal slow
            if waited > SLOW_SECONDS and not slow:
                slow = True
                self.say(f"  {name} accepts connections but has not answered yet; waiting up to {ANSWER_SECONDS:.0f} s")
            return waited < (ANSWER_SECONDS if probe.connected else self._budget)

        pauses = list(self.pauses)
        while True:
            try:
                self.engine.pull(source.ref, arch=self.arch, keep_waiting=keep_waiting, watch=watch)
            except FoundryError as error:
                reason = pull_failure(error)
            else:
                return ""
            if not (pauses and is_transient(reason) and probe.connected):
                return reason
            self.say(f"  {source.ref}: pull failed: {reason}; retrying")
            time.sleep(pauses.pop(0))

    def _addresses(self, name: str) -> list[Address]:
        server = HUB_SERVER if name == HUB else name
        return [connect_address(server), *(address(url) for url in self.engine.mirrors_and_proxies())]

    def _mark_unreachable(self, name: str, reason: str) -> str:
        self.unreachable[name] = reason
        self.say(f"  skipping registry {name}: {reason}")
        return reason

    def _report_failure(self, source: Source, name: str, reason: str) -> None:
        if is_rate_limited(reason):
            self._mark_unreachable(name, reason)
        # A private mirror may lack some images.
        elif not (is_not_found(reason) and self.private and source.ref.startswith(self.private)):
            self.say(f"  {source.ref}: pull failed: {reason}")

    def _restore_name(self, ref: str, keep: str, before: Image | None) -> None:
        """Restore the meaning that a name had before the pull: none, or the user's own image."""
        if ref == keep:
            return
        with contextlib.suppress(FoundryError):
            if before is None:
                # Remove upstream's name, so that a later pull by the user gets the registry's current image.
                self.engine.remove_images([ref])
            elif "@" not in ref:
                self.engine.tag(before.id, ref)


def pull_failure(error: FoundryError) -> str:
    """Return the reason why a pull failed, in the engine's words, as one line."""
    if not isinstance(error, CommandFailedError):
        return error.message
    line = error.tail.splitlines()[-1] if error.tail else "the engine gave no reason"
    return line.removeprefix("Error response from daemon: ")


def is_not_found(reason: str) -> bool:
    """Return whether the registry answered that it does not have the image (or hides it)."""
    signs = ("not found", "manifest unknown", "access denied", "no matching manifest", "unauthorized", "name unknown")
    return any(sign in reason.lower() for sign in signs) and not is_rate_limited(reason)


def is_rate_limited(reason: str) -> bool:
    """Return whether the registry refused because of a rate limit."""
    return "toomanyrequests" in reason.lower() or "rate limit" in reason.lower()


def is_transient(reason: str) -> bool:
    """Return whether an immediate retry may succeed."""
    lasting = (
        "no answer within",
        "no space left",
        "x509",
        "certificate",
        "no such host",
        "invalid reference",
        "not supported",
    )
    return (
        not is_not_found(reason) and not is_rate_limited(reason) and not any(sign in reason.lower() for sign in lasting)
    )


def resolved(ref: str, digests: tuple[str, ...]) -> str:
    """Return a reference with its digest; the reference itself if the engine knows no digest."""
    name = ref.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    for digest in digests:
        if digest.partition("@")[0] in {repository, path(repository), path(repository).removeprefix("library/")}:
            return f"{name}@{digest.partition('@')[2]}"
    return ref
