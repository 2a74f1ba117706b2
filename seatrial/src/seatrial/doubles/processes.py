"""Programs that only say what they were told to say."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime
from seatrial.ports import Completed, Progress

__all__ = ["Answer", "FakeProcesses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program does when it is run.

    Attributes:
        code: its exit code.
        stdout: what it prints.
        stderr: what it complains.
        hangs: it never ends: the deadline passes.
        does: what it does to the world, given its arguments: write a file, answer differently next time.
    """

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    hangs: bool = False
    does: Callable[[Sequence[str]], None] | None = None


class FakeProcesses:
    """Programs by the beginning of their command line; the longest that fits answers.

        FakeProcesses({"helm version": Answer(stdout="v4.3.1"), "helm": Answer()})

    Attributes:
        ran: all command lines that were run, in order.
        stopped: whether all were told to stop.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = {tuple(words.split()): answer for words, answer in answers.items()}
        self.ran: list[tuple[str, ...]] = []
        self.stopped = False

    def find(self, program: str) -> str | None:
        """Return a path for each program that has an answer."""
        return f"/fake/{program}" if any(words[:1] == (program,) for words in self._answers) else None

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        log: Path | None = None,
        line: Progress | None = None,
        check: bool = True,
        cleanup: bool = False,
    ) -> Completed:
        """Answer as told.

        Raises:
            CommandFailed: the answer's code is not 0, and `check`; or all were told to stop.
            OutOfTime: the answer is to hang, or the deadline has passed.
            LookupError: there is no answer for such a command line: the test forgot it.
        """
        del cwd, env, stdin
        if self.stopped and not cleanup:
            raise CommandFailed(argv, -15, "not started: everything is being stopped")
        words = tuple(argv)
        self.ran.append(words)
        fitting = [known for known in self._answers if words[: len(known)] == known]
        if not fitting:
            raise LookupError(f"no answer for {' '.join(words)}")
        answer = self._answers[max(fitting, key=len)]
        if answer.hangs or deadline.passed:
            raise OutOfTime(f"{' '.join(words)} did not end in time")
        if answer.does is not None:
            answer.does(words)
        said = answer.stdout + answer.stderr
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"$ {shlex.join(words)}\n{said}")
        if line is not None:
            for text in said.splitlines():
                line(text)
        if answer.code and check:
            raise CommandFailed(words, answer.code, said)
        return Completed(argv=words, code=answer.code, stdout=answer.stdout.encode(), stderr=answer.stderr.encode())

    def end_left_behind(self, program: str, mark: str) -> bool:
        """Say that no program of a killed command runs."""
        del program, mark
        return False

    def stop(self) -> None:
        """Be told to stop: until `resume`, nothing is run but for cleanup."""
        self.stopped = True

    def resume(self) -> None:
        """Run programs again."""
        self.stopped = False
