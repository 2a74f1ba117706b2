"""Control the Docker engine through the `docker` command: images, labels, scratch containers."""

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
    """An image as the engine reports it."""

    id: str
    size: int  # bytes, unpacked
    architecture: str
    labels: Mapping[str, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()  # repository@sha256:… of each registry it was pulled from or pushed to
    names: tuple[str, ...] = ()  # repository:tag

    @property
    def key(self) -> str:
        """The foundry key in the image's label; empty if foundry did not build the image."""
        return self.labels.get(KEY_LABEL, "")


@dataclass(frozen=True)
class Engine:
    """A Docker engine, reached with the user's own `docker` command and settings.

    `FOUNDRY_DOCKER_HOST` selects another engine for foundry only.
    """

    host: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Engine:
        """Return the engine of `FOUNDRY_DOCKER_HOST`, or the client's default."""
        return cls(environment.get("FOUNDRY_DOCKER_HOST", ""))

    @property
    def argv(self) -> tuple[str, ...]:
        """The client command with the engine's address."""
        return ("docker", "--host", self.host) if self.host else ("docker",)

    def run(self, *words: str | Path, log: Path | None = None, stdin: Any = None, timeout: float | None = None) -> str:
        """Run a docker command and return its standard output."""
        # Every engine since 18.09 has the classic builder. BuildKit's client is a plugin that may not be installed.
        return process.run(
            (*self.argv, *words),
            log=log,
            stdin=stdin,
            timeout=timeout,
            env={"DOCKER_BUILDKIT": "0", "BUILDKIT_PROGRESS": "plain"},
        )

    def version(self) -> str:
        """Return the engine's version; empty if it is unreachable."""
        try:
            return self.run("version", "--format", "{{.Server.Version}}", timeout=20).strip()
        except Exception:  # noqa: BLE001 - no client, no daemon or no permission: the engine is unreachable
            return ""

    def images(self, refs: Iterable[str]) -> dict[str, Image]:
        """Return the existing images among `refs`, with one call to the engine."""
        wanted = list(refs)
        if not wanted:
            return {}
        # `image inspect` prints the images it finds and fails for the rest. Only RepoTags map an entry to a name.
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
        """Return one image by name or id, or None."""
        try:
            return _image(json.loads(self.run("image", "inspect", ref))[0])
        except CommandFailedError:
            return None

    def build(
        self, context: Path, *, dockerfile: Path | None, args: Mapping[str, str], network: str, log: Path | None
    ) -> str:
        """Build a context with the classic builder and return the image id."""
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
        keep_waiting: Callable[[float], bool] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        """Pull an image for one platform.

        `keep_waiting` gets the seconds without any output and returns whether to keep waiting for the registry. `watch`
        gets each line of progress.
        """
        words = (*self.argv, "pull", f"--platform=linux/{arch}", ref)
        process.run(words, keep_waiting=keep_waiting, watch=watch)

    def mirrors_and_proxies(self) -> list[str]:
        """Return the proxies and registry mirrors in the engine's own configuration, as URLs."""
        with contextlib.suppress(FoundryError, ValueError):
            info = json.loads(self.run("info", "--format", "{{json .}}", timeout=20))
            mirrors = (info.get("RegistryConfig") or {}).get("Mirrors") or []
            return [url for url in (*mirrors, info.get("HttpsProxy"), info.get("HttpProxy")) if url]
        return []

    def tag(self, image: str, ref: str) -> None:
        """Add a name to an image."""
        self.run("tag", image, ref)

    def remove_images(self, refs: Sequence[str]) -> None:
        """Remove image names. The engine deletes an image when its last name is removed and no container uses it.

        A digest is kept while the image has a tag of the same repository, because the engine would also remove that
        tag, which belongs to the user.
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
        image, repository = self.image(ref), _short_repository(ref.partition("@")[0])
        return image is not None and any(
            _short_repository(name).rpartition(":")[0] == repository for name in image.names
        )

    def remove_scratch(self, cache: Path) -> None:
        """Remove containers of builds that a killed foundry left. Hold the cache's lock while calling.

        Works after `process.stop_all`, because an interrupted foundry calls it last.
        """
        ids = self._run_quietly("ps", "--all", "--quiet", "--filter", f"name=^/?{scratch_prefix(cache)}").split()
        if ids:
            self._run_quietly("rm", "--force", "--volumes", *ids)

    def _run_quietly(self, *words: str) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            done = subprocess.run(
                (*self.argv, *words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30
            )
            return done.stdout
        return ""


def _short_repository(repository: str) -> str:
    """Return a repository as the engine lists it, without Docker Hub's host name."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"):
        if repository.startswith(prefix):
            return repository.removeprefix(prefix)
    return repository.removeprefix("library/")


def scratch_prefix(cache: Path) -> str:
    """Return the name prefix of this cache's build containers. Other caches may build on the same engine."""
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
