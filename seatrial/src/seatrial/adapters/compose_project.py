"""Use Docker Compose through its command line: the plugin `docker compose`, or the program `docker-compose` 2.

Users can rerun every command that a log shows. Containers, networks, volumes and images are removed by the labels of
their environment, so that needs neither Compose nor the file that created them.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from seatrial.adapters.container_exec import ContainerExec
from seatrial.adapters.docker import DockerEngine
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, UsageError
from seatrial.model.names import LABEL_ENVIRONMENT_ID, EnvironmentId
from seatrial.ports import Object, Processes, Progress

__all__ = ["DockerComposeProject", "compose_program"]

_QUICK: Final = 30.0
_LATE_EVENT: Final = 2.0
"""Seconds for which an event of the engine may come after the state that it belongs to."""

_SIGKILL: Final = 137
_OLDEST: Final = 2
"""The first major version of Compose that reads the Compose specification."""

_PROGRAMS: Final = (("docker", "compose"), ("docker-compose",))
_STEP: Final = re.compile(r"\s*(?:Container|Network|Volume|Image) .*|.* (?:Built|Pulled|Pulling)\s*")


def compose_program(processes: Processes) -> tuple[tuple[str, ...], str]:
    """Return the command line of Compose and its version.

    Raises:
        UsageError: it is not installed, or too old.
    """
    old = ""
    for program in _PROGRAMS:
        if not processes.find(program[0]):
            continue
        done = processes.run([*program, "version", "--short"], deadline=Deadline.after(_QUICK), check=False)
        version = done.stdout.decode(errors="replace").strip().removeprefix("v")
        major = version.partition(".")[0]
        if done.code == 0 and major.isdigit():
            if int(major) >= _OLDEST:
                return program, version
            old = version
    raise UsageError(
        "Docker Compose 2 is not installed",
        reason=f"docker-compose {old} does not read current Compose files" if old else "",
        hint="install Docker's Compose plugin: https://docs.docker.com/compose/install/",
    )


class DockerComposeProject:
    """One Compose project.

    Args:
        name: of the project.
        environment: id of its environment.
        engine: the engine.
        processes: programs of this machine.
        file: the Compose file of the environment, an argument that no other process has.
    """

    def __init__(
        self, name: str, environment: EnvironmentId, *, engine: DockerEngine, processes: Processes, file: Path
    ) -> None:
        self.name = name
        self._label = f"{LABEL_ENVIRONMENT_ID}={environment}"
        self._engine = engine
        self._processes = processes
        self._file = file
        self._oom_events: dict[tuple[str, str], bool] = {}

    def version(self) -> str:
        """Return the version of Compose.

        Raises:
            UsageError: it is not installed, or too old.
        """
        return self._program[1]

    def config(
        self,
        file: Path,
        *,
        env_files: Sequence[Path],
        profiles: Sequence[str],
        services: Sequence[str],
        deadline: Deadline,
    ) -> Object:
        """Return a Compose file as Compose reads it.

        Args:
            file: the file.
            env_files: files with variables; empty: Compose's default, `.env`.
            profiles: profiles to enable.
            services: only these services, with those they depend on; empty: all.
            deadline: of the command.

        Raises:
            UsageError: Compose cannot read the file.
        """
        options = [word for path in env_files for word in ("--env-file", str(path))]
        options += [word for profile in profiles for word in ("--profile", profile)]
        try:
            done = self._compose(file, *options, command=("config", "--format", "json", *services), deadline=deadline)
        except CommandFailed as failed:
            raise UsageError(
                f"Docker Compose cannot read {file}", reason=failed.reason, hint=f"docker compose --file {file} config"
            ) from failed
        found: Object = json.loads(done)
        return found

    def up(self, file: Path, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        """Create the containers of a file, or update those that differ from it, and start them.

        Raises:
            CommandFailed: Compose failed.
            OutOfTime: a container that another one depends on is not ready in time.
        """
        self._compose(
            file,
            command=("up", "--detach", "--build", "--quiet-pull", "--remove-orphans"),
            deadline=deadline,
            log=log,
            progress=progress,
        )

    def containers(self) -> list[Object]:
        """Return `docker inspect` of the containers of the environment, running or not."""
        containers = self._engine.labeled_containers(self._label)
        for container in containers:
            state = container.get("State") or {}
            is_killed = not state.get("OOMKilled") and state.get("ExitCode") == _SIGKILL
            has_limit = bool((container.get("HostConfig") or {}).get("Memory"))
            if is_killed and has_limit and self._has_oom_event(container["Id"], state["StartedAt"]):
                state["OOMKilled"] = True
        return containers

    def _has_oom_event(self, identifier: str, started: str) -> bool:
        """Return whether a container exceeded its memory limit since it was started.

        The engine may learn of the end before it learns of the memory, and then `OOMKilled` stays false.
        """
        key = (identifier, started)
        if not self._oom_events.get(key):
            # Wait once for an event that is late.
            until = f"{time.time() + (0.0 if key in self._oom_events else _LATE_EVENT):.3f}"
            argv = ("events", "--since", started, "--until", until, "--format", "{{.ID}}")
            filters = ("--filter", f"container={identifier}", "--filter", "event=oom")
            done = self._engine.docker(*argv, *filters, check=False, deadline=Deadline.after(_QUICK))
            self._oom_events[key] = bool(done.stdout.strip())
        return self._oom_events[key]

    def logs(
        self, container: str, *, tail: int | None = None, since: int | None = None, timestamps: bool = False
    ) -> bytes:
        """Return the lines that a container printed to stdout and stderr, by their times.

        Args:
            container: its name.
            tail: only this many lines.
            since: only lines of the last seconds.
            timestamps: begin each line with its time in UTC, as Kubernetes does.

        Raises:
            CommandFailed: the engine does not have the log.
        """
        argv = ("logs", "--timestamps", *_limits(tail, since), container)
        done = self._engine.docker(*argv, deadline=Deadline.after(_QUICK))
        lines = [_timed(line) for output in (done.stdout, done.stderr) for line in output.split(b"\n") if line]
        # All times have the same length.
        lines.sort(key=lambda line: line[0])
        return b"".join((at + b" " if timestamps else b"") + text + b"\n" for at, text in lines)

    def follow(self, container: str, *, tail: int | None = None, since: int | None = None) -> FollowedLog:
        """Return the lines that a container prints, from now on."""
        return FollowedLog(["docker", "logs", "--follow", *_limits(tail, since), container])

    def exec(self, containers: Mapping[str, str]) -> ContainerExec:
        """Return commands in containers.

        Args:
            containers: names in the port `PodExec` to names of containers.
        """
        return ContainerExec(containers)

    def remove(self, *, deadline: Deadline) -> None:
        """Delete the containers, networks, volumes and images with the label of the environment.

        Raises:
            EnvironmentFailed: a container that seatrial did not create uses a network or volume.
        """
        for program, *_ in _PROGRAMS:
            self._processes.end_orphans(program, str(self._file))
        labeled = ("--quiet", "--filter", f"label={self._label}")
        self._delete(("ps", "--all", *labeled), ("rm", "--force", "--volumes"), deadline)
        self._delete(("network", "ls", *labeled), ("network", "rm"), deadline)
        self._delete(("volume", "ls", *labeled), ("volume", "rm", "--force"), deadline)
        self._delete(("image", "ls", *labeled), ("image", "rm", "--force"), deadline)

    def _delete(self, listing: Sequence[str], removal: Sequence[str], deadline: Deadline) -> None:
        """Delete what a command lists. A second attempt ignores what another process deleted in between."""
        failed: CommandFailed | None = None
        for _ in range(2):
            listed = self._engine.docker(*listing, deadline=deadline, cleanup=True).stdout.decode().split()
            if not listed:
                return
            try:
                self._engine.docker(*removal, *dict.fromkeys(listed), deadline=deadline, cleanup=True)
            except CommandFailed as error:
                failed = error
            else:
                return
        if failed is not None:
            raise EnvironmentFailed(
                f"Compose project {self.name} was not removed",
                reason=failed.reason,
                hint=f"docker {' '.join(listing)}",
            ) from failed

    def _compose(
        self,
        file: Path,
        *options: str,
        command: Sequence[str],
        deadline: Deadline,
        log: Path | None = None,
        progress: Progress | None = None,
    ) -> bytes:
        argv = [*self._program[0], "--project-name", self.name, "--file", str(file), *options, *command]
        line = None if progress is None else lambda text: _step(text, progress)
        env = {"COMPOSE_PROGRESS": "plain"}
        return self._processes.run(argv, deadline=deadline, log=log, line=line, env=env).stdout

    @cached_property
    def _program(self) -> tuple[tuple[str, ...], str]:
        """The command line of Compose and its version."""
        return compose_program(self._processes)


class FollowedLog:
    """The lines that `docker logs --follow` prints; see `seatrial.ports.Lines`."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches only seatrial, which ends the command.
            start_new_session=True,
        )

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines with their line ends."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        with self._process.stdout as stream:
            yield from stream

    def close(self) -> None:
        """End the command."""
        self._process.kill()
        self._process.wait()


def _timed(line: bytes) -> tuple[bytes, bytes]:
    """Return time and text of a line of `docker logs --timestamps`."""
    at, _, text = line.partition(b" ")
    # Docker stores a long line in parts, and repeats the time before each.
    return at, text.replace(at + b" ", b"")


def _limits(tail: int | None, since: int | None) -> list[str]:
    found: list[str] = []
    if tail is not None:
        found += ["--tail", str(tail)]
    if since is not None:
        found += ["--since", f"{since}s"]
    return found


def _step(line: str, progress: Progress) -> None:
    """Report the steps of `up`: ` Container shop-1a2b3c4d-web-1  Started`."""
    if _STEP.fullmatch(line):
        progress(" ".join(line.split()))
