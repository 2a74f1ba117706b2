"""Provide artefacts: look what is there, pull or download what can be had, build the rest."""

from __future__ import annotations

import concurrent.futures
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foundry import machine, plan, process, schedule, tools
from foundry.artefacts import Artefact, Catalogue
from foundry.builder import Builder
from foundry.engine import Engine, Image
from foundry.errors import FoundryError
from foundry.machine import Cache
from foundry.plan import Status
from foundry.progress import Progress, duration
from foundry.registries import Registries, limited, own
from foundry.state import PulledImage, State, Tool
from foundry.store import Store

PULLS = 2
"""Pulls at a time: registries limit connections, and layers of one image come in parallel already."""

PULL_REMINDER = 15.0
"""Seconds between two lines of progress on a log."""

LAYER_STATES = (
    "Pulling fs layer",
    "Waiting",
    "Verifying Checksum",
    "Download complete",
    "Pull complete",
    "Already exists",
)
LAYER_COMPLETE = ("Pull complete", "Already exists")


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
            known = self.state.tools.get(artefact.name)
            origin = known.origin if known and known.unchanged(key) else "recipe"
            return Status(artefact, ready=True, origin=origin, where=str(folder))
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
        lacking = self._obtain([self.catalogue[name] for name in missing])
        wanted = list(dict.fromkeys(self._stand_in(name) for name in missing if name in lacking))
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

    def _obtain(self, artefacts: list[Artefact]) -> set[str]:
        """Get artefacts without building them; returns the names of those that this did not provide."""
        images = [one for one in artefacts if one.kind == "image"]
        lacking = {one.name for one in artefacts if one.kind != "image" and not self._find(one)}
        return lacking | (self._pull_all(images) if images else set())

    def _pull_all(self, images: list[Artefact]) -> set[str]:
        """Pull images, two at a time; returns the names of those that no registry provided."""
        with Progress(dict.fromkeys((one.name for one in images), 0.0), reminder=PULL_REMINDER) as progress:
            say, self.say = self.say, progress.say
            self.registries.say = progress.say
            pool = concurrent.futures.ThreadPoolExecutor(PULLS)
            try:
                running = {pool.submit(self._pull, one, progress): one.name for one in images}
                pending = set(running)
                while pending:  # looking up often: a signal that comes just before a long wait would wake nobody
                    _, pending = concurrent.futures.wait(pending, timeout=schedule.LOOK)
                return {name for future, name in running.items() if not future.result()}
            except BaseException:
                process.stop_all()
                raise
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                self.say = self.registries.say = say

    def _pull(self, artefact: Artefact, progress: Progress) -> bool:
        layers: dict[str, bool] = {}  # layer -> complete
        started = threading.Event()

        def watch(line: str) -> None:
            if not started.is_set():
                started.set()
                progress.start(artefact.name, f"pulling {artefact.version}")
            layer, colon, status = line.partition(": ")
            if colon and status in LAYER_STATES:
                layers[layer] = status in LAYER_COMPLETE
                progress.note(artefact.name, f"{sum(layers.values())}/{len(layers)} layers")

        pulled = self.registries.pull(artefact, self._key(artefact), watch)
        if pulled:
            self.state.pulled[artefact.ref] = PulledImage(pulled.image.id, self._wanted(artefact), pulled.source)
            self.state.save()
            self.say(f"  {artefact.ref}: pulled {pulled.source}")
        if started.is_set():
            progress.end(artefact.name, "pulled" if pulled else "failed")
        return bool(pulled)

    def _find(self, artefact: Artefact) -> bool:
        """Get a tool from PATH or its release, or files from their release."""
        found = tools.on_path(artefact, self.cache.bin) if artefact.kind == "tool" else None
        if found:
            program, version = found
            self._link(artefact, program, "PATH", version)
            return True
        if artefact.release and not self._no_release:
            self.cache.work.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f"{artefact.name}-", dir=self.cache.work))
            scratch.chmod(0o755)
            file = artefact.name if artefact.kind == "tool" else artefact.release.url.rpartition("/")[2]
            try:
                tools.download(artefact, artefact.release, self.arch, scratch / file, self.say)
                stored = self.store.put(artefact, self.keys[artefact.name], scratch)
            except tools.ServerSilentError as error:
                self._no_release = error.what
                self.say(f"  no official releases: {error.what}")
                return False
            except FoundryError as error:
                why = f"{error.what}: {error.why}" if error.why else error.what
                self.registries.causes.setdefault(artefact.name, []).append(why)
                self.say(f"  {artefact.name}: no release: {why}")
                return False
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            if artefact.kind == "tool":
                self._link(
                    artefact, self.store.program(artefact, self.keys[artefact.name]), "release", artefact.version
                )
            else:
                self.state.tools[artefact.name] = Tool.of(
                    self.keys[artefact.name], stored / file, "release", artefact.version
                )
                self.state.save()
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
        self._refuse(order)
        if order:
            self._run(order)
        return order

    def _refuse(self, order: list[str]) -> None:
        """Build nothing where the whole cannot be built: say why it could not be had otherwise instead.

        Raises:
            FoundryError: a recipe needs Debian or Ubuntu, and root.
        """
        needing = [name for name in order if self.catalogue[name].root]
        lack = machine.no_root_file_systems() if needing else ""
        if not lack:
            return
        causes = self._causes()
        for_want = sorted({*needing, *plan.doomed(self.catalogue, order, needing)})
        try_ = (
            "make this machine reach a registry (proxy, DNS, docker login), or name one: FOUNDRY_REGISTRY=HOST/PREFIX"
        )
        if any(limited(cause) for cause in causes):
            try_ = "docker login, or wait until the registry's limit is over; then run the same command again"
        raise FoundryError(
            f"{', '.join(for_want)} cannot be pulled, nor built on this machine", "\n".join([*causes, lack]), try_
        )

    def _causes(self) -> list[str]:
        """Why registries and servers of releases did not provide something, each reason once."""
        causes = [cause for causes in self.registries.causes.values() for cause in causes]
        return list(dict.fromkeys([*causes, *([self._no_release] if self._no_release else [])]))

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
            why = "\n".join(
                [*([f"for want of it, not tried: {', '.join(sorted(lost))}"] if lost else []), *self._causes()]
            )
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
