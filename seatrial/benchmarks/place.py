"""Manage the resources of benchmarks: project copies in one folder, fixed names, and cleanup.

The names are fixed, so that the next benchmark finds and removes the leftovers of a killed one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from benchmarks.commands import Done, Shell

__all__ = ["IMAGE", "PLAIN_CLUSTER", "REGISTRY", "Place"]

PLAIN_CLUSTER: Final = "seatrial-benchmark-plain"
REGISTRY: Final = "seatrial-benchmark-registry"
IMAGE: Final = "seatrial-benchmark"
"""The name of images that plain commands build."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_WORK: Final = _CACHE / "seatrial-benchmarks"
"""One folder for all checkouts, because the names are shared, and outside of them, because of their .gitignore."""
_NOT_COPIED: Final = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".seatrial", ".coverage", "*.egg-info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of the benchmarks.

    Attributes:
        root: the repository.
        work: the folder for copies of projects.
        lock: a file whose lock is held during measurements on a shared machine; None: no lock.
    """

    root: Path = _ROOT
    work: Path = _WORK
    lock: Path | None = None
    _held: list[IO[str]] = field(default_factory=list)
    _up: set[str] = field(default_factory=set)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the machine, so that no other process that uses it runs meanwhile."""
        if self.lock is None:
            yield
            return
        with self.lock.open("a") as file:
            self._held.append(file)
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                self._held.remove(file)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Release the lock while only waiting for a timeout."""
        for file in self._held:
            fcntl.flock(file, fcntl.LOCK_UN)
        try:
            yield
        finally:
            for file in self._held:
                fcntl.flock(file, fcntl.LOCK_EX)

    def folder(self, project: str) -> Path:
        """Return the folder of a project's copy. Its name is in the labels of images that seatrial builds of it."""
        return self.work / f"benchmark-{project}"

    def copy(self, project: str, source: Path, entries: tuple[str, ...]) -> Path:
        """Copy a project, replacing an earlier copy, so that a benchmark can change it.

        Args:
            project: name of the copy.
            source: the project.
            entries: files and folders to copy.
        """
        folder = self.folder(project)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for entry in (source / name for name in entries):
            if entry.is_dir():
                shutil.copytree(entry, folder / entry.name, ignore=_NOT_COPIED)
            else:
                shutil.copyfile(entry, folder / entry.name)
        return folder

    def shell(self, project: str = "") -> Shell:
        """Return a shell in the copy of a project, or in the folder of all copies.

        User settings and the user's kubeconfig are not used. seatrial's cluster has the project's name. Python keeps
        compiled modules, as after an installation, also if the caller's environment says otherwise.
        """
        unset = ("SEATRIAL_", "PYTEST_", "PYTHON")
        env = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        # The folder in which `make setup` installs missing or unsuitable versions of kind, Helm and kubectl.
        tools = Path(env.get("FOUNDRY_CACHE") or _CACHE / "foundry") / "bin"
        env["PATH"] = os.pathsep.join((str(tools), env.get("PATH", os.defpath)))
        env["KUBECONFIG"] = str(self.work / "kubeconfig")
        env["NO_COLOR"] = "1"
        if project:
            env["SEATRIAL_CLUSTER_NAME"] = f"seatrial-benchmark-{project}"
        return Shell(self.folder(project) if project else self.work, env)

    def seatrial(self, project: str, *argv: str, codes: tuple[int, ...] = (0,)) -> Done:
        """Run seatrial in a project."""
        return self.shell(project).run(sys.executable, "-m", "seatrial", *argv, codes=codes)

    def keep(self, project: str) -> Shell:
        """Bring up an environment of a project, and return a shell with access for kubectl and helm."""
        if project not in self._up:
            self.seatrial(project, "up")
            self._up.add(project)
        exports: dict[str, str] = json.loads(self.seatrial(project, "env", "--json").text)
        shell = self.shell(project)
        return Shell(shell.cwd, {**shell.env, **exports})

    def remove_all(self) -> None:
        """Delete all resources of benchmarks, including those of a killed one."""
        self.work.mkdir(parents=True, exist_ok=True)
        shell = self.shell()
        for folder in self.work.glob("benchmark-*"):
            # The environment may not exist.
            for kind in ("kubernetes", "compose"):
                self.seatrial(folder.name.removeprefix("benchmark-"), "down", "--env", kind, codes=())
            self._remove_images(shell, f"label=seatrial.dev/project={folder.name}")
            shutil.rmtree(folder)
        shell.run("kind", "delete", "cluster", "--name", PLAIN_CLUSTER)
        shell.run("docker", "rm", "--force", "--volumes", REGISTRY, codes=())
        self._remove_images(shell, f"reference={IMAGE}")
        self._remove_images(shell, f"reference=localhost:*/{IMAGE}")

    @contextmanager
    def deleting_replaced_image(self) -> Iterator[None]:
        """Delete the image that loses its name to a build in the block: `remove_all` finds images by name."""
        shell = self.shell()
        before = self._image(shell)
        yield
        if before and before != self._image(shell):
            # Not if a container still uses it.
            shell.run("docker", "rmi", before, codes=())

    def keep_evidence(self, name: str) -> None:
        """Copy the files of seatrial's last runs to a folder that `remove_all` keeps."""
        for latest in self.work.glob("benchmark-*/.seatrial/runs/latest"):
            target = self.work / "failed" / f"{name}-{latest.resolve().name}"
            if not target.exists():
                shutil.copytree(latest, target)

    def _image(self, shell: Shell) -> str:
        """Return the id of the newest image that plain commands built; empty without one."""
        return shell.run("docker", "image", "ls", "--quiet", "--no-trunc", f"{IMAGE}:latest").text.strip()

    def _remove_images(self, shell: Shell, which: str) -> None:
        listed = shell.run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", which)
        for name in dict.fromkeys(listed.text.split()):
            shell.run("docker", "rmi", "--force", name, codes=())
