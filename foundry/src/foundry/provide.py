"""Provide artifacts: reuse those that are present, pull or download others, build the rest."""

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
from foundry.artifacts import Artifact, Catalog
from foundry.builder import Builder
from foundry.engine import Engine, Image
from foundry.errors import FoundryError
from foundry.machine import Cache
from foundry.plan import Status
from foundry.progress import Progress, duration
from foundry.registries import Registries, is_rate_limited, private_ref
from foundry.state import PulledImage, State, Tool
from foundry.store import Store

PULLS = 2
"""Concurrent pulls. Registries limit connections, and the layers of one image are pulled in parallel already."""

PULL_REMINDER = 15.0
"""Seconds between two progress lines in a log."""

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
    """The artifacts of a project on this machine."""

    catalog: Catalog
    keys: Mapping[str, str]
    cache: Cache
    engine: Engine
    arch: str
    registries: Registries
    say: Callable[[str], None]  # prints a progress line
    store: Store = field(init=False)
    state: State = field(init=False)
    builder: Builder = field(init=False)
    _no_release: str = ""  # reason why official releases are no longer tried

    def __post_init__(self) -> None:
        self.store = Store(self.cache)
        self.state = State.load(self.cache.root / "state.json")
        self.builder = Builder(self.catalog, self.keys, self.cache, self.engine, self.store)

    # -- status --------------------------------------------------------------------------------------------------------

    def statuses(self) -> dict[str, Status]:
        """Return every artifact's status, including stand-ins. Calls the engine once."""
        artifacts = self.catalog.artifacts.values()
        images = self.engine.images(a.ref for a in artifacts if a.kind == "image")
        return plan.with_stand_ins({a.name: self._status(a, images) for a in artifacts})

    def local_status(self, artifact: Artifact) -> Status:
        """Return the status of a tool or a files artifact, without calling the engine."""
        return self._status(artifact, {})

    def _status(self, artifact: Artifact, images: Mapping[str, Image]) -> Status:
        key = self._key(artifact)
        if artifact.kind == "image":
            pulled = self.state.pulled.get(artifact.ref)
            return plan.image_status(artifact, key, images.get(artifact.ref), pulled, self._wanted(artifact))
        if artifact.kind == "tool":
            tool = self.state.tools.get(artifact.name)
            link = self.cache.bin / artifact.name
            if tool and tool.unchanged(key) and link.is_symlink() and link.readlink() == Path(tool.target):
                self.builder.programs[artifact.name] = Path(tool.target)
                return Status(artifact, ready=True, origin=tool.origin, where=tool.target)
            return Status(artifact, ready=False)
        folder = self.store.folder(artifact, key)
        if self.store.has(artifact, key):
            known = self.state.tools.get(artifact.name)
            origin = known.origin if known and known.unchanged(key) else "recipe"
            return Status(artifact, ready=True, origin=origin, where=str(folder))
        return Status(artifact, ready=False)

    def _key(self, artifact: Artifact) -> str:
        return self.keys[artifact.name] if artifact.recipe else ""

    def _wanted(self, artifact: Artifact) -> str:
        return f"{artifact.upstream}@{artifact.digests.get(self.arch, '')}" if artifact.upstream else ""

    # -- pull, download, find ------------------------------------------------------------------------------------------

    def up(self, names: Iterable[str], *, refresh: bool = False) -> dict[str, Status]:
        """Provide artifacts from the first source that has them; return the new statuses.

        With `refresh`, registries are asked again for artifacts that a recipe built or that have a stand-in.
        """
        statuses, names = self._tag_former_names(), list(names)
        missing = [n for n in names if not statuses[n].ready or (refresh and self._is_refreshable(statuses[n]))]
        if not missing:
            return statuses
        lacking = self._find_or_pull([self.catalog[name] for name in missing])
        wanted = list(dict.fromkeys(self._stand_in(name) for name in missing if name in lacking))
        self.build(wanted)
        statuses = self.statuses()
        if wanted and all(statuses[name].ready for name in names):
            self.cache.delete_build_cache()
        return statuses

    def _tag_former_names(self) -> dict[str, Status]:
        """Return the statuses after tagging ready images that an earlier foundry left under their former names."""
        statuses = self.statuses()
        missing = [s.artifact for s in statuses.values() if s.artifact.kind == "image" and not s.ready]
        former = self.engine.images(artifact.former_ref for artifact in missing)
        for artifact in (one for one in missing if one.former_ref in former):
            image, pulled = former[artifact.former_ref], self.state.pulled.get(artifact.former_ref)
            if plan.image_status(artifact, self._key(artifact), image, pulled, self._wanted(artifact)).ready:
                self.engine.tag(image.id, artifact.ref)
                if pulled:
                    self.state.pulled[artifact.ref] = pulled
                    self.state.save()
                self.say(f"  {artifact.ref}: reused {artifact.former_ref}")
        return self.statuses() if former else statuses

    def _is_refreshable(self, status: Status) -> bool:
        return bool(status.stood_in_by) or (status.origin == "recipe" and bool(status.artifact.upstream))

    def _stand_in(self, name: str) -> str:
        artifact = self.catalog[name]
        return artifact.name if artifact.recipe else artifact.stand_in or name

    def _find_or_pull(self, artifacts: list[Artifact]) -> set[str]:
        """Find, download or pull artifacts. Return the names of those that no source provided."""
        images = [one for one in artifacts if one.kind == "image"]
        lacking = {one.name for one in artifacts if one.kind != "image" and not self._find_or_download(one)}
        return lacking | (self._pull_all(images) if images else set())

    def _pull_all(self, images: list[Artifact]) -> set[str]:
        """Pull images, two at a time. Return the names of those that no registry provided."""
        with Progress(dict.fromkeys((one.name for one in images), 0.0), reminder=PULL_REMINDER) as progress:
            say, self.say = self.say, progress.say
            self.registries.say = progress.say
            pool = concurrent.futures.ThreadPoolExecutor(PULLS)
            try:
                running = {pool.submit(self._pull, one, progress): one.name for one in images}
                pending = set(running)
                while pending:  # a signal that arrives just before a long wait would not interrupt it
                    _, pending = concurrent.futures.wait(pending, timeout=schedule.POLL_SECONDS)
                return {name for future, name in running.items() if not future.result()}
            except BaseException:
                process.stop_all()
                raise
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                self.say = self.registries.say = say

    def _pull(self, artifact: Artifact, progress: Progress) -> bool:
        layers: dict[str, bool] = {}  # layer -> complete
        started = threading.Event()

        def watch(line: str) -> None:
            if not started.is_set():
                started.set()
                progress.start(artifact.name, f"pulling {artifact.version}")
            layer, colon, status = line.partition(": ")
            if colon and status in LAYER_STATES:
                layers[layer] = status in LAYER_COMPLETE
                progress.note(artifact.name, f"{sum(layers.values())}/{len(layers)} layers")

        pulled = self.registries.pull(artifact, self._key(artifact), watch)
        if pulled:
            self.state.pulled[artifact.ref] = PulledImage(pulled.image.id, self._wanted(artifact), pulled.source)
            self.state.save()
            self.say(f"  {artifact.ref}: pulled {pulled.source}")
        if started.is_set():
            progress.end(artifact.name, "pulled" if pulled else "failed")
        return bool(pulled)

    def _find_or_download(self, artifact: Artifact) -> bool:
        """Find a tool on PATH, or download the official release of a tool or files artifact."""
        found = tools.on_path(artifact, self.cache.bin) if artifact.kind == "tool" else None
        if found:
            program, version = found
            self._link(artifact, program, "PATH", version)
            return True
        if artifact.release and not self._no_release:
            self.cache.work.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f"{artifact.name}-", dir=self.cache.work))
            scratch.chmod(0o755)
            file = artifact.name if artifact.kind == "tool" else artifact.release.url.rpartition("/")[2]
            try:
                tools.download(artifact, artifact.release, self.arch, scratch / file, self.say)
                stored = self.store.put(artifact, self.keys[artifact.name], scratch)
            except tools.ServerUnreachableError as error:
                self._no_release = error.message
                self.say(f"  official releases unreachable: {error.message}")
                return False
            except FoundryError as error:
                reason = f"{error.message}: {error.reason}" if error.reason else error.message
                self.registries.causes.setdefault(artifact.name, []).append(reason)
                self.say(f"  {artifact.name}: download failed: {reason}")
                return False
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            if artifact.kind == "tool":
                self._link(
                    artifact, self.store.program(artifact, self.keys[artifact.name]), "release", artifact.version
                )
            else:
                self.state.tools[artifact.name] = Tool.of(
                    self.keys[artifact.name], stored / file, "release", artifact.version
                )
                self.state.save()
            return True
        return False

    def _link(self, artifact: Artifact, target: Path, origin: str, version: str) -> None:
        self.cache.bin.mkdir(parents=True, exist_ok=True)
        link = self.cache.bin / artifact.name
        temporary = link.with_name(f".{artifact.name}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)
        self.state.tools[artifact.name] = Tool.of(self.keys[artifact.name], target, origin, version)
        self.state.save()
        self.builder.programs[artifact.name] = target
        self.say(f"  {artifact.name} {version}: {origin}, {target}")

    # -- build ---------------------------------------------------------------------------------------------------------

    def build(self, names: Iterable[str], *, force: bool = False) -> list[str]:
        """Build artifacts from their recipes, with missing inputs. Return the names of all built artifacts.

        Raises:
            FoundryError: one or more builds failed; independent builds were finished.
        """
        wanted = list(names)
        statuses = self._tag_former_names()
        ready = {name for name, status in statuses.items() if status.ready and not status.stood_in_by}
        for name in wanted:
            by_recipe = statuses[name].origin == "recipe"
            if force or not by_recipe:
                ready.discard(name)
        order = plan.closure(self.catalog, wanted, ready)
        # A tool that is only an input (a compiler) may come from PATH.
        for name in [n for n in order if self.catalog[n].kind == "tool" and n not in wanted]:
            if self._find_or_download(self.catalog[name]):
                ready.add(name)
        order = plan.closure(self.catalog, wanted, ready)
        self._check_buildable(order)
        if order:
            self._build_all(order)
        return order

    def _check_buildable(self, order: list[str]) -> None:
        """Raise an error with the causes of failed pulls if this machine cannot run a recipe in `order`.

        Raises:
            FoundryError: a recipe requires Debian or Ubuntu, and root.
        """
        needing = [name for name in order if self.catalog[name].root]
        lack = machine.why_no_root_file_system() if needing else ""
        if not lack:
            return
        causes = self._causes()
        for_want = sorted({*needing, *plan.blocked(self.catalog, order, needing)})
        hint = "fix the access to the registry (proxy, DNS, docker login), or set FOUNDRY_REGISTRY=HOST/PREFIX"
        if any(is_rate_limited(cause) for cause in causes):
            hint = "run docker login, or wait until the rate limit resets; then run the command again"
        raise FoundryError(
            f"cannot pull or build on this machine: {', '.join(for_want)}", "\n".join([*causes, lack]), hint
        )

    def _causes(self) -> list[str]:
        """Return the distinct reasons why registries and release servers failed."""
        causes = [cause for causes in self.registries.causes.values() for cause in causes]
        return list(dict.fromkeys([*causes, *([self._no_release] if self._no_release else [])]))

    def _build_all(self, order: list[str]) -> None:
        began = time.monotonic()
        with Progress({name: max(self.catalog[name].seconds, 1.0) for name in order}) as progress:
            say, self.say = self.say, progress.say
            try:
                failed = schedule.run(self.catalog, order, self._build_one, progress)
            finally:
                self.say = say
        if failed:
            lost = plan.blocked(self.catalog, order, failed)
            reason = "\n".join(
                [*([f"skipped, because an input failed: {', '.join(sorted(lost))}"] if lost else []), *self._causes()]
            )
            hint = "read the log named above, then run the command again; finished artifacts are kept"
            raise FoundryError(f"build failed: {', '.join(failed)}", reason, hint)
        self.say(f"  built {len(order)} artifacts in {duration(time.monotonic() - began)}")

    def _build_one(self, name: str) -> None:
        artifact = self.catalog[name]
        self.builder.build(artifact)
        if artifact.kind == "tool":
            self._link(artifact, self.store.program(artifact, self.keys[name]), "recipe", artifact.version)
        elif artifact.kind == "image":
            self.state.pulled.pop(artifact.ref, None)

    # -- push and remove -----------------------------------------------------------------------------------------------

    def push(self, registry: str, names: Iterable[str]) -> list[str]:
        """Push images to a private registry, for `FOUNDRY_REGISTRY` on other machines. Return the references."""
        statuses = self.statuses()
        pushed = []
        for name in names:
            artifact = self.catalog[name]
            if artifact.kind != "image" or not artifact.recipe:
                continue
            if statuses[name].origin != "recipe":
                raise FoundryError(f"{artifact.ref} was not built here", "", f"run: foundry build {name}")
            ref = private_ref(registry, artifact, self.keys[name])
            self.engine.tag(artifact.ref, ref)
            try:
                self.engine.run("push", "--quiet", ref)
            finally:
                self.engine.remove_images([ref])
            pushed.append(ref)
        return pushed

    def remove(self, names: Iterable[str]) -> list[str]:
        """Remove artifacts from the engine, the store and the PATH folder. Return their names or paths."""
        removed = []
        for artifact in (self.catalog[name] for name in names):
            if artifact.kind == "image":
                if self.engine.image(artifact.ref):
                    self.engine.remove_images([artifact.ref])
                    removed.append(artifact.ref)
                self.state.pulled.pop(artifact.ref, None)
                continue
            for folder in [self.store.folder(artifact, self.keys[artifact.name]), *self.store.others(artifact, "-")]:
                if folder.is_dir():
                    shutil.rmtree(folder)
                    removed.append(str(folder))
            if self.state.tools.pop(artifact.name, None):
                (self.cache.bin / artifact.name).unlink(missing_ok=True)
        self.state.save()
        return removed
