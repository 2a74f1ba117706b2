"""Where benchmarks work: copies of projects in one folder, names of their own, and how all of it goes again.

The names are fixed, so that what a killed benchmark left is found and removed by the next one.
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
"""Name of the images that plain commands build."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_WORK: Final = _CACHE / "seatrial-benchmarks"
"""One for all checkouts, as the names are; and not below one of them, whose .gitignore would count."""
_NOT_COPIED: Final = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".seatrial", ".coverage", "*.egg-info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder to work in.

    Attributes:
        root: of the repository.
        work: the folder; projects are copied into it.
        lock: file whose flock is held while working, where several people share a machine; None: nobody else does.
    """

    root: Path = _ROOT
    work: Path = _WORK
    lock: Path | None = None
    _held: list[IO[str]] = field(default_factory=list)
    _up: set[str] = field(default_factory=set)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the machine for oneself: nobody else who honours the lock works meanwhile."""
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
        """Let others work while nothing is done here but sit out a timeout."""
        for file in self._held:
            fcntl.flock(file, fcntl.LOCK_UN)
        try:
            yield
        finally:
            for file in self._held:
                fcntl.flock(file, fcntl.LOCK_EX)

    def folder(self, project: str) -> Path:
        """Return the folder of a project's copy. Its name is in the labels of the images that the tool builds of it."""
        return self.work / f"benchmark-{project}"

    def copy(self, project: str, source: Path, entries: tuple[str, ...]) -> Path:
        """Copy a project anew, so that a benchmark can change it.

        Args:
            project: name of the copy.
            source: the project.
            entries: files and folders to take.
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
        """Return where programs run: in the copy of a project, or in the folder of all.

        Nobody's settings count, and nobody's kubeconfig. The tool's cluster has the name of the project.
        """
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SEATRIAL_", "PYTEST_"))}
        # Where `make setup` puts kind, Helm and kubectl unless the machine has those that are wanted.
        tools = Path(env.get("FOUNDRY_CACHE") or _CACHE / "foundry") / "bin"
        env["PATH"] = os.pathsep.join((str(tools), env.get("PATH", os.defpath)))
        env["KUBECONFIG"] = str(self.work / "kubeconfig")
        env["NO_COLOR"] = "1"
        if project:
            env["SEATRIAL_CLUSTER_NAME"] = f"seatrial-benchmark-{project}"
        return Shell(self.folder(project) if project else self.work, env)

    def seatrial(self, project: str, *argv: str, codes: tuple[int, ...] = (0,)) -> Done:
        """Run the tool in a project."""
        return self.shell(project).run(sys.executable, "-m", "seatrial", *argv, codes=codes)

    def keep(self, project: str) -> Shell:
        """Have the tool keep an environment of a project, and return a shell whose kubectl and helm reach it."""
        if project not in self._up:
            self.seatrial(project, "up")
            self._up.add(project)
        exports: dict[str, str] = json.loads(self.seatrial(project, "env", "--json").text)
        shell = self.shell(project)
        return Shell(shell.cwd, {**shell.env, **exports})

    def remove_all(self) -> None:
        """Remove all that benchmarks make: of this one, and of one that was killed."""
        self.work.mkdir(parents=True, exist_ok=True)
        shell = self.shell()
        for folder in self.work.glob("benchmark-*"):
            # There may be no environment.
            self.seatrial(folder.name.removeprefix("benchmark-"), "down", codes=())
            self._remove_images(shell, f"label=seatrial.dev/project={folder.name}")
            shutil.rmtree(folder)
        shell.run("kind", "delete", "cluster", "--name", PLAIN_CLUSTER)
        shell.run("docker", "rm", "--force", "--volumes", REGISTRY, codes=())
        self._remove_images(shell, f"reference={IMAGE}")
        self._remove_images(shell, f"reference=localhost:*/{IMAGE}")

    def keep_evidence(self, name: str) -> None:
        """Put what the tool's last runs left where `remove_all` does not look."""
        for latest in self.work.glob("benchmark-*/.seatrial/runs/latest"):
            target = self.work / "failed" / f"{name}-{latest.resolve().name}"
            if not target.exists():
                shutil.copytree(latest, target)

    def _remove_images(self, shell: Shell, which: str) -> None:
        listed = shell.run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", which)
        for name in dict.fromkeys(listed.text.split()):
            shell.run("docker", "rmi", "--force", name, codes=())
