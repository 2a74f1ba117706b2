"""The child process that shows a run: `seatrial.runner.renderer`, started early, fed with sizes."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TextIO

import msgspec

from seatrial.model.verdict import Verdict
from seatrial.runner.artifacts import reports_in
from seatrial.runner.request import Request

__all__ = ["SETTINGS", "VERDICT", "RendererProcess"]

SETTINGS: Final = "renderer.json"
"""File of a run with the settings of its renderer."""

VERDICT: Final = "verdict.json"
"""File of a run with the verdict on its tests."""

_LOOK: Final = 0.1
"""Seconds between two looks at whether to wait on."""

_FAREWELL: Final = 2.0
"""Seconds for the end of a run that was cut off."""

_ENTRY: Final = (
    "import sys; sys.path += sys.argv[2:]; from seatrial.runner.renderer.__main__ import main; "
    "sys.exit(main(sys.argv[1]))"
)

_OWN_VARIABLES: Final = ("PYTHON", "PYTEST_")
_KEPT_VARIABLES: Final = frozenset(
    (
        "PYTHONCOERCECLOCALE", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONIOENCODING", "PYTHONNOUSERSITE",
        "PYTHONPYCACHEPREFIX", "PYTHONUSERBASE", "PYTHONUTF8",
    )
)  # fmt: skip
"""Of Python's own variables, those that add no code."""


class RendererProcess:
    """Shows what the tests do while they do it.

    The tool never waits for it but at the end and for the debugger: what it is to show is in files, and it is told only
    how far they have come. A pipe that is full holds a later tick than the one that does not fit.

    Args:
        run: its name.
        request: what was run.
        run_dir: has the logs, and gets settings, verdict and JUnit file.
        out: where to show it; a real file is written to directly.
        host_args: arguments for the pytest that shows it.
        reports: directory whose `reports` and `coverage` are named; default: `run_dir`.
    """

    def __init__(
        self,
        run: str,
        request: Request,
        *,
        run_dir: Path,
        out: TextIO,
        host_args: Sequence[str],
        reports: Path | None = None,
    ) -> None:
        reply, child_reply = os.pipe()
        settings = {
            "frames": str(run_dir / "frames"),
            "output": str(run_dir / "runner-output.log"),
            "directory": str(run_dir),
            "where": request.where,
            "junit": None if request.informational else str(run_dir / "junit.xml"),
            "junit_line": str(request.junit.absolute()) if request.junit else "",
            "reports": _report_paths(request, reports or run_dir),
            "colour": "yes" if request.colour else "no",
            "arguments": list(host_args),
            "reply": child_reply,
            "interactive": request.interactive,
        }
        path = run_dir / SETTINGS
        path.write_text(json.dumps(settings))
        self._run = run
        self._run_dir = run_dir
        self._reply = os.fdopen(reply, "rb", buffering=0)
        self._copier: threading.Thread | None = None
        stdout: int | TextIO = subprocess.PIPE
        with suppress(io.UnsupportedOperation, AttributeError):
            out.flush()
            stdout = out.fileno()
        with (run_dir / "renderer-errors.log").open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _ENTRY, str(path), *_libraries(request, host_args)],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=errors,
                pass_fds=(child_reply,),
                env=_environment(request.width),
                start_new_session=True,
            )
        os.close(child_reply)
        assert self._process.stdin is not None  # noqa: S101  # for type checkers
        self._control = self._process.stdin
        os.set_blocking(self._control.fileno(), False)
        if self._process.stdout is not None:
            self._copier = threading.Thread(target=_copy, args=(self._process.stdout, out), daemon=True)
            self._copier.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._control.close()
        # Without a word of the end it shows and writes what it has: the JUnit file of a run that was cut off.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reply.close()

    def tick(self, *, frames: int, output: int) -> None:
        """Say how far the logs have come."""
        self._say({"frames": frames, "output": output}, must=False)

    def wait_for_debugger(self) -> None:
        """Return once everything up to the debugger's prompt has been shown."""
        self._reply.readline()

    def resume(self) -> None:
        """Say that the debugger let go."""
        self._say({"go": True}, must=True)

    def end(self, verdict: Verdict, *, frames: int | None, until: Callable[[], bool]) -> str:
        """Say that nothing more will come; return once all has been shown, or why it was not.

        Args:
            verdict: what to say last.
            frames: how many frames of the log were good; None: unknown.
            until: says when to leave it.
        """
        (self._run_dir / VERDICT).write_bytes(msgspec.json.encode(verdict))
        self._say({"end": msgspec.to_builtins(verdict)}, must=True, until=until)
        with suppress(OSError):
            self._control.close()
        while self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK)
            if until():
                return "it was left"
        code = self._process.returncode
        if self._copier:
            self._copier.join()
        if code:
            return f"it ended with {code}" if code > 0 else f"signal {-code} ended it"
        words = self._reply.read().split()
        if words[-2:-1] != [b"shown"]:
            return "it ended before the run did"
        return "" if frames is None or int(words[-1]) == frames else f"it read {int(words[-1])} of {frames} frames"

    def _say(self, message: dict[str, Any], *, must: bool, until: Callable[[], bool] = lambda: False) -> None:
        line = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(BrokenPipeError):
            while line:
                try:
                    # A tick is shorter than PIPE_BUF, so it is written whole or not at all.
                    line = line[os.write(self._control.fileno(), line) :]
                except BlockingIOError:
                    if not must or until():
                        return
                    select.select([], [self._control], [], _LOOK)


def _report_paths(request: Request, run_dir: Path) -> dict[str, str]:
    """Return path among the collected files -> path on this machine; what begins with a longer one comes first."""
    asked = {report.inside: str(report.target.absolute()) for report in request.files if report.target}
    return {**asked, **{f"{name}/": f"{reports_in(run_dir.absolute(), f'{name}/')}/" for name in ("files", "coverage")}}


def _environment(width: int) -> dict[str, str]:
    """Return the environment of the child: nothing in it makes Python or pytest load code."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OWN_VARIABLES) or name in _KEPT_VARIABLES
    }
    return {**kept, "COLUMNS": str(width), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _libraries(request: Request, host_args: Sequence[str]) -> list[str]:
    """Return where else the child may import from, behind Python's own library and site-packages.

    That is where this process has seatrial, msgspec and pytest from. PYTHONPATH counts only for a plugin that the user
    asks for by `--on-host=-p`. Never the project or the working directory: a `json.py` there would be code of ours.
    """
    specs = [importlib.util.find_spec(name) for name in ("seatrial", "msgspec", "pytest")]
    found = [str(Path(spec.origin).resolve().parent.parent) for spec in specs if spec and spec.origin]
    if "-p" in host_args:
        found += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    never = {request.root.resolve(), Path.cwd().resolve()}
    return [path for path in dict.fromkeys(found) if Path(path).is_absolute() and Path(path).resolve() not in never]


def _copy(source: Any, target: TextIO) -> None:
    """Copy the child's output to something that is no file."""
    with io.TextIOWrapper(source, encoding="utf-8", errors="replace", newline="") as decoder:
        target.writelines(decoder)
