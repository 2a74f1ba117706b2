"""Provide artefacts: look what is there, pull or download what can be had, build the rest."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foundry import plan, schedule, tools
from foundry.artefacts import Artefact, Catalogue
from foundry.builder import Builder
from foundry.engine import Engine, Image
from foundry.errors import FoundryError
from foundry.machine import Cache
from foundry.plan import Status
from foundry.progress import Progress, duration
from foundry.registries import Registries, own
from foundry.state import PulledImage, State, Tool
from foundry.store import Store


@dataclass
class Provider:
    """The artefacts of a project on this machine."""

    catalogue: Catalogue
    keys: Mapping[str, str]
    cache: Cache
    engine: Engine
    arch: str
    registries: Registries
    say: Callable[[str], None]  # tells the user one line of progress
    store: Store = field(init=False)
    state: State = field(init=False)
    builder: Builder = field(init=False)
    _no_release: str = ""  # why official releases are not asked for any more

    def __post_init__(self) -> None:
        self.store = Store(self.cache)
        self.state = State.load(self.cache.root / "state.json")
        self.builder = Builder(self.catalogue, self.keys, self.cache, self.engine, self.store)

    # -- what is there -------------------------------------------------------------------------------------------------

    def statuses(self) -> dict[str, Status]:
        """Every artefact's status, stand-ins counted. One call to the engine."""
        artefacts = self.catalogue.artefacts.values()
        images = self.engine.images(a.ref for a in artefacts if a.kind == "image")
        return plan.with_stand_ins({a.name: self._status(a, images) for a in artefacts})

    def local_status(self, artefact: Artefact) -> Status:
        """The status of a tool or a folder of files, without asking the engine."""
        return self._status(artefact, {})

    def _status(self, artefact: Artefact, images: Mapping[str, Image]) -> Status:
        key = self._key(artefact)
        if artefact.kind == "image":
            pulled = self.state.pulled.get(artefact.ref)
            return plan.image_status(artefact, key, images.get(artefact.ref), pulled, self._wanted(artefact))
        if artefact.kind == "tool":
            tool = self.state.tools.get(artefact.name)
            link = self.cache.bin / artefact.name
            if tool and tool.unchanged(key) and link.is_symlink() and link.readlink() == Path(tool.target):
                self.builder.programs[artefact.name] = Path(tool.target)
                return Status(artefact, ready=True, origin=tool.origin, where=tool.target)
            return Status(artefact, ready=False)
        folder = self.store.folder(artefact, key)
        if self.store.has(artefact, key):
            return Status(artefact, ready=True, origin="recipe", where=str(folder))
        return Status(artefact, ready=False)

    def _key(self, artefact: Artefact) -> str:
        return self.keys[artefact.name] if artefact.recipe else ""

    def _wanted(self, artefact: Artefact) -> str:
        return f"{artefact.upstream}@{artefact.digests.get(self.arch, '')}" if artefact.upstream else ""

    # -- getting it ----------------------------------------------------------------------------------------------------

    def up(self, names: Iterable[str], *, refresh: bool = False) -> dict[str, Status]:
        """Provide artefacts from the first source that has them; returns the statuses afterwards.

        With `refresh`, registries are asked again even for what a recipe has built or something stands in for.
        """
        statuses, names = self._renamed(), list(names)
        missing = [n for n in names if not statuses[n].ready or (refresh and self._may_improve(statuses[n]))]
        if not missing:
            return statuses
        build = [name for name in missing if not self._obtain(self.catalogue[name])]
        wanted = list(dict.fromkeys(self._stand_in(name) for name in build))
        self.make(wanted)
        statuses = self.statuses()
        if wanted and all(statuses[name].ready for name in names):
            self.cache.drop_compiled()
        return statuses

    def _renamed(self) -> dict[str, Status]:
        """The statuses, after tagging up-to-date images that an earlier foundry left under their former names."""
        statuses = self.statuses()
        missing = [s.artefact for s in statuses.values() if s.artefact.kind == "image" and not s.ready]
        former = self.engine.images(artefact.former_ref for artefact in missing)
        for artefact in (one for one in missing if one.former_ref in former):
            image, pulled = former[artefact.former_ref], self.state.pulled.get(artefact.former_ref)
            if plan.image_status(artefact, self._key(artefact), image, pulled, self._wanted(artefact)).ready:
                self.engine.tag(image.id, artefact.ref)
                if pulled:
                    self.state.pulled[artefact.ref] = pulled
                    self.state.save()
                self.say(f"  {artefact.ref}: present as {artefact.former_ref}, tagged")
        return self.statuses() if former else statuses

    def _may_improve(self, status: Status) -> bool:
        return bool(status.stood_in_by) or (status.origin == "recipe" and bool(status.artefact.upstream))

    def _stand_in(self, name: str) -> str:
        artefact = self.catalogue[name]
        return artefact.name if artefact.recipe else artefact.stand_in or name

    def _obtain(self, artefact: Artefact) -> bool:
        """Get an artefact without building it."""
        if artefact.kind == "image":
            return self._pull(artefact)
        if artefact.kind == "tool":
            return self._find(artefact)
        return False

    def _pull(self, artefact: Artefact) -> bool:
        before = dict(self.registries.silent)
        pulled = self.registries.pull(artefact, self._key(artefact))
        for name in self.registries.silent.keys() - before.keys():
            self.say(f"  {name} does not answer here: {self.registries.silent[name]}")
        if not pulled:
            return False
        self.state.pulled[artefact.ref] = PulledImage(pulled.image.id, self._wanted(artefact), pulled.source)
        self.state.save()
        self.say(f"  {artefact.ref}: pulled {pulled.source}")
        return True

    def _find(self, artefact: Artefact) -> bool:
        found = tools.on_path(artefact, self.cache.bin)
        if found:
            program, version = found
            self._link(artefact, program, "PATH", version)
            return True
        if artefact.release and not self._no_release:
            self.cache.work.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f"{artefact.name}-", dir=self.cache.work))
            try:
                tools.download(artefact, artefact.release, self.arch, scratch / artefact.name)
                self.store.put(artefact, self.keys[artefact.name], scratch)
            except FoundryError as error:
                self._no_release = error.why or error.what
                self.say(f"  official releases cannot be had here: {self._no_release}")
                return False
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            self._link(artefact, self.store.program(artefact, self.keys[artefact.name]), "release", artefact.version)
            return True
        return False

    def _link(self, artefact: Artefact, target: Path, origin: str, version: str) -> None:
        self.cache.bin.mkdir(parents=True, exist_ok=True)
        link = self.cache.bin / artefact.name
        temporary = link.with_name(f".{artefact.name}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)
        self.state.tools[artefact.name] = Tool.of(self.keys[artefact.name], target, origin, version)
        self.state.save()
        self.builder.programs[artefact.name] = target
        self.say(f"  {artefact.name} {version}: {origin}, {target}")

    # -- making it -----------------------------------------------------------------------------------------------------

    def make(self, names: Iterable[str], *, force: bool = False) -> list[str]:
        """Build artefacts by recipe, with whatever inputs they lack; returns the names of all that was built.

        Raises:
            FoundryError: one or more builds failed; those that did not need them were done all the same.
        """
        wanted = list(names)
        statuses = self._renamed()
        ready = {name for name, status in statuses.items() if status.ready and not status.stood_in_by}
        for name in wanted:
            by_recipe = statuses[name].origin == "recipe"
            if force or not by_recipe:
                ready.discard(name)
        order = plan.closure(self.catalogue, wanted, ready)
        # A tool that is only an input (a compiler) need not be ours.
        for name in [n for n in order if self.catalogue[n].kind == "tool" and n not in wanted]:
            if self._find(self.catalogue[name]):
                ready.add(name)
        order = plan.closure(self.catalogue, wanted, ready)
        if order:
            self._run(order)
        return order

    def _run(self, order: list[str]) -> None:
        began = time.monotonic()
        with Progress({name: max(self.catalogue[name].seconds, 1.0) for name in order}) as progress:
            say, self.say = self.say, progress.say
            try:
                failed = schedule.run(self.catalogue, order, self._build, progress)
            finally:
                self.say = say
        if failed:
            lost = plan.doomed(self.catalogue, order, failed)
            why = f"for want of it, not tried: {', '.join(sorted(lost))}" if lost else ""
            try_ = "read the log named above, then run the same command again: what is done stays done"
            raise FoundryError(f"not built: {', '.join(failed)}", why, try_)
        self.say(f"  built {len(order)} artefacts in {duration(time.monotonic() - began)}")

    def _build(self, name: str) -> None:
        artefact = self.catalogue[name]
        self.builder.build(artefact)
        if artefact.kind == "tool":
            self._link(artefact, self.store.program(artefact, self.keys[name]), "recipe", artefact.version)
        elif artefact.kind == "image":
            self.state.pulled.pop(artefact.ref, None)

    # -- giving it away, and away with it ------------------------------------------------------------------------------

    def push(self, registry: str, names: Iterable[str]) -> list[str]:
        """Push images to a private registry, for other machines' `FOUNDRY_REGISTRY`; returns their names there."""
        statuses = self.statuses()
        pushed = []
        for name in names:
            artefact = self.catalogue[name]
            if artefact.kind != "image" or not artefact.recipe:
                continue
            if statuses[name].origin != "recipe":
                raise FoundryError(f"{artefact.ref} was not built here", "", f"run: foundry build {name}")
            ref = own(registry, artefact, self.keys[name])
            self.engine.tag(artefact.ref, ref)
            try:
                self.engine.run("push", "--quiet", ref)
            finally:
                self.engine.remove_images([ref])
            pushed.append(ref)
        return pushed

    def remove(self, names: Iterable[str]) -> list[str]:
        """Remove artefacts from engine, store and PATH folder; returns what was removed."""
        removed = []
        for artefact in (self.catalogue[name] for name in names):
            if artefact.kind == "image":
                if self.engine.image(artefact.ref):
                    self.engine.remove_images([artefact.ref])
                    removed.append(artefact.ref)
                self.state.pulled.pop(artefact.ref, None)
                continue
            for folder in [self.store.folder(artefact, self.keys[artefact.name]), *self.store.others(artefact, "-")]:
                if folder.is_dir():
                    shutil.rmtree(folder)
                    removed.append(str(folder))
            if self.state.tools.pop(artefact.name, None):
                (self.cache.bin / artefact.name).unlink(missing_ok=True)
        self.state.save()
        return removed
