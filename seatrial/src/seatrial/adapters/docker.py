"""Use the container engine through the `docker` command line.

Users can rerun every command that a log shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.machine import available_memory, free_disk
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, UsageError
from seatrial.model.names import canonical
from seatrial.model.spec import ImageSpec
from seatrial.ports import Completed, EngineInfo, LocalImage, Processes, Progress

__all__ = ["IMAGE_LABEL", "DockerEngine"]

IMAGE_LABEL = "seatrial.dev/image"
"""Label of a built image: its name in the configuration."""

_QUICK = 30.0

_CLIENT_VARIABLES: Final = re.compile(
    r"(?:BUILDKIT|BUILDX|COMPOSE|DOCKER|DYLD|GIT|GO|LC|LD|OTEL|SSH|SSL|XDG)[A-Z0-9_]*"
    r"|(?:ALL|FTP|HTTPS?|NO)_PROXY|HOME|LANG|PATH|TERM|TMPDIR|USER",
    re.IGNORECASE,
)
"""Build arguments that Docker's client would interpret if they were in its environment."""

_UNRESOLVED: Final = re.compile(r"failed to resolve source metadata for (\S+): ")
"""BuildKit's error for a base image that it cannot pull."""


class DockerEngine:
    """Images and containers of one Docker engine."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def docker(
        self, *args: str, deadline: Deadline | None = None, check: bool = True, cleanup: bool = False
    ) -> Completed:
        """Run a `docker` command; without a deadline it has 30 s."""
        limit = deadline or Deadline.after(_QUICK)
        return self._processes.run(["docker", *args], deadline=limit, check=check, cleanup=cleanup)

    def info(self, *, deadline: Deadline | None = None) -> EngineInfo:
        """Return the engine's version and capacity; without a deadline the command has 30 s.

        Raises:
            UsageError: the engine does not answer.
        """
        done = self.docker("info", "--format", "{{json .}}", deadline=deadline, check=False)
        try:
            found: dict[str, Any] = json.loads(done.stdout or b"{}")
        except ValueError:
            found = {}
        # Without an engine, some clients exit with 0 and report the error in their output.
        if done.code or not found.get("ServerVersion"):
            errors = "\n".join(found.get("ServerErrors") or ()) or done.stderr.decode(errors="replace")
            last_line = errors.strip().rsplit("\n", 1)[-1]
            raise UsageError(
                "the container engine does not answer", reason=last_line, hint="start Docker, or set DOCKER_HOST"
            )
        root = str(found.get("DockerRootDir") or "")
        disk = free_disk(Path(root)) if root else None
        return EngineInfo(
            version=str(found["ServerVersion"]),
            cgroup=str(found.get("CgroupVersion") or ""),
            root=root,
            cpus=int(found.get("NCPU") or 0),
            memory=int(found.get("MemTotal") or 0),
            # The engine is on this machine if its directory is.
            free_memory=0 if disk is None else available_memory(),
            free_disk=disk,
        )

    def inspect(self, references: Sequence[str]) -> dict[str, LocalImage]:
        """Return the images that are on the engine, by the given reference."""
        if not references:
            return {}
        done = self.docker("image", "inspect", *references, check=False)
        found: dict[str, dict[str, Any]] = {}
        for entry in json.loads(done.stdout or b"[]"):
            for name in (entry["Id"], *(entry.get("RepoTags") or ()), *(entry.get("RepoDigests") or ())):
                found[name if name.startswith("sha256:") else canonical(name)] = entry
        wanted = {
            reference: reference if reference.startswith("sha256:") else canonical(reference)
            for reference in references
        }
        return {reference: _local_image(reference, found[name]) for reference, name in wanted.items() if name in found}

    def disk_usage(self, references: Sequence[str]) -> int:
        """Return the size in bytes of the images that are on the engine; a shared layer counts once."""
        steps: dict[str, int] = {}
        inspected = self.docker("image", "inspect", *references, check=False) if references else None
        for entry in json.loads(inspected.stdout or b"[]") if inspected else ():
            # Engines report neither the size of a layer nor the steps that created it. An image starts with the steps
            # of its base.
            history = self.docker("history", "--no-trunc", "--human=false", "--format", "{{.|json}}", entry["Id"])
            chain = hashlib.sha256()
            for line in reversed(history.stdout.splitlines()):
                step = json.loads(line)
                chain.update(repr([step.get(key) for key in ("CreatedAt", "CreatedBy", "Size")]).encode())
                steps[chain.hexdigest()] = int(step["Size"])
        return sum(steps.values())

    def build(
        self,
        spec: ImageSpec,
        reference: str,
        *,
        labels: Mapping[str, str],
        deadline: Deadline,
        log: Path,
        progress: Progress,
    ) -> LocalImage:
        """Build an image and tag it.

        Raises:
            CommandFailed: the build failed.
            UsageError: the image has build secrets and Docker has no buildx plugin.
        """
        classic = not spec.secrets and os.environ.get("DOCKER_BUILDKIT") == "0"
        buildx = not classic and not self.docker("buildx", "version", check=False).code
        if spec.secrets and not buildx:
            raise UsageError(
                f"image {spec.name} has build secrets, which require BuildKit", hint="install Docker's buildx plugin"
            )
        # Without --load, a builder that is a container keeps the image.
        argv = ["docker", *(("buildx", "build", "--load") if buildx else ("build",))]
        argv += ["--tag", reference, "--file", str(spec.dockerfile or spec.context / "Dockerfile")]
        for key, value in labels.items():
            argv += ["--label", f"{key}={value}"]
        # Attestations contain the time: each build of the same files would be another image.
        env = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        for key, value in spec.args.items():
            if _CLIENT_VARIABLES.fullmatch(key) and os.environ.get(key) != value:
                argv += ["--build-arg", f"{key}={value}"]
            else:
                # The value may be a secret, and the arguments of a process are visible on its machine.
                argv += ["--build-arg", key]
                env[key] = value
        if spec.target:
            argv += ["--target", spec.target]
        for secret in spec.secrets:
            argv += ["--secret", secret]
        try:
            self._processes.run(
                [*argv, str(spec.context)], deadline=deadline, env=env, log=log, line=lambda line: _step(line, progress)
            )
        except CommandFailed as failed:
            failed.message = f"the build of image {spec.name} failed"
            base = _UNRESOLVED.search(failed.tail)
            if base and self.inspect([base[1]]):
                failed.hint = f"a container builder cannot use {base[1]} of the engine: set BUILDX_BUILDER=default"
            raise
        built = self.inspect([reference])
        if reference not in built:
            raise EnvironmentFailed(f"the build of image {spec.name} created no image", log=str(log))
        return built[reference]

    def prune(self, labels: Mapping[str, str], *, keep: int, exclude: str = "") -> None:
        """Delete the images with these labels except the `keep` newest, images that a container uses, and `exclude`.

        An image that comes entirely from the builder's cache has the age of its first build.
        """
        filters = [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
        listed = self.docker("image", "ls", *filters, "--format", "{{.Repository}}:{{.Tag}}", check=False)
        # The list starts with the newest image. An image without a name was replaced or is a build step. Other names
        # of the same image belong to the user.
        image = labels.get(IMAGE_LABEL, "")
        named = [name for name in listed.stdout.decode().split() if _is_built(name, image)]
        for name in named[keep:]:
            if canonical(name) != canonical(exclude):
                self.docker("rmi", name, check=False)

    def push(
        self, reference: str, target: str, *, deadline: Deadline, progress: Progress, config: Path | None = None
    ) -> None:
        """Push an image under another name; only layers that the registry lacks are sent.

        Afterwards the local name `target` refers to the same image as before, even if the push fails.

        Args:
            reference: the image.
            target: its name in the registry.
            deadline: of the push.
            progress: takes a line of text.
            config: configuration directory of the client, with the login; None: that of the user.
        """
        env = {"DOCKER_CONFIG": str(config)} if config else None
        before = self.inspect([target]).get(target)
        self.docker("tag", reference, target)
        try:
            progress(f"pushing {reference}")
            self._processes.run(["docker", "push", "--quiet", target], deadline=deadline, env=env)
        finally:
            if before is None:
                self.docker("rmi", "--no-prune", target, check=False, cleanup=True)
            else:
                self.docker("tag", before.digest, target, check=False, cleanup=True)

    def pull(self, reference: str, *, deadline: Deadline) -> None:
        """Pull an image."""
        self._processes.run(["docker", "pull", "--quiet", reference], deadline=deadline)

    def container(self, name: str) -> dict[str, Any] | None:
        """Return `docker container inspect` of a container; None if it does not exist."""
        done = self.docker("container", "inspect", name, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return found[0] if found else None

    def containers(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return `docker container inspect` of the containers that exist, by name."""
        done = self.docker("container", "inspect", *names, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return {str(each["Name"]).removeprefix("/"): each for each in found}

    def copy_into(self, container: str, archive: bytes, *, deadline: Deadline) -> None:
        """Unpack a tar archive in the root directory of a container, running or not."""
        self._processes.run(["docker", "cp", "--quiet", "-", f"{container}:/"], deadline=deadline, stdin=archive)

    def network(self, name: str) -> str:
        """Return the id of a network; empty if no network has that name."""
        done = self.docker("network", "inspect", "--format", "{{.Id}}", name, check=False)
        return "" if done.code else done.stdout.decode().strip()

    def containers_in(self, network: str) -> list[str]:
        """Return the names of all containers in a network, running or not."""
        listed = self.docker("ps", "--all", "--filter", f"network={network}", "--format", "{{.Names}}")
        return listed.stdout.decode().split()

    def labeled_containers(self, label: str) -> list[dict[str, Any]]:
        """Return `docker container inspect` of the containers with a label, running or not."""
        listed = self.docker("ps", "--all", "--filter", f"label={label}", "--no-trunc", "--format", "{{.ID}}")
        identifiers = listed.stdout.decode().split()
        if not identifiers:
            return []
        # If a container was deleted in the meantime, the command fails and prints the others.
        done = self.docker("container", "inspect", *identifiers, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return found

    def remove_containers(self, names: Sequence[str], *, deadline: Deadline) -> None:
        """Delete containers, running or not, with their anonymous volumes; missing ones are ignored."""
        if names:
            self.docker("rm", "--force", "--volumes", *names, deadline=deadline)

    def delete_cache(self, *, volume: str, label: str, images: Collection[str]) -> list[str]:
        """Delete a volume and the images with a label that no container uses; return the names that were deleted."""
        deleted = []
        if not self.docker("volume", "rm", volume, check=False).code:
            deleted.append(volume)
        listed = self.docker("image", "ls", "--filter", f"label={label}", "--format", "{{.Repository}}:{{.Tag}}")
        ours = [each for each in listed.stdout.decode().split() if each in images]
        return deleted + [each for each in ours if not self.docker("rmi", each, check=False).code]


def _is_built(name: str, image: str) -> bool:
    """Whether seatrial gave a name: that of the image, with the digest of its inputs as tag."""
    tag = name.rpartition(":")[2]
    return bool(re.fullmatch(r"[0-9a-f]{12,64}", tag)) and canonical(name) == canonical(f"{image}:{tag}")


def _local_image(reference: str, entry: dict[str, Any]) -> LocalImage:
    config = entry.get("Config") or {}
    return LocalImage(
        reference=reference,
        digest=entry["Id"],
        size=int(entry.get("Size") or 0),
        labels=config.get("Labels") or {},
        workdir=config.get("WorkingDir") or "/",
        env=dict(variable.split("=", 1) for variable in config.get("Env") or () if "=" in variable),
        user=config.get("User") or "",
        triggers=bool(config.get("OnBuild")),
    )


def _step(line: str, progress: Progress) -> None:
    """Report the steps of both builders: `Step 3/9 : RUN …` and `#7 [3/9] RUN …`."""
    words = line.split(" ", 1)
    if line.startswith("Step ") or (line.startswith("#") and len(words) > 1 and words[1].startswith("[")):
        progress(line.removeprefix(words[0]).strip() if line.startswith("#") else line)
