"""Write `report.html` into a run directory: as a sink at the end of each run, or for a past run."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.report.build import build_page, sources_of
from seatrial.report.history import History
from seatrial.report.markdown import render_markdown
from seatrial.report.page import Page
from seatrial.report.run_files import PARTS, REPORT_FILE, RunFiles
from seatrial.sinks import words

__all__ = ["ReportWriter", "page_of", "write_page"]


def page_of(directory: Path) -> Page:
    """Return the page of a past run."""
    return build_page(sources_of(RunFiles(directory)))


def write_page(directory: Path, page: Page) -> Path:
    """Write the page of a run into its directory and return its path.

    Raises:
        OSError: a file cannot be written.
    """
    from seatrial.report.html import render_html  # noqa: PLC0415 - importing Jinja2 takes 60 ms

    rendered = render_html(page)
    parts, file = directory / PARTS, directory / REPORT_FILE
    # The directory may come from another machine: links in it are replaced and never followed.
    if parts.is_symlink():
        parts.unlink()
    shutil.rmtree(parts, ignore_errors=True)
    for name, text in rendered.parts.items():
        parts.mkdir(exist_ok=True)
        _write(directory / name, text)
    _write(file, rendered.page)
    return file


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        with fresh.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


class ReportWriter:
    """Writes the report of a run at its end. Add it before the renderer, so that the report exists when the run ends.

    Args:
        directory: the run directory.
        say: takes the path of the report of a run that did not pass, and why a report was not written.
        summary: path of a file to which the report is added as Markdown: GITHUB_STEP_SUMMARY; None or empty: none.
    """

    def __init__(self, directory: Path, say: Callable[[str], None], *, summary: str | None = None) -> None:
        self._directory = directory
        self._say = say
        self._summary = Path(summary) if summary else None
        self._history = History()
        self._preparation: threading.Thread | None = None
        self._problem = ""
        self._last_words = ""

    def __call__(self, event: Event, /) -> None:
        """Take an event; write the report after the last one. A failure changes no exit code."""
        if self._problem:
            return
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - a report must not change the result of a run
            self._problem = f"{REPORT_FILE} was not written: {type(error).__name__}: {error}"

    def close(self) -> None:
        """Print what is left to say about the report."""
        if text := self._problem or self._last_words:
            self._say(text)

    def _take(self, event: Event) -> None:
        self._history.take(event)
        match event.body:
            case e.TestsCollected() if self._preparation is None:
                # While the tests run in the pod, this process waits.
                self._preparation = threading.Thread(target=_prepare, daemon=True)
                self._preparation.start()
            case e.RunEnded():
                if self._preparation is not None:
                    self._preparation.join()
                page = build_page(sources_of(RunFiles(self._directory), self._history))
                path = write_page(self._directory, page)
                if page.verdict.tone != "passed":
                    self._last_words = f"report: {words.relative(str(path))}"
                if self._summary is not None:
                    with self._summary.open("a", encoding="utf-8", errors="backslashreplace") as file:
                        file.write(render_markdown(page) + "\n")


def _prepare() -> None:
    from seatrial.report.html import prepare  # noqa: PLC0415 - the import is the preparation

    prepare()
