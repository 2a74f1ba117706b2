"""The Docker engine through its command line client: what foundry asks of it, and the labels it writes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry import process
from foundry.errors import CommandFailedError, FoundryError

LABEL = "dev.seatrial.foundry"
KEY_LABEL = f"{LABEL}.key"


@dataclass(frozen=True)
class Image:
    """What the engine knows about one image."""

    id: str
    size: int  # bytes, unpacked
    architecture: str
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()  # repository@sha256:… of each registry it was pulled from or pushed to
    names: tuple[str, ...] = ()  # repository:tag

    @property
    def key(self) -> str:
        """The key it was built for; empty for an image that foundry did not build."""
        return self.labels.get(KEY_LABEL, "")


@dataclass(frozen=True)
class Engine:
    """A Docker engine, reached as the user's own `docker` command reaches it.

    `FOUNDRY_DOCKER_HOST` names another one for foundry alone.
    """

    host: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Engine:
        """The engine that `FOUNDRY_DOCKER_HOST` names, else the client's default."""
        return cls(environment.get("FOUNDRY_DOCKER_HOST", ""))

    @property
    def argv(self) -> tuple[str, ...]:
        """The client's command, with the engine's address."""
        return ("docker", "--host", self.host) if self.host else ("docker",)

    def run(self, *words: str | Path, log: Path | None = None, stdin: Any = None, timeout: float | None = None) -> str:
        """Run a docker command and return what it printed."""
        # The classic builder is part of every engine from 18.09 on; BuildKit's client is a plugin that may be absent.
        return process.run(
            (*self.argv, *words),
            log=log,
            stdin=stdin,
            timeout=timeout,
            env={"DOCKER_BUILDKIT": "0", "BUILDKIT_PROGRESS": "plain"},
        )

    def version(self) -> str:
        """The engine's version; empty when none answers."""
        try:
            return self.run("version", "--format", "{{.Server.Version}}", timeout=20).strip()
        except Exception:  # noqa: BLE001 - no client, no daemon, no permission: each means that no engine answers
            return ""

    def images(self, refs: Iterable[str]) -> dict[str, Image]:
        """Those of the named images that exist. One call, whatever the number."""
        wanted = list(refs)
        if not wanted:
            return {}
        # `image inspect` prints what it finds and fails for the rest, without saying which of the names each entry
        # answers; RepoTags tell.
        done = subprocess.run(
            (*self.argv, "image", "inspect", *wanted), capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        found = {}
        for entry in json.loads(done.stdout or b"[]"):
            image = _image(entry)
            for name in (*(entry.get("RepoTags") or ()), entry["Id"]):
                if name in wanted:
                    found[name] = image
        return found

    def image(self, ref: str) -> Image | None:
        """One image by any name or id it has, or None."""
        try:
            return _image(json.loads(self.run("image", "inspect", ref))[0])
        except CommandFailedError:
            return None

    def build(
        self, context: Path, *, dockerfile: Path | None, args: Mapping[str, str], network: str, log: Path | None
    ) -> str:
        """Build a context with the classic builder and return the image's id."""
        words: list[str | Path] = ["build", "--rm", "--force-rm", "--quiet", "--network", network]
        words += [f"--build-arg={name}={value}" for name, value in args.items()]
        if dockerfile:
            words += ["--file", dockerfile]
        return self.run(*words, context, log=log).strip().splitlines()[-1]

    def pull(
        self,
        ref: str,
        *,
        arch: str,
        patience: Callable[[float], bool] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        """Pull an image for one platform.

        `patience` is asked with the seconds so far whether to wait on for the registry's first answer; `watch` gets
        each line of progress.
        """
        words = (*self.argv, "pull", f"--platform=linux/{arch}", ref)
        process.run(words, patience=patience, watch=watch)

    def ways_out(self) -> list[str]:
        """The proxies and registry mirrors that the engine itself is configured with, as URLs."""
        with contextlib.suppress(FoundryError, ValueError):
            info = json.loads(self.run("info", "--format", "{{json .}}", timeout=20))
            mirrors = (info.get("RegistryConfig") or {}).get("Mirrors") or []
            return [url for url in (*mirrors, info.get("HttpsProxy"), info.get("HttpProxy")) if url]
        return []

    def tag(self, image: str, ref: str) -> None:
        """Give an image a name."""
        self.run("tag", image, ref)

    def remove_images(self, refs: Sequence[str]) -> None:
        """Remove names; images lose their data when no other name or container needs them.

        A digest stays while the image has a tag of the same repository: the engine would remove that, too, and it is
        the user's.
        """
        for ref in refs:
            if "@" in ref and self._has_tag(ref):
                continue
            try:
                self.run("image", "rm", ref)
            except CommandFailedError as error:
                if (
                    "No such image" not in error.tail
                    and "being used" not in error.tail
                    and "dependent" not in error.tail
                ):
                    raise

    def _has_tag(self, ref: str) -> bool:
        image, repository = self.image(ref), _familiar(ref.partition("@")[0])
        return image is not None and any(_familiar(name).rpartition(":")[0] == repository for name in image.names)

    def remove_scratch(self, cache: Path) -> None:
        """Remove the containers that builds of a dead foundry left; only with that cache's lock held.

        Works even after `process.stop_all`, as it is what an interrupted foundry does last.
        """
        ids = self._quietly("ps", "--all", "--quiet", "--filter", f"name=^/?{scratch_prefix(cache)}").split()
        if ids:
            self._quietly("rm", "--force", "--volumes", *ids)

    def _quietly(self, *words: str) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            done = subprocess.run(
                (*self.argv, *words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30
            )
            return done.stdout
        return ""


def _familiar(repository: str) -> str:
    """Return a repository as the engine lists it: without Docker Hub's name, which nobody writes."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"):
        if repository.startswith(prefix):
            return repository.removeprefix(prefix)
    return repository.removeprefix("library/")


def scratch_prefix(cache: Path) -> str:
    """How the names of build containers begin: another cache's builds may be running on the same engine."""
    return f"foundry-build-{hashlib.sha256(str(cache).encode()).hexdigest()[:8]}-"


def _image(entry: Mapping[str, Any]) -> Image:
    return Image(
        id=entry["Id"],
        size=entry.get("Size", 0),
        architecture=entry.get("Architecture", ""),
        labels=(entry.get("Config") or {}).get("Labels") or {},
        digests=tuple(entry.get("RepoDigests") or ()),
        names=tuple(entry.get("RepoTags") or ()),
    )
