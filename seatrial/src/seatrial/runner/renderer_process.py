"""Start the host-side renderer, `seatrial.runner.renderer`, as a child process, and tell it the sizes of the logs."""

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

from seatrial.model.blame import Blame
from seatrial.model.verdict import Verdict
from seatrial.runner.artifacts import reports_in
from seatrial.runner.request import Request

__all__ = ["SETTINGS", "VERDICT", "RendererProcess"]

SETTINGS: Final = "renderer.json"
"""File of a run with the settings of its renderer."""

VERDICT: Final = "verdict.json"
"""File of a run with the verdict on its tests."""

_POLL_SECONDS: Final = 0.1
"""Seconds between two checks of the condition that ends a wait."""

_EXIT_SECONDS: Final = 2.0
"""Seconds for the renderer to end after an aborted run."""

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
"""Variables of Python that do not make it load code."""


class RendererProcess:
    """The host-side renderer, which shows the results while the tests run.

    seatrial waits for it only at the end and for the debugger: the results are in files, and it is told how far these
    have come. A tick that does not fit into the full pipe is dropped, because the pipe has newer ticks than were read.

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
            "color": "yes" if request.color else "no",
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
        # At the end of its input it shows the rest and writes the JUnit file, also of an aborted run.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reply.close()

    def tick(self, *, frames: int, output: int) -> None:
        """Tell the renderer the sizes of the logs."""
        self._send({"frames": frames, "output": output}, required=False)

    def wait_for_debugger(self) -> None:
        """Return once everything before the debugger's prompt is shown."""
        self._reply.readline()

    def resume(self) -> None:
        """Tell the renderer that the debugger has ended."""
        self._send({"go": True}, required=True)

    def blame(self, blames: Sequence[Blame], *, until: Callable[[], bool]) -> None:
        """Tell the renderer whose fault the failed tests are, before it shows the end of the session.

        Args:
            blames: of the failed tests.
            until: returns whether to stop waiting.
        """
        self._send({"blame": msgspec.to_builtins(blames)}, required=True, until=until)

    def end(self, verdict: Verdict, *, frames: int | None, until: Callable[[], bool]) -> str:
        """Send the verdict and wait until everything is shown; return why it was not, or an empty text.

        Args:
            verdict: shown last.
            frames: number of valid frames of the log; None: unknown.
            until: returns whether to stop waiting.
        """
        (self._run_dir / VERDICT).write_bytes(msgspec.json.encode(verdict))
        self._send({"end": msgspec.to_builtins(verdict)}, required=True, until=until)
        with suppress(OSError):
            self._control.close()
        while self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_SECONDS)
            if until():
                return "it was interrupted"
        code = self._process.returncode
        if self._copier:
            self._copier.join()
        if code:
            return f"it ended with {code}" if code > 0 else f"signal {-code} ended it"
        words = self._reply.read().split()
        if words[-2:-1] != [b"shown"]:
            return "it ended too early"
        return "" if frames is None or int(words[-1]) == frames else f"it read {int(words[-1])} of {frames} frames"

    def _send(self, message: dict[str, Any], *, required: bool, until: Callable[[], bool] = lambda: False) -> None:
        line = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(BrokenPipeError):
            while line:
                try:
                    # A tick is shorter than PIPE_BUF, so the write is atomic.
                    line = line[os.write(self._control.fileno(), line) :]
                except BlockingIOError:
                    if not required or until():
                        return
                    select.select([], [self._control], [], _POLL_SECONDS)


def _report_paths(request: Request, run_dir: Path) -> dict[str, str]:
    """Return path among the collected files -> path on this machine; what begins with a longer one comes first."""
    asked = {report.inside: str(report.target.absolute()) for report in request.files if report.target}
    return {**asked, **{f"{name}/": f"{reports_in(run_dir.absolute(), f'{name}/')}/" for name in ("files", "coverage")}}


def _environment(width: int) -> dict[str, str]:
    """Return the environment of the child, without variables that make Python or pytest load code."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OWN_VARIABLES) or name in _KEPT_VARIABLES
    }
    return {**kept, "COLUMNS": str(width), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _libraries(request: Request, host_args: Sequence[str]) -> list[str]:
    """Return further import directories of the child, after Python's library and site-packages.

    These are the directories of this process's seatrial, msgspec and pytest. PYTHONPATH is used only for a plugin that
    `--on-host=-p` names. The project and the working directory are never used: a `json.py` there would be imported.
    """
    specs = [importlib.util.find_spec(name) for name in ("seatrial", "msgspec", "pytest")]
    found = [str(Path(spec.origin).resolve().parent.parent) for spec in specs if spec and spec.origin]
    if "-p" in host_args:
        found += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    never = {request.root.resolve(), Path.cwd().resolve()}
    return [path for path in dict.fromkeys(found) if Path(path).is_absolute() and Path(path).resolve() not in never]


def _copy(source: Any, target: TextIO) -> None:
    """Copy the child's output to a stream without a file descriptor."""
    with io.TextIOWrapper(source, encoding="utf-8", errors="replace", newline="") as decoder:
        target.writelines(decoder)
