"""What a recipe works with.

A recipe is one module `foundry/recipes/<name>.py` with one function::

    def build(b: Build) -> None: ...

`b` has the artefact's version and options from `artefacts.toml`, its finished inputs, a scratch folder, and the few
things that builds are made of. A recipe of kind `image` ends with exactly one of `image_build`, `image_import` and
`image_commit`; one of kind `files` or `tool` leaves its result in `b.out` (a tool: a program of the artefact's name).
Whatever a recipe leaves half done when it fails or is killed counts for nothing: names and store are set afterwards.
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
from foundry.artefacts import Artefact
from foundry.engine import KEY_LABEL, LABEL, Engine, scratch_prefix
from foundry.errors import FoundryError


@dataclass
class Container:
    """A running build container; what is done in it becomes a layer by `Build.image_commit`."""

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
        """Run a program in the container as root and return what it printed."""
        words: list[str | Path] = ["exec", *(["--interactive"] if stdin is not None else [])]
        words += [f"--env={name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        return self.build.docker(*words, "--user=0", self.id, *argv, stdin=stdin)

    def sh(self, script: str) -> str:
        """Run a shell script in the container; the first failing command ends it."""
        return self.exec(["sh", "-ec", script])

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder of this machine into the container (as `docker cp` does)."""
        self.build.docker("cp", source, f"{self.id}:{target}")


@dataclass
class Build:
    """One build of one artefact."""

    artefact: Artefact
    recipe: Path  # the recipe's module
    key: str
    engine: Engine
    cache: machine.Cache
    go: golang.Go
    log: Path
    scratch: Path  # empty at the start, removed afterwards
    refs: Mapping[str, str]  # inputs of kind image: name -> reference
    paths: Mapping[str, Path]  # inputs of kind files and tool: name -> folder
    ca_files: tuple[Path, ...] = ()  # the machine's own CA files; empty unless artefacts.toml says machine_ca = true
    arch: str = field(default_factory=machine.architecture)  # amd64 or arm64
    image_id: str = ""  # set by image_build, image_import, image_commit

    def __post_init__(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)

    @property
    def version(self) -> str:
        """The artefact's version."""
        return self.artefact.version

    @property
    def options(self) -> Mapping[str, Any]:
        """The artefact's options from `artefacts.toml`."""
        return self.artefact.options

    @property
    def out(self) -> Path:
        """Where a `files` or `tool` recipe leaves its result."""
        return self.scratch / "out"

    @property
    def assets(self) -> Path:
        """The folder of files beside the recipe, `recipes/<name>/`."""
        return self.recipe.with_suffix("")

    def ref(self, name: str) -> str:
        """The reference of an input image."""
        return self.refs[name]

    def path(self, name: str) -> Path:
        """The folder of a finished `files` or `tool` input. Read only."""
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
        """Run a program, with its output in the log, and return its standard output; a failure ends the build."""
        return process.run(argv, log=self.log, cwd=cwd or self.scratch, env=env, stdin=stdin)

    def docker(self, *words: str | Path, stdin: IO[bytes] | bytes | None = None) -> str:
        """Run a docker command against the right engine."""
        return self.engine.run(*words, log=self.log, stdin=stdin)

    def say(self, text: str) -> None:
        """Write a line into the log."""
        with self.log.open("a") as log:
            log.write(f"{text}\n")

    @property
    def network_environment(self) -> dict[str, str]:
        """Proxy and package index settings of this machine, for a container's processes (never for an image)."""
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
        """Build commands of a Go module; programs land in `out` (default `b.out`) under their package's last name.

        Modules come from the machine's GOPROXY and are verified by Go's checksum database. Downloads of several
        builds may overlap; compilers run one build at a time.

        Args:
            module: module path.
            version: with the `v`.
            packages: folders inside the module ("" is its root).
            out: where the programs go.
            ldflags: linker flags.
            tags: build tags.
            cgo: CGO_ENABLED.
            replace: module -> "module version", as `replace` lines: those of a dependency's go.mod do not apply to us.
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
        """Download a Go module, verified, and return its (read only) folder."""
        return self.go.module(module, version, run=self.run)

    def debootstrap(self, suite: str, packages: Sequence[str]) -> Path:
        """A Debian root file system of apt's own minimal set plus `packages`, without manuals and package lists.

        The machine's mirror is used and Debian's signatures are checked. The machine's CA files are put in and
        trusted when the artefact says `machine_ca = true` (add `ca-certificates` to `packages`).
        """
        root = self.scratch / "rootfs"
        debian.debootstrap(root, suite, packages, arch=self.arch, run=self.run)
        debian.trust(root, self.ca_files, run=self.run)
        return root

    # -- images --------------------------------------------------------------------------------------------------------

    def image_build(
        self, context: Path, *, dockerfile: Path | None = None, args: Mapping[str, str] | None = None
    ) -> None:
        """Finish with an image built from a Dockerfile (classic builder: no `RUN --mount`, no heredocs).

        `RUN` steps have the host's network, so that the machine's own proxies work in them. `FROM` must name an input
        (give its reference as a build argument: `args={"BASE": b.ref("debian")}`) or scratch.
        """
        self._finish(self.engine.build(context, dockerfile=dockerfile, args=args or {}, network="host", log=self.log))

    def image_import(self, rootfs: Path, *, changes: Sequence[str] = ()) -> None:
        """Finish with a one-layer image of a folder. `changes` are Dockerfile lines (ENV, USER, CMD, …)."""
        self._finish(self.scratch_image(rootfs), changes)

    def image_commit(self, container: Container, *, changes: Sequence[str] = ()) -> None:
        """Finish with what was done in a container, as one layer above its image.

        User, entrypoint and so on are its image's, but for what `changes` (Dockerfile lines) say.
        """
        base = json.loads(self.docker("image", "inspect", "--format", "{{json .Config}}", container.image))
        # In this order: an ENTRYPOINT line empties CMD.
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
        """A container of an image that sleeps while the recipe works in it, with the host's network; removed after.

        `mounts` (host folder -> path in the container) and `env` do not become part of a committed image.
        """
        name = f"{scratch_prefix(self.cache.root)}{self.artefact.name}-{uuid.uuid4().hex[:8]}"
        words: list[str | Path] = ["run", "--detach", "--init", f"--name={name}", "--network=host", "--user=0"]
        words += [f"--volume={source}:{target}" for source, target in (mounts or {}).items()]
        # No entrypoint rather than another one: engine 20.10 would hand the container's down to an image without any.
        words += [*options, "--entrypoint=", image, "sleep", "86400"]
        container = Container(self, image, self.docker(*words).strip(), env or {})
        try:
            yield container
        finally:
            self.docker("rm", "--force", "--volumes", container.id)

    def scratch_image(self, rootfs: Path) -> str:
        """Import a folder as an intermediate image and return its id, to start a `container` from."""
        with subprocess.Popen(
            ["tar", "--numeric-owner", "--sort=name", "-C", str(rootfs), "-c", "."], stdout=subprocess.PIPE
        ) as tar:
            image = self.docker("import", "-", stdin=tar.stdout).strip()
        if tar.returncode:
            raise FoundryError(f"cannot pack {rootfs}")
        return image

    def _finish(self, image: str, changes: Sequence[str] = ()) -> None:
        if self.image_id:
            raise FoundryError(f"the recipe of {self.artefact.name} made two images", "one artefact is one image")
        labels = {
            KEY_LABEL: self.key,
            f"{LABEL}.artefact": self.artefact.name,
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
        """Copy a file, or a folder with all that is in it, writable (module caches are not); returns the target."""
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
