"""Start the Compose project of an environment, and update it when its file or its containers differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from seatrial.compose.project_file import digest_of, project_file
from seatrial.compose.runner_services import RunnerInputs, keeper_of, runner_services
from seatrial.compose.service_wait import with_log
from seatrial.compose.start_errors import explain_start
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.errors import CommandFailed, NotReady, OutOfTime, UsageError
from seatrial.model.finding import Finding
from seatrial.model.names import LABEL_ENVIRONMENT_ID
from seatrial.model.spec import Project
from seatrial.ports import ComposeProject, LocalImage, Object, PodExec, Progress
from seatrial.readiness.container import container_name, judge_container, service_of
from seatrial.runner.agent_files import agent_files
from seatrial.saved_state import RunnerRecord, read, read_runner, write, write_runner

__all__ = ["ProjectStart", "StartedFile", "compose_path", "container_of", "runner_exec", "saved_start"]

_FILE: Final = "compose.json"
_STATE: Final = "compose-started.json"


class StartedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The Compose file whose containers were ready last.

    Attributes:
        digest: of the file; empty: the containers were not ready yet.
        containers: name to id of the containers.
        generation: number of times that the runner was created again from the same inputs.
    """

    digest: str = ""
    containers: dict[str, str] = {}
    generation: int = 0


def compose_path(directory: Path) -> Path:
    """Return the Compose file of an environment."""
    return directory / _FILE


def saved_start(directory: Path) -> StartedFile:
    """Return the last successful start of an environment."""
    return read(directory / _STATE, StartedFile) or StartedFile()


def container_of(containers: list[Object], service: str) -> Object | None:
    """Return the container of a service; None if it does not exist."""
    return next((each for each in containers if service_of(each) == service), None)


def runner_exec(compose: ComposeProject, runner: str) -> PodExec:
    """Return commands in the containers `tests` and `keeper`.

    Args:
        compose: the Compose project.
        runner: service of the runner.
    """
    # The names that Compose gives: https://docs.docker.com/compose/how-tos/project-name/
    return compose.exec({"tests": f"{compose.name}-{runner}-1", "keeper": f"{compose.name}-{keeper_of(runner)}-1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStart:
    """The start of a Compose project.

    Attributes:
        compose: the project on the engine.
        project: the configuration.
        record: the environment.
        config: the project's file, as Compose reads it.
        images: service to the reference of the image that it runs instead of its own.
        image: reference of the runner's image.
        local: that image on the engine; None: Compose pulls it.
        manifest: inputs of that image; None if it is not built from this project.
        places: folders of the runner that files may be sent to.
        directory: of the environment.
        deadline: of the start.
        log: file for the output of Compose.
        progress: takes the steps.
        add: records a resource before it is created.
        before: is called before containers change.
    """

    compose: ComposeProject
    project: Project
    record: EnvironmentRecord
    config: Object
    images: Mapping[str, str]
    image: str
    local: LocalImage | None
    manifest: ImageManifest | None
    places: tuple[str, ...]
    directory: Path
    deadline: Deadline
    log: Path
    progress: Progress
    add: Callable[[Created], None]
    before: Callable[[], None]

    def ensure(self) -> tuple[list[Object], bool]:
        """Start the project unless it runs from the same file. Return its containers, and whether any changed.

        Raises:
            NotReady: a container cannot be created or started.
            UsageError: the configuration does not fit the Compose file.
        """
        saved, known = saved_start(self.directory), read_runner(self.directory)
        generation = saved.generation + (1 if known is not None and known.broken else 0)
        file = self._file(generation)
        if saved.digest == digest_of(file):
            containers = self.compose.containers()
            if _ids(containers) == saved.containers and all(_is_good(each) for each in containers):
                self._save_runner(containers)
                return containers, False
        return self._up(file, generation), True

    def recreate_runner(self) -> list[Object]:
        """Create the runner again, with the files of its image, and return the containers."""
        generation = saved_start(self.directory).generation + 1
        return self._up(self._file(generation), generation)

    def save(self, containers: list[Object]) -> None:
        """Save that all containers are ready."""
        generation = saved_start(self.directory).generation
        digest = digest_of(json.loads(compose_path(self.directory).read_bytes()))
        write(
            self.directory / _STATE,
            StartedFile(digest=digest, containers=_ids(containers), generation=generation),
        )

    def _file(self, generation: int) -> Object:
        assert self.project.compose is not None, "preflight checks it"  # noqa: S101
        agent, digest = self._write_agent()
        runner = runner_services(
            self.project.runner,
            self.project.compose,
            RunnerInputs(
                image=self.image,
                local=self.local,
                agent=agent,
                agent_digest=digest,
                directories=self.places,
                generation=generation,
            ),
        )
        return project_file(
            self.config,
            runner,
            name=self.compose.name,
            # Without the expiry, which changes with each use: changed labels would create the containers again.
            labels={**self.record.owner_labels, LABEL_ENVIRONMENT_ID: self.record.id},
            images=self.images,
            host_ports=self.project.compose.host_ports,
        )

    def _up(self, file: Object, generation: int) -> list[Object]:
        path = compose_path(self.directory)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Values of variables may be secrets.
        path.touch(mode=0o600)
        path.write_text(json.dumps(file, indent=1))
        write(self.directory / _STATE, StartedFile(generation=generation))
        self.before()
        self.add(Created(kind="compose", name=self.compose.name, identity=self.record.id))
        try:
            self.compose.up(path, deadline=self.deadline, log=self.log, progress=self.progress)
        except OutOfTime:
            if findings := self._suspected():
                raise NotReady(f"Compose project {self.compose.name} did not start in time", findings) from None
            raise
        except CommandFailed as failed:
            findings = self._suspected() or explain_start(failed.tail)
            raise NotReady(
                f"Compose project {self.compose.name} did not start",
                findings,
                reason="" if findings else failed.reason,
                hint="" if findings else f"read {self.log}",
            ) from failed
        containers = self.compose.containers()
        self._save_runner(containers)
        return containers

    def _suspected(self) -> list[Finding]:
        """Return what is wrong with the containers, with the last lines of their logs."""
        containers = self.compose.containers()
        return [
            with_log(self.compose, containers, each.finding)
            for found in containers
            for each in judge_container(found).suspicions
        ]

    def _save_runner(self, containers: list[Object]) -> None:
        found = container_of(containers, self.project.runner.pod)
        if found is None:
            raise UsageError(f"the Compose project has no container of {self.project.runner.pod}")
        record = RunnerRecord(
            reference=self.image,
            image=self.local.digest if self.local else "",
            uid=str(found["Id"]),
            places=self.places,
            manifest=self.manifest or ImageManifest(dockerfile=""),
        )
        if read_runner(self.directory) != record:
            write_runner(self.directory, record)

    def _write_agent(self) -> tuple[Path, str]:
        """Write the agent's files where containers mount them; return the directory and a digest of the files."""
        files = agent_files()
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        directory = self.directory / f"agent-{digest[:8]}"
        if not directory.is_dir():
            fresh = directory.with_name(f"{directory.name}.new")
            fresh.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (fresh / name).write_text(text)
                (fresh / name).chmod(0o644)
            # The user of the tests is another one than that of this process.
            fresh.chmod(0o755)
            fresh.rename(directory)
        return directory, digest


def _ids(containers: list[Object]) -> dict[str, str]:
    return {container_name(each): str(each["Id"]) for each in containers}


def _is_good(container: Object) -> bool:
    return judge_container(container).state == "ready"
