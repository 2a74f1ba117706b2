"""A Compose project in memory, and containers as `docker inspect` describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes import FakeExec
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed
from seatrial.ports import Lines, Object, Progress

__all__ = ["STAMP", "FakeCompose", "container"]

STAMP = b"2026-01-31T15:45:02.123456789Z "
"""The time before each line of a log."""


def container(service: str, *, number: int = 1, env: Sequence[str] = (), **state: Any) -> Object:
    return {
        "Id": f"{service}-{number}",
        "Name": f"/shop-aa-{service}-{number}",
        "Image": f"sha256:{service}",
        "Config": {"Labels": {"com.docker.compose.service": service}, "Env": list(env)},
        "HostConfig": {},
        "State": {"Status": "running", "Running": True, "ExitCode": 0, **state},
    }


class FakeCompose:
    """Attributes say what it has; `log` says what was done to it.

    Attributes:
        ups: called by `up`, one after the other, with the file; returns the containers then.
    """

    def __init__(self, *containers: Object) -> None:
        self.name = "shop-aa"
        self.present = list(containers)
        self.then: list[list[Object]] = []
        self.texts: dict[str, bytes] = {}
        self.unreadable: set[str] = set()
        self.since: list[int | None] = []
        self.pod = FakeExec()
        self.log: list[str] = []
        self.read: Object = {"services": {}}
        self.files: list[Path] = []
        self.ups: Callable[[Path], None] = lambda _: None

    def version(self) -> str:
        return "2.40.3"

    def config(
        self,
        file: Path,
        *,
        env_files: Sequence[Path],
        profiles: Sequence[str],
        services: Sequence[str],
        deadline: Deadline,
    ) -> Object:
        del env_files, deadline
        self.log.append(f"config {file.name} {' '.join((*profiles, *services))}".rstrip())
        return self.read

    def up(self, file: Path, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        del deadline, log
        progress("Container shop-aa-web-1 Started")
        self.log.append("up")
        self.files.append(file)
        self.ups(file)

    def containers(self) -> list[Object]:
        if self.then:
            self.present = self.then.pop(0)
        return self.present

    def logs(
        self, container: str, *, tail: int | None = None, since: int | None = None, timestamps: bool = False
    ) -> bytes:
        del tail
        self.since.append(since)
        if container in self.unreadable:
            raise CommandFailed(["docker", "logs", container], 1, tail="log driver does not support reading")
        lines = self.texts.get(container, b"").splitlines(keepends=True)
        return b"".join((STAMP if timestamps else b"") + line for line in lines)

    def follow(self, container: str, *, tail: int | None = None, since: int | None = None) -> Lines:
        raise NotImplementedError

    def exec(self, containers: Mapping[str, str]) -> FakeExec:
        self.log.append(f"exec {' '.join(containers.values())}")
        return self.pod

    def remove(self, *, deadline: Deadline) -> None:
        del deadline
        self.log.append("remove")
        self.present = []
