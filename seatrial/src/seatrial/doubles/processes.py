"""Fake programs with prepared answers."""

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
    """The answer of a program.

    Attributes:
        code: exit code.
        stdout: output on stdout.
        stderr: output on stderr.
        hangs: whether the program runs until its deadline.
        does: called with the arguments, for side effects such as writing a file.
    """

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    hangs: bool = False
    does: Callable[[Sequence[str]], None] | None = None


class FakeProcesses:
    """Programs by the start of their command line. The longest matching entry answers.

        FakeProcesses({"helm version": Answer(stdout="v4.3.1"), "helm": Answer()})

    Attributes:
        ran: all command lines, in order.
        stopped: whether `stop` was called after the last `resume`.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = {tuple(words.split()): answer for words, answer in answers.items()}
        self.ran: list[tuple[str, ...]] = []
        self.stopped = False

    def find(self, program: str) -> str | None:
        """Return a path for a program that has an answer; None for others."""
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
        """Return the prepared answer.

        Raises:
            CommandFailed: the exit code is not 0 and `check` is set, or `stop` was called.
            OutOfTime: the answer hangs, or the deadline has passed.
            LookupError: no entry matches the command line.
        """
        del cwd, env, stdin
        if self.stopped and not cleanup:
            raise CommandFailed(argv, -15, "not started: seatrial is being stopped")
        words = tuple(argv)
        self.ran.append(words)
        matching = [known for known in self._answers if words[: len(known)] == known]
        if not matching:
            raise LookupError(f"no answer for {' '.join(words)}")
        answer = self._answers[max(matching, key=len)]
        if answer.hangs or deadline.passed:
            raise OutOfTime(f"{' '.join(words)} timed out")
        if answer.does is not None:
            answer.does(words)
        output = answer.stdout + answer.stderr
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"$ {shlex.join(words)}\n{output}")
        if line is not None:
            for text in output.splitlines():
                line(text)
        if answer.code and check:
            raise CommandFailed(words, answer.code, output)
        return Completed(argv=words, code=answer.code, stdout=answer.stdout.encode(), stderr=answer.stderr.encode())

    def end_orphans(self, program: str, argument: str) -> bool:
        """Return False: there are no orphans."""
        del program, argument
        return False

    def stop(self) -> None:
        """Refuse all programs except cleanup, until `resume`."""
        self.stopped = True

    def resume(self) -> None:
        """Allow programs again."""
        self.stopped = False
