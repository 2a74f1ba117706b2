"""The container engine, by its command line: what a user sees us run, they can run."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, UsageError
from seatrial.model.names import canonical
from seatrial.model.spec import ImageSpec
from seatrial.ports import Completed, LocalImage, Processes, Progress

__all__ = ["IMAGE_LABEL", "DockerEngine"]

IMAGE_LABEL = "seatrial.dev/image"
"""Label of a built image: its name in the configuration."""

_QUICK = 30.0

_OF_THE_CLIENT: Final = re.compile(
    r"(?:BUILDKIT|BUILDX|COMPOSE|DOCKER|DYLD|GIT|GO|LC|LD|OTEL|SSH|SSL|XDG)[A-Z0-9_]*"
    r"|(?:ALL|FTP|HTTPS?|NO)_PROXY|HOME|LANG|PATH|TERM|TMPDIR|USER",
    re.IGNORECASE,
)
"""Build arguments that would mean something to Docker's client itself if they were in its environment."""


class DockerEngine:
    """Images and containers of one Docker engine."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def docker(
        self, *args: str, deadline: Deadline | None = None, check: bool = True, cleanup: bool = False
    ) -> Completed:
        """Run a docker command that takes no time to speak of."""
        limit = deadline or Deadline.after(_QUICK)
        return self._processes.run(["docker", *args], deadline=limit, check=check, cleanup=cleanup)

    def version(self) -> str:
        """Return the engine's version.

        Raises:
            UsageError: no engine answers.
        """
        done = self.docker("version", "--format", "{{.Server.Version}}", check=False)
        if done.code:
            said = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
            raise UsageError("no container engine answers", reason=said, hint="start Docker, or set DOCKER_HOST")
        return done.stdout.decode().strip()

    def inspect(self, references: Sequence[str]) -> dict[str, LocalImage]:
        """Return those of the images that are on the engine, by the reference asked for."""
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

    def weigh(self, references: Sequence[str]) -> int:
        """Return the bytes of those of the images that are on the engine; what several have in common counts once."""
        steps: dict[str, int] = {}
        looked = self.docker("image", "inspect", *references, check=False) if references else None
        for entry in json.loads(looked.stdout or b"[]") if looked else ():
            # Engines tell neither sizes of layers nor which steps made one. An image begins with the steps of its base.
            told = self.docker("history", "--no-trunc", "--human=false", "--format", "{{.|json}}", entry["Id"])
            chain = hashlib.sha256()
            for line in reversed(told.stdout.splitlines()):
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
            UsageError: it has secrets and the engine's client cannot pass any.
        """
        classic = not spec.secrets and os.environ.get("DOCKER_BUILDKIT") == "0"
        buildx = not classic and not self.docker("buildx", "version", check=False).code
        if spec.secrets and not buildx:
            raise UsageError(
                f"image {spec.name} has build secrets, which need BuildKit", hint="install Docker's buildx plugin"
            )
        # --load: a builder in a container of its own leaves the image there otherwise.
        argv = ["docker", *(("buildx", "build", "--load") if buildx else ("build",))]
        argv += ["--tag", reference, "--file", str(spec.dockerfile or spec.context / "Dockerfile")]
        for key, value in labels.items():
            argv += ["--label", f"{key}={value}"]
        env = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        for key, value in spec.args.items():
            if _OF_THE_CLIENT.fullmatch(key) and os.environ.get(key) != value:
                argv += ["--build-arg", f"{key}={value}"]
            else:
                # Its value may be a secret, which arguments of a program are not on its machine.
                argv += ["--build-arg", key]
                env[key] = value
        if spec.target:
            argv += ["--target", spec.target]
        for secret in spec.secrets:
            argv += ["--secret", secret]
        # Attestations have the time in them: the same files would be another image after each build.
        try:
            self._processes.run(
                [*argv, str(spec.context)], deadline=deadline, env=env, log=log, line=lambda line: _step(line, progress)
            )
        except CommandFailed as failed:
            raise _readable(spec.name, failed) from failed
        built = self.inspect([reference])
        if reference not in built:
            raise EnvironmentFailed(f"the build of {spec.name} left no image", log=str(log))
        return built[reference]

    def thin(self, labels: Mapping[str, str], *, keep: int, spare: str = "") -> None:
        """Remove the images with these labels but for the `keep` newest, those that a container uses, and `spare`.

        An image that was built just now, all of it from the builder's cache, is as old as when it was built first.
        """
        filters = [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
        listed = self.docker("image", "ls", *filters, "--format", "{{.Repository}}:{{.Tag}}", check=False)
        # Newest first. Those without a name were replaced, or are steps of builds, which go with the last name. Other
        # names of the same images are the user's.
        image = labels.get(IMAGE_LABEL, "")
        named = [name for name in listed.stdout.decode().split() if _is_built(name, image)]
        for name in named[keep:]:
            if canonical(name) != canonical(spare):
                self.docker("rmi", name, check=False)

    def push(
        self, reference: str, target: str, *, deadline: Deadline, progress: Progress, config: Path | None = None
    ) -> None:
        """Push an image under another name; only layers that the registry lacks travel.

        Afterwards that name means what it meant before, however the push ends.

        Args:
            reference: the image.
            target: its name in the registry.
            deadline: when it must be there.
            progress: is told what goes on.
            config: configuration directory of the client, with the login; None: the user's own.
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
        """Return what the engine knows of a container, None if there is none."""
        done = self.docker("container", "inspect", name, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return found[0] if found else None

    def containers(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of those of the containers that are there, by name."""
        done = self.docker("container", "inspect", *names, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return {str(each["Name"]).removeprefix("/"): each for each in found}

    def copy_into(self, container: str, archive: bytes, *, deadline: Deadline) -> None:
        """Unpack a tar archive in the root directory of a container, whether it runs or not."""
        self._processes.run(["docker", "cp", "--quiet", "-", f"{container}:/"], deadline=deadline, stdin=archive)

    def network(self, name: str) -> str:
        """Return the id of a network, empty if there is none of that name."""
        done = self.docker("network", "inspect", "--format", "{{.Id}}", name, check=False)
        return "" if done.code else done.stdout.decode().strip()

    def containers_in(self, network: str) -> list[str]:
        """Return the names of all containers that belong to a network, running or not."""
        listed = self.docker("ps", "--all", "--filter", f"network={network}", "--format", "{{.Names}}")
        return listed.stdout.decode().split()

    def labelled_containers(self, label: str) -> list[dict[str, Any]]:
        """Return what the engine knows of the containers with a label, running or not."""
        listed = self.docker("ps", "--all", "--filter", f"label={label}", "--no-trunc", "--format", "{{.ID}}")
        identifiers = listed.stdout.decode().split()
        if not identifiers:
            return []
        # Those that were removed in between are left out of the answer, which is an error then.
        done = self.docker("container", "inspect", *identifiers, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
        return found

    def remove_containers(self, names: Sequence[str], *, deadline: Deadline) -> None:
        """Remove containers, running or not, with their unnamed volumes; those that are not there do not matter."""
        if names:
            self.docker("rm", "--force", "--volumes", *names, deadline=deadline)

    def drop(self, *, volume: str, label: str, images: Collection[str]) -> list[str]:
        """Remove a volume, and those of the images that have a label and that no container uses; return their names."""
        dropped = []
        if not self.docker("volume", "rm", volume, check=False).code:
            dropped.append(volume)
        listed = self.docker("image", "ls", "--filter", f"label={label}", "--format", "{{.Repository}}:{{.Tag}}")
        ours = [each for each in listed.stdout.decode().split() if each in images]
        return dropped + [each for each in ours if not self.docker("rmi", each, check=False).code]


def _is_built(name: str, image: str) -> bool:
    """Whether a name is one that we gave: that of the image, with the digest of its inputs as tag."""
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
    """Tell the steps of both builders: `Step 3/9 : RUN …` and `#7 [3/9] RUN …`."""
    words = line.split(" ", 1)
    if line.startswith("Step ") or (line.startswith("#") and len(words) > 1 and words[1].startswith("[")):
        progress(line.removeprefix(words[0]).strip() if line.startswith("#") else line)


def _readable(name: str, failed: CommandFailed) -> CommandFailed:
    failed.message = f"the build of image {name} failed"
    return failed
