"""Render a run to a terminal: a line for each finished stage, a live region for running ones, one repaint a second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

from rich.console import Console as Rich
from rich.console import Group
from rich.live import Live
from rich.text import Text

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.finding import Finding
from seatrial.model.result import Outcome, Stage
from seatrial.sinks import words
from seatrial.sinks.board import Board

__all__ = ["Console"]

_NAME: Final = 10
_TIME: Final = 12
_WAITING_SHOWN: Final = 8
_WORKERS_SHOWN: Final = 4
_WIDEST: Final = 100
"""Columns of the live region at most. A window that becomes smaller then rarely folds its lines."""

_MARKS: Final = {
    Outcome.DONE: ("✓", "green"),
    Outcome.UNCHANGED: ("=", "green"),
    Outcome.SKIPPED: ("-", "dim"),
    Outcome.FAILED: ("✗", "bold red"),
    Outcome.INTERRUPTED: ("!", "yellow"),
}


def _now() -> datetime:
    return datetime.now(UTC)


class Console:
    """Renderer for a terminal.

    Args:
        stream: the terminal.
        color: whether to use colors.
        verbose: 1: also progress, services and warnings of the cluster; 2: also pods.
        shares_terminal: pytest writes to the same terminal, so the live region is hidden while tests run.
        live: whether to show running stages; false for a past run.
        width: columns; default: those of the terminal.
        now: the clock of the live region.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        color: bool,
        verbose: int = 0,
        shares_terminal: bool = True,
        live: bool = True,
        width: int | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._rich = Rich(
            file=stream,
            force_terminal=live or color,
            no_color=not color,
            color_system="auto" if color and live else "standard" if color else None,
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )
        self._unicode = (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")
        self._verbose = verbose
        self._shares_terminal = shares_terminal
        self._now = now
        self._board = Board()
        self._findings: set[Finding] = set()
        self._yielded = False
        self._held: list[Text] = []
        self._live: Live | None = None
        self._may_live = live

    def __call__(self, event: Event, /) -> None:
        """Show the event."""
        self._board.take(event)
        match event.body:
            case e.StageStarted(stage=Stage.TEST) if self._shares_terminal:
                self._stop()
                self._yielded = True
            case e.StageEnded() as ended:
                if ended.stage is Stage.TEST:
                    self._yielded = False
                self._ended(ended)
            case e.StageProgress(stage=Stage.TEST, text=text) if self._yielded and not self._board.tests.collected:
                self._rich.print(self._fit(Text(f"  {text}", "dim")))
            case body:
                self._write(body)
        if not self._yielded and not isinstance(event.body, e.RunEnded):
            self._release()
            self._show()

    def close(self) -> None:
        """Remove the live region and write what was held back."""
        self._stop()
        self._yielded = False
        self._release()

    def region(self, now: datetime) -> Group:
        """Return the live region at a moment."""
        lines: list[Text] = []
        for stage, running in self._board.running.items():
            seconds = max(0.0, (now - running.since).total_seconds())
            elapsed = f"{seconds:.0f} s"
            told = self._tests() if stage is Stage.TEST and self._board.tests.collected else running.text
            lines.append(self._row("…" if self._unicode else ".", "cyan", stage, elapsed, told))
            if stage is Stage.READY:
                lines += self._waiting()
            if stage is Stage.TEST:
                now_running = list(self._board.tests.now.values())
                lines += [Text(f"    {nodeid}", "dim") for nodeid in now_running[:_WORKERS_SHOWN]]
        return Group(*(self._fit(line) for line in lines))

    def _write(self, body: e.Body) -> None:
        match body:
            case e.RunStarted(command=command):
                self._line(Text(f"seatrial {' '.join(command)}", "bold"))
            case e.FindingMade(finding=finding):
                self._finding(finding)
            case e.Note(level="warning", text=text):
                self._line(Text(f"! {text}", "yellow"))
            case e.Note(level="info", text=text):
                self._line(Text(f"  {text}"))
            case e.RunEnded(result=result):
                self.close()
                for line in words.problem(result, self._findings):
                    self._rich.print(Text(line, "bold" if line.startswith("hint: ") else ""), soft_wrap=True)
                for line in words.remarks(result):
                    self._rich.print(Text(line, "dim"), soft_wrap=True)
                style = "bold red" if result.exit else "bold green"
                self._rich.print(Text(words.last_line(result, self._board.directory), style), soft_wrap=True)
            case _ if self._verbose:
                self._details(body)

    def _details(self, body: e.Body) -> None:
        match body:
            case e.Note(text=text):
                self._line(Text(f"  {text}", "dim"))
            case e.StageProgress(stage=stage, text=text):
                self._line(Text(f"  {stage}: {text}", "dim"))
            case e.ServiceSeen(name=name, ready=True):
                self._line(Text(f"  {name} is ready", "dim"))
            case e.KubernetesEvent(type="Warning", subject=subject, reason=reason, message=message):
                self._line(Text(f"  {subject}: {reason}: {message}", "dim"))
            case e.PodSeen(pod=pod, phase=phase, node=node, ready=ready, reason=reason) if self._verbose > 1:
                state = "ready" if ready else reason or phase
                self._line(Text(f"  {pod} on {node or 'no node'}: {state}", "dim"))
            case _:
                pass

    def _ended(self, ended: e.StageEnded) -> None:
        mark, style = _MARKS[ended.outcome]
        if not self._unicode:
            mark = {"✓": "+", "✗": "X"}.get(mark, mark)
        details = words.facts(ended.facts)
        if ended.outcome not in {Outcome.DONE, Outcome.UNCHANGED}:
            details = ", ".join(filter(None, (words.outcome(ended.outcome), details)))
        row = self._row(mark, style, ended.stage, words.duration(ended.seconds), details)
        self._line(row if self._verbose else self._fit(row, self._rich.width))

    def _row(self, mark: str, style: str, stage: Stage, time: str, told: str) -> Text:
        row = Text()
        row.append(f"{mark} ", style)
        row.append(f"{stage:<{_NAME}}", "bold" if style == "cyan" else "")
        row.append(f"{time:>{_TIME}}")
        if told:
            row.append(f"  {told}", "bold red" if "red" in style else "dim")
        return row

    def _waiting(self) -> list[Text]:
        waiting = list(self._board.waiting.items())
        width = max((len(name) for name, _ in waiting[:_WAITING_SHOWN]), default=0)
        lines = [Text(f"    {name:<{width}}  {what}", "dim") for name, what in waiting[:_WAITING_SHOWN]]
        if len(waiting) > _WAITING_SHOWN:
            lines.append(Text(f"    and {len(waiting) - _WAITING_SHOWN} more", "dim"))
        return lines

    def _tests(self) -> str:
        tests = self._board.tests
        return f"{tests.ended} of {tests.collected}" + (f", {tests.failed} failed" if tests.failed else "")

    def _finding(self, finding: Finding) -> None:
        if finding in self._findings:
            return
        self._findings.add(finding)
        self._line(Text(words.finding(finding), "red" if finding.fatal else "yellow"))
        for text in words.evidence(finding):
            self._line(Text(f"  {text}", "bold" if text.startswith("hint: ") else "dim"))

    def _line(self, text: Text) -> None:
        if self._yielded:
            self._held.append(text)
        else:
            self._release()
            self._rich.print(text, soft_wrap=True)

    def _release(self) -> None:
        for text in self._held:
            self._rich.print(text, soft_wrap=True)
        self._held.clear()

    def _fit(self, text: Text, widest: int = _WIDEST) -> Text:
        """Cut to one line of the terminal: the live region must know its height."""
        text.truncate(min(self._rich.width - 1, widest), overflow="ellipsis" if self._unicode else "crop")
        text.no_wrap = True
        return text

    def _show(self) -> None:
        if not self._may_live:
            return
        if self._live is None and self._board.running:
            self._live = Live(
                get_renderable=lambda: self.region(self._now()),
                console=self._rich,
                refresh_per_second=1,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="ellipsis",
            )
            self._live.start()
        elif self._live is not None and not self._board.running:
            self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
