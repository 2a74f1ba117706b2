"""Know which files the runner pod has: from the saved state, or by reading them from the pod."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.image_inputs.working_tree import Files, Tree
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.ports import PodExec
from seatrial.runner import blocking_calls
from seatrial.runner.sync import PodFiles, pod_files
from seatrial.saved_state import PodFilesRecord, RunnerRecord, read, read_runner, write, write_runner

__all__ = ["KnownFiles", "require_runner"]

_STATE_FILE: Final = "pod-files.json"


def require_runner(directory: Path) -> RunnerRecord:
    """Return the record of the runner pod.

    Args:
        directory: of the environment.

    Raises:
        EnvironmentFailed: the record does not exist.
    """
    runner = read_runner(directory)
    if runner is None:
        raise EnvironmentFailed("the record of the runner pod is missing", hint="run the command again")
    return runner


@dataclass(slots=True, kw_only=True)
class KnownFiles:
    """The files of the runner pod in the folders that changed files are sent to.

    Attributes:
        exec_: commands in the pod.
        workdir: working directory of the tests in the pod.
        directory: of the environment.
        deadline: until the tests have to start.
    """

    exec_: PodExec
    workdir: str
    directory: Path
    deadline: Deadline
    _seeded: Files = field(init=False, default_factory=dict)

    def saved(self) -> PodFiles:
        """Return the saved state of this pod. Without one, read the files from the pod."""
        found = self._record
        if found is None:
            return self.read()
        self._seeded = found.seeded
        return PodFiles(found.files, found.seeded, found.created)

    def read(self) -> PodFiles:
        """Read the files from the pod.

        Raises:
            OutOfTime: the pod does not answer before the deadline.
        """
        places = require_runner(self.directory).places
        try:
            found = blocking_calls.call(
                lambda: pod_files(self.exec_, self.workdir, places), until=lambda: self.deadline.passed
            )
        except blocking_calls.Abandoned:
            raise OutOfTime("the tests did not start in time", reason="the runner pod did not answer") from None
        self._seeded = found.seeded
        return found._replace(created=self._created(found.files))

    def with_files(self, files: Files) -> PodFiles:
        """Read the pod, whose files are known.

        Raises:
            OutOfTime: the pod does not answer before the deadline.
        """
        return PodFiles(files, self.read().seeded, self._created(files))

    def save(self, files: Files, tree: Tree) -> None:
        """Save the files that the pod has now: those of the tree, and others, which tests created."""
        record = PodFilesRecord(
            uid=require_runner(self.directory).uid,
            files=dict(files),
            seeded=dict(self._seeded),
            created=sorted(files.keys() - tree.wanted.keys()),
        )
        write(self.directory / _STATE_FILE, record)

    def _created(self, files: Files) -> frozenset[str]:
        """Return the files that were in no working tree. Without a saved state, they are unknown."""
        found = self._record
        return frozenset(files.keys() - (found.files.keys() - set(found.created))) if found else frozenset()

    @property
    def _record(self) -> PodFilesRecord | None:
        found = read(self.directory / _STATE_FILE, PodFilesRecord)
        return found if found is not None and found.uid == require_runner(self.directory).uid else None

    def mark_broken(self) -> None:
        """Record that the files of this pod cannot be updated, so that the next command recreates the pod."""
        write_runner(self.directory, replace(require_runner(self.directory), broken=True))
