"""Build artifacts from their recipes, with a log each. An output appears complete or not at all."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foundry import golang, machine
from foundry.artifacts import Artifact, Catalog
from foundry.engine import Engine
from foundry.errors import CommandFailedError, FoundryError
from foundry.keys import recipe_digests
from foundry.recipe import Build
from foundry.store import Store, remove


@dataclass
class Builder:
    """Build artifacts of one catalog; shared by all builds of a run."""

    catalog: Catalog
    keys: Mapping[str, str]
    cache: machine.Cache
    engine: Engine
    store: Store
    programs: dict[str, Path] = field(default_factory=dict)  # tools found outside the store
    _compiling: threading.Lock = field(default_factory=threading.Lock)
    _digests: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._digests = recipe_digests(self.catalog)

    def log(self, artifact: Artifact) -> Path:
        """Return the log file of an artifact's last build."""
        return self.cache.logs / f"{artifact.name}.log"

    def build(self, artifact: Artifact) -> None:
        """Build one artifact whose inputs are all present.

        Raises:
            FoundryError: the recipe failed; names the log and the last lines.
        """
        key = self.keys[artifact.name]
        log = self.log(artifact)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"# {artifact.name} {artifact.version}, key {key}, {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n")
        self.cache.work.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{artifact.name}-", dir=self.cache.work))
        try:
            build = self._prepare(artifact, key, log, scratch)
            self._recipe(artifact)(build)
            self._finish(artifact, key, build)
        except CommandFailedError as error:
            raise FoundryError(
                f"{artifact.name} build failed: {error.message}", error.tail, f"read the log: {log}"
            ) from error
        except FoundryError as error:
            raise FoundryError(
                f"{artifact.name} build failed: {error.message}", error.reason, error.hint or f"read the log: {log}"
            ) from error
        except Exception as error:
            with log.open("a") as file:
                traceback.print_exc(file=file)
            raise FoundryError(
                f"{artifact.name} build failed: error in the recipe",
                f"{type(error).__name__}: {error}",
                f"read the log: {log}",
            ) from error
        finally:
            # An interrupted foundry has removed it already.
            if scratch.exists():
                remove(scratch)

    def _prepare(self, artifact: Artifact, key: str, log: Path, scratch: Path) -> Build:
        inputs = [self.catalog[name] for name in artifact.inputs]
        paths = {one.name: self.path(one) for one in inputs if one.kind != "image"}
        go = str(self.program(self.catalog["go"])) if "go" in artifact.inputs else "go"
        return Build(
            artifact=artifact,
            recipe=self.catalog.recipe(artifact.recipe),
            key=key,
            engine=self.engine,
            cache=self.cache,
            go=golang.Go(self.cache, go, self._compiling),
            log=log,
            scratch=scratch,
            refs={one.name: one.ref for one in inputs if one.kind == "image"},
            paths=paths,
            ca_files=machine.ca_files() if artifact.machine_ca else (),
        )

    def path(self, artifact: Artifact) -> Path:
        """Return the folder of a `files` artifact, or the folder that contains a tool's program."""
        if artifact.kind == "tool":
            return self.program(artifact).parent
        return self.store.folder(artifact, self.keys[artifact.name])

    def program(self, artifact: Artifact) -> Path:
        """Return the program of a tool, from PATH or the store."""
        return self.programs.get(artifact.name) or self.store.program(artifact, self.keys[artifact.name])

    def _recipe(self, artifact: Artifact) -> Callable[[Build], None]:
        if not artifact.recipe:
            raise FoundryError(f"{artifact.name} has no recipe", f"only {artifact.upstream} provides it")
        file = self.catalog.recipe(artifact.recipe)
        if not file.is_file():
            raise FoundryError(f"recipe not found: {file}")
        spec = importlib.util.spec_from_file_location(f"foundry.recipes.{artifact.recipe}", file)
        if spec is None or spec.loader is None:
            raise FoundryError(f"cannot load recipe {file}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if recipe_digests(self.catalog)[artifact.name] != self._digests[artifact.name]:
            raise FoundryError("the recipe changed during the run", "", "run the command again")
        build: Callable[[Build], None] = module.build
        return build

    def _finish(self, artifact: Artifact, key: str, build: Build) -> None:
        if artifact.kind == "image":
            if not build.image_id:
                raise FoundryError(f"the recipe of {artifact.name} created no image")
            before = self.engine.image(artifact.ref)
            self.engine.tag(build.image_id, artifact.ref)
            # Removing by id also removes a single remaining name, which might belong to the user.
            if before and before.id != build.image_id and before.names == (artifact.ref,):
                self.engine.remove_images([before.id])
            return
        if not any(build.out.iterdir()):
            raise FoundryError(f"the recipe of {artifact.name} left its output folder empty")
        for folder, _, _ in os.walk(build.out):
            Path(folder).chmod(0o755)
        self.store.put(artifact, key, build.out)
        # The previous output is kept: switching back to another branch then needs no build.
        for old in self.store.others(artifact, key)[1:]:
            remove(old)


def empty_work(cache: machine.Cache) -> None:
    """Remove scratch folders of killed builds. Hold the lock while calling."""
    if cache.work.is_dir():
        for folder in cache.work.iterdir():
            remove(folder)
