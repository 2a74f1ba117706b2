"""Build artefacts by their recipes: inputs first, output atomic, a log each."""

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
from foundry.artefacts import Artefact, Catalogue
from foundry.engine import Engine
from foundry.errors import CommandFailedError, FoundryError
from foundry.keys import recipe_digests
from foundry.recipe import Build
from foundry.store import Store, remove


@dataclass
class Builder:
    """What every build shares."""

    catalogue: Catalogue
    keys: Mapping[str, str]
    cache: machine.Cache
    engine: Engine
    store: Store
    programs: dict[str, Path] = field(default_factory=dict)  # tools found elsewhere than in the store
    _compiling: threading.Lock = field(default_factory=threading.Lock)
    _digests: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._digests = recipe_digests(self.catalogue)

    def log(self, artefact: Artefact) -> Path:
        """The log of an artefact's last build."""
        return self.cache.logs / f"{artefact.name}.log"

    def build(self, artefact: Artefact) -> None:
        """Build one artefact whose inputs are all there.

        Raises:
            FoundryError: the recipe failed; says where its log is and how it ended.
        """
        key = self.keys[artefact.name]
        log = self.log(artefact)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"# {artefact.name} {artefact.version}, key {key}, {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n")
        self.cache.work.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{artefact.name}-", dir=self.cache.work))
        try:
            build = self._prepare(artefact, key, log, scratch)
            self._recipe(artefact)(build)
            self._finish(artefact, key, build)
        except CommandFailedError as error:
            raise FoundryError(
                f"{artefact.name} could not be built: {error.what}", error.tail, f"read the whole log: {log}"
            ) from error
        except FoundryError as error:
            raise FoundryError(
                f"{artefact.name} could not be built: {error.what}", error.why, error.try_ or f"read the log: {log}"
            ) from error
        except Exception as error:
            with log.open("a") as file:
                traceback.print_exc(file=file)
            raise FoundryError(
                f"{artefact.name} could not be built: its recipe is wrong",
                f"{type(error).__name__}: {error}",
                f"read the log: {log}",
            ) from error
        finally:
            # Gone already when foundry was interrupted.
            if scratch.exists():
                remove(scratch)

    def _prepare(self, artefact: Artefact, key: str, log: Path, scratch: Path) -> Build:
        inputs = [self.catalogue[name] for name in artefact.inputs]
        paths = {one.name: self.path(one) for one in inputs if one.kind != "image"}
        go = str(self.program(self.catalogue["go"])) if "go" in artefact.inputs else "go"
        return Build(
            artefact=artefact,
            recipe=self.catalogue.recipe(artefact.recipe),
            key=key,
            engine=self.engine,
            cache=self.cache,
            go=golang.Go(self.cache, go, self._compiling),
            log=log,
            scratch=scratch,
            refs={one.name: one.ref for one in inputs if one.kind == "image"},
            paths=paths,
            ca_files=machine.ca_files() if artefact.machine_ca else (),
        )

    def path(self, artefact: Artefact) -> Path:
        """The folder of a `files` artefact; of a tool, the folder its program is in."""
        if artefact.kind == "tool":
            return self.program(artefact).parent
        return self.store.folder(artefact, self.keys[artefact.name])

    def program(self, artefact: Artefact) -> Path:
        """The program of a tool, wherever it was found."""
        return self.programs.get(artefact.name) or self.store.program(artefact, self.keys[artefact.name])

    def _recipe(self, artefact: Artefact) -> Callable[[Build], None]:
        if not artefact.recipe:
            raise FoundryError(f"{artefact.name} has no recipe", f"only {artefact.upstream} provides it")
        file = self.catalogue.recipe(artefact.recipe)
        if not file.is_file():
            raise FoundryError(f"there is no recipe {file}")
        spec = importlib.util.spec_from_file_location(f"foundry.recipes.{artefact.recipe}", file)
        if spec is None or spec.loader is None:
            raise FoundryError(f"{file} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if recipe_digests(self.catalogue)[artefact.name] != self._digests[artefact.name]:
            raise FoundryError("its recipe was changed meanwhile", "", "run the same command again")
        build: Callable[[Build], None] = module.build
        return build

    def _finish(self, artefact: Artefact, key: str, build: Build) -> None:
        if artefact.kind == "image":
            if not build.image_id:
                raise FoundryError(f"the recipe of {artefact.name} made no image")
            before = self.engine.image(artefact.ref)
            self.engine.tag(build.image_id, artefact.ref)
            # By its id an image goes with the one name that it may still have, and that would be somebody else's.
            if before and before.id != build.image_id and before.names == (artefact.ref,):
                self.engine.remove_images([before.id])
            return
        if not any(build.out.iterdir()):
            raise FoundryError(f"the recipe of {artefact.name} left nothing in its output folder")
        for folder, _, _ in os.walk(build.out):
            Path(folder).chmod(0o755)
        self.store.put(artefact, key, build.out)
        # The one before stays: going back to another branch costs nothing then.
        for old in self.store.others(artefact, key)[1:]:
            remove(old)


def empty_work(cache: machine.Cache) -> None:
    """Remove the scratch folders of builds that were killed; only with the lock held."""
    if cache.work.is_dir():
        for folder in cache.work.iterdir():
            remove(folder)
