"""Render a run for GitHub Actions: a group for each stage, annotations for failures.

Commands: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import Final, TextIO

from seatrial.model import event as e
from seatrial.model.blame import Blame, blame_lines
from seatrial.model.event import Event
from seatrial.model.finding import Finding
from seatrial.model.result import Stage
from seatrial.sinks import words
from seatrial.sinks.plain import Plain

__all__ = ["GitHub"]

_ANNOTATIONS: Final = 10
"""Errors of a step that GitHub shows at most."""


class GitHub:
    """Renderer for GitHub Actions.

    The lines of a stage are written as one group when the stage ends, because groups cannot be nested or interleaved. A
    line announces its start. pytest's output is written between groups.

    Args:
        stream: output stream.
        verbose: as for `Plain`.
        commands: stream for annotations of tests after the tests ended; default: `stream`.
    """

    def __init__(self, stream: TextIO, *, verbose: int = 0, commands: TextIO | None = None) -> None:
        self._plain = Plain(stream, verbose=verbose)
        self._stream = stream
        self._commands = commands or stream
        self._lines: dict[Stage, list[str]] = {}
        self._running: list[Stage] = []
        self._annotated: set[str] = set()
        self._findings: list[Finding] = []
        self._failed: list[str] = []
        self._blames: dict[str, Blame] = {}
        self._held: list[tuple[str, str, str, str]] | None = None

    def __call__(self, event: Event, /) -> None:
        """Write the lines, annotations and summary of an event."""
        match event.body:
            case e.StageStarted(stage=stage):
                self._running.append(stage)
                self._plain(event)
                if stage is Stage.TEST:
                    # GitHub ignores commands until the tests end: see `guard.py`.
                    self._held = []
            case e.StageProgress(stage=stage, text=text):
                self._keep(stage, text)
            case e.ServiceSeen(name=name, ready=ready, waits_for=waits_for):
                # After failed tests, stage collect asks the services again.
                stage = Stage.READY if Stage.READY in self._running or not self._running else self._running[-1]
                self._keep(stage, f"{name} is ready" if ready else words.waiting(name, waits_for))
            case e.StageEnded() as ended:
                if ended.stage is Stage.TEST:
                    self._release()
                self._group(ended)
            case e.FindingMade(finding=finding):
                if finding not in self._findings:
                    self._findings.append(finding)
                    self._annotate("error" if finding.fatal else "warning", words.finding(finding), finding.cause)
                self._plain(event)
            case e.TestReported(nodeid=nodeid, outcome="failed" | "error", when=when):
                if nodeid not in self._failed:
                    self._failed.append(nodeid)
                    self._annotate("error", f"{nodeid} failed in {when}", nodeid, file=nodeid.partition("::")[0])
            case e.TestBlamed(blame=blame):
                self._blames[blame.nodeid] = blame
            case e.Note(level="warning", text=text):
                self._annotate("warning", text, "seatrial")
            case _:
                self._plain(event)

    def close(self) -> None:
        """Write the lines of stages that did not end."""
        self._release()
        for stage, lines in self._lines.items():
            self._print(f"::group::{stage} did not end", *lines, "::endgroup::")
        self._lines.clear()

    def _keep(self, stage: Stage, line: str) -> None:
        lines = self._lines.setdefault(stage, [])
        if line not in lines[-1:]:
            lines.append(line)

    def _group(self, ended: e.StageEnded) -> None:
        title = f"{ended.stage} {words.outcome(ended.outcome)} in {words.duration(ended.seconds)}"
        lines = self._lines.pop(ended.stage, [])
        self._running = [stage for stage in self._running if stage is not ended.stage]
        lines += [f"{name}: {value}" for name, value in ended.facts.items()]
        self._print(*([f"::group::{title}", *lines, "::endgroup::"] if lines else [title]))

    def _annotate(self, level: str, message: str, title: str, *, file: str = "") -> None:
        if message in self._annotated or (level == "error" and len(self._annotated) >= _ANNOTATIONS):
            return
        self._annotated.add(message)
        if self._held is None:
            self._print(_command(level, message, title, file))
        else:
            self._held.append((level, message, title, file))

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for level, message, title, file in held:
            lines = [message, *self._causes(title)]
            print(_command(level, "\n".join(lines), title, file), file=self._commands, flush=True)

    def _causes(self, nodeid: str) -> list[str]:
        """Return the lines about the cause of a failed test, if it is known."""
        blame = self._blames.get(nodeid)
        return blame_lines(blame) if blame is not None else []

    def _print(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stream, flush=True)


def _command(level: str, message: str, title: str, file: str) -> str:
    properties = f"title={_property(title)}" + (f",file={_property(file)}" if file else "")
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    """Escape the data of a command as packages/core/src/command.ts of actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
