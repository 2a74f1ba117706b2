"""Provide the API of recipes.

A recipe is one module `foundry/recipes/<name>.py` with one function::

    def build(b: Build) -> None: ...

`b` has the artifact's version and options from `artifacts.toml`, its finished inputs, a scratch folder, and the methods
below. An `image` recipe ends with exactly one of `image_build`, `image_import` and `image_commit`. A `files` or `tool`
recipe leaves its result in `b.out` (a tool: a program with the artifact's name). The image name and the store entry are
set after the recipe succeeded, so a failed or killed recipe leaves no partial result.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from foundry import debian, golang, machine, process
from foundry.artifacts import Artifact
from foundry.engine import KEY_LABEL, LABEL, Engine, scratch_prefix
from foundry.errors import FoundryError


@dataclass
class Container:
    """A running build container. `Build.image_commit` turns its changes into a layer."""

    build: Build
    image: str
    id: str
    env: Mapping[str, str]

    def exec(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: IO[bytes] | bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program in the container as root and return its standard output."""
        words: list[str | Path] = ["exec", *(["--interactive"] if stdin is not None else [])]
        words += [f"--env={name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        return self.build.docker(*words, "--user=0", self.id, *argv, stdin=stdin)

    def sh(self, script: str) -> str:
        """Run a shell script in the container; it ends at the first failing command."""
        return self.exec(["sh", "-ec", script])

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder from this machine into the container (as `docker cp` does)."""
        self.build.docker("cp", source, f"{self.id}:{target}")


@dataclass
class Build:
    """One build of one artifact."""

    artifact: Artifact
    recipe: Path  # the recipe's module
    key: str
    engine: Engine
    cache: machine.Cache
    go: golang.Go
    log: Path
    scratch: Path  # empty at the start, removed afterwards
    refs: Mapping[str, str]  # inputs of kind image: name -> reference
    paths: Mapping[str, Path]  # inputs of kind files and tool: name -> folder
    ca_files: tuple[Path, ...] = ()  # the machine's own CA files; empty unless artifacts.toml sets machine_ca = true
    arch: str = field(default_factory=machine.architecture)  # amd64 or arm64
    image_id: str = ""  # set by image_build, image_import, image_commit

    def __post_init__(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)

    @property
    def version(self) -> str:
        """The artifact's version."""
        return self.artifact.version

    @property
    def options(self) -> Mapping[str, Any]:
        """The artifact's options from `artifacts.toml`."""
        return self.artifact.options

    @property
    def out(self) -> Path:
        """The folder for the result of a `files` or `tool` recipe."""
        return self.scratch / "out"

    @property
    def assets(self) -> Path:
        """The folder with the recipe's files, `recipes/<name>/`."""
        return self.recipe.with_suffix("")

    def ref(self, name: str) -> str:
        """Return the reference of an input image."""
        return self.refs[name]

    def path(self, name: str) -> Path:
        """Return the folder of a `files` or `tool` input. Read-only."""
        return self.paths[name]

    # -- programs ------------------------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[bytes] | bytes | None = None,
    ) -> str:
        """Run a program with its output in the log and return its standard output. A failure ends the build."""
        return process.run(argv, log=self.log, cwd=cwd or self.scratch, env=env, stdin=stdin)

    def docker(self, *words: str | Path, stdin: IO[bytes] | bytes | None = None) -> str:
        """Run a docker command on the build's engine."""
        return self.engine.run(*words, log=self.log, stdin=stdin)

    def say(self, text: str) -> None:
        """Write a line to the log."""
        with self.log.open("a") as log:
            log.write(f"{text}\n")

    @property
    def network_environment(self) -> dict[str, str]:
        """The machine's proxy and package index settings, for processes in a container (never for an image)."""
        return machine.network_environment()

    # -- sources -------------------------------------------------------------------------------------------------------

    def go_build(
        self,
        module: str,
        version: str,
        packages: Sequence[str] = ("",),
        *,
        out: Path | None = None,
        ldflags: str = "-s -w",
        tags: Sequence[str] = (),
        cgo: bool = False,
        replace: Mapping[str, str] | None = None,
        require: Mapping[str, str] | None = None,
    ) -> None:
        """Build commands of a Go module into `out` (default `b.out`), each named after its package.

        Modules come from the machine's GOPROXY and are verified by Go's checksum database. Downloads of several builds
        may overlap; only one build compiles at a time.

        Args:
            module: module path.
            version: with the `v`.
            packages: folders inside the module ("" is its root).
            out: the output folder.
            ldflags: linker flags.
            tags: build tags.
            cgo: CGO_ENABLED.
            replace: module -> "module version", as `replace` lines; a dependency's own have no effect.
            require: further module -> version lines, to raise or pin a dependency.
        """
        names = [f"{module}/{package}".rstrip("/") for package in packages]
        self.go.build(
            self.scratch / "go",
            dict.fromkeys(names, version),
            out or self.out,
            run=self.run,
            ldflags=ldflags,
            tags=tags,
            cgo=cgo,
            replace=replace or {},
            require=require or {},
        )

    def go_module(self, module: str, version: str) -> Path:
        """Download and verify a Go module. Return its read-only folder."""
        return self.go.module(module, version, run=self.run)

    def debootstrap(self, suite: str, packages: Sequence[str]) -> Path:
        """Create a minimal Debian root file system with additional `packages`, without manuals and package lists.

        It uses the machine's mirror and checks Debian's signatures. If the artifact sets `machine_ca = true`, the
        machine's CA files are added and trusted (add `ca-certificates` to `packages`).
        """
        root = self.scratch / "rootfs"
        debian.debootstrap(root, suite, packages, arch=self.arch, run=self.run)
        debian.trust(root, self.ca_files, run=self.run)
        return root

    # -- images --------------------------------------------------------------------------------------------------------

    def image_build(
        self, context: Path, *, dockerfile: Path | None = None, args: Mapping[str, str] | None = None
    ) -> None:
        """Set the result to an image built from a Dockerfile (classic builder: no `RUN --mount`, no heredocs).

        `RUN` steps use the host's network, so that the machine's proxies work in them. `FROM` must name an input (pass
        its reference as a build argument: `args={"BASE": b.ref("debian")}`) or scratch.
        """
        self._finish(self.engine.build(context, dockerfile=dockerfile, args=args or {}, network="host", log=self.log))

    def image_import(self, rootfs: Path, *, changes: Sequence[str] = ()) -> None:
        """Set the result to a one-layer image of a folder. `changes` are Dockerfile lines (ENV, USER, CMD, …)."""
        self._finish(self.scratch_image(rootfs), changes)

    def image_commit(self, container: Container, *, changes: Sequence[str] = ()) -> None:
        """Set the result to a container's changes, as one layer above its image.

        User, entrypoint and other settings are those of its image, unless `changes` (Dockerfile lines) override them.
        """
        base = json.loads(self.docker("image", "inspect", "--format", "{{json .Config}}", container.image))
        # Order matters: an ENTRYPOINT line resets CMD.
        restored = [
            f"ENTRYPOINT {json.dumps(base.get('Entrypoint') or [])}",
            f"CMD {json.dumps(base.get('Cmd') or [])}",
        ]
        restored.append(f"USER {base.get('User') or 0}")
        self._finish(self.docker("commit", container.id).strip(), [*restored, *changes])

    @contextlib.contextmanager
    def container(
        self,
        image: str,
        *,
        mounts: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> Iterator[Container]:
        """Run an image as a sleeping container with the host's network, and remove it at the end.

        `mounts` (host folder -> path in the container) and `env` do not become part of a committed image.
        """
        name = f"{scratch_prefix(self.cache.root)}{self.artifact.name}-{uuid.uuid4().hex[:8]}"
        words: list[str | Path] = ["run", "--detach", "--init", f"--name={name}", "--network=host", "--user=0"]
        words += [f"--volume={source}:{target}" for source, target in (mounts or {}).items()]
        # An empty entrypoint: engine 20.10 would otherwise pass the container's entrypoint on to an image that has
        # none.
        words += [*options, "--entrypoint=", image, "sleep", "86400"]
        container = Container(self, image, self.docker(*words).strip(), env or {})
        try:
            yield container
        finally:
            self.docker("rm", "--force", "--volumes", container.id)

    def scratch_image(self, rootfs: Path) -> str:
        """Import a folder as an intermediate image and return its id, for use by `container`."""
        with subprocess.Popen(
            ["tar", "--numeric-owner", "--sort=name", "-C", str(rootfs), "-c", "."], stdout=subprocess.PIPE
        ) as tar:
            image = self.docker("import", "-", stdin=tar.stdout).strip()
        if tar.returncode:
            raise FoundryError(f"tar failed for {rootfs}")
        return image

    def _finish(self, image: str, changes: Sequence[str] = ()) -> None:
        if self.image_id:
            raise FoundryError(
                f"the recipe of {self.artifact.name} created two images", "an artifact consists of one image"
            )
        labels = {
            KEY_LABEL: self.key,
            f"{LABEL}.artifact": self.artifact.name,
            f"{LABEL}.version": self.version,
            f"{LABEL}.origin": "recipe",
            **{str(name): str(value) for name, value in self.options.get("labels", {}).items()},
        }
        labelled = " ".join(f"{json.dumps(name)}={json.dumps(value)}" for name, value in labels.items())
        lines = [f"FROM {image}", *changes, f"LABEL {labelled}"]
        context = self.scratch / "finish"
        context.mkdir()
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        self.image_id = self.docker("build", "--quiet", context).strip().splitlines()[-1]

    # -- files ---------------------------------------------------------------------------------------------------------

    def copy(self, source: Path, target: Path, *, mode: int | None = None) -> Path:
        """Copy a file, or a folder with its contents, and make the copy writable. Return the target."""
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=_copy_writable)
            for folder, _, _ in os.walk(target):
                Path(folder).chmod(0o755)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_writable(source, target)
        if mode is not None:
            target.chmod(mode)
        return target


def _copy_writable(source: str | Path, target: str | Path) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if os.access(source, os.X_OK) else 0o644)
