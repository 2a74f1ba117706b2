"""Show pytest's output of a past run from the run's directory, whose files are not trusted."""

from __future__ import annotations

import io
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO, TypeVar, cast

import msgspec

from seatrial.model.blame import Blame
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode
from seatrial.model.names import RunId
from seatrial.model.redaction import safe_struct
from seatrial.model.text import without_color
from seatrial.model.verdict import Verdict
from seatrial.runner.renderer_process import SETTINGS, VERDICT, RendererProcess
from seatrial.runner.request import Request

__all__ = ["has_output", "past_verdict", "show_output"]

_ABANDONED: Final = Verdict(exit=ExitCode.INCONCLUSIVE, message="the run was abandoned")
_LONGEST: Final = 1 << 20

_T = TypeVar("_T")


class _Settings(msgspec.Struct, frozen=True):
    """The settings that are used of a past run; arguments of its renderer are not, because they can load code."""

    where: str = ""


class _Blamed(msgspec.Struct, frozen=True):
    """The part of `result.json` that the output shows."""

    blame: tuple[Blame, ...] = ()


class _Filtered(io.TextIOBase):
    """Passes lines through a filter to another stream."""

    def __init__(self, out: TextIO, change: Callable[[str], str]) -> None:
        self._out = out
        self._change = change

    def write(self, text: str) -> int:
        self._out.write(self._change(text))
        return len(text)


def has_output(run_dir: Path) -> bool:
    """Return whether a run's directory has the log of its tests."""
    return _is_file(run_dir / "frames") and (run_dir / "frames").stat().st_size > 0


def past_verdict(run_dir: Path) -> Verdict:
    """Return the verdict on the tests of a past run; inconclusive if the run was killed before one was recorded."""
    return safe_struct(_read(run_dir / VERDICT, Verdict) or _ABANDONED)


def show_output(run_dir: Path, out: TextIO, *, color: bool, width: int, redact: Callable[[str], str]) -> str:
    """Write pytest's output of a past run to `out`; return why it is incomplete, empty if it is complete.

    Args:
        run_dir: the run's directory; nothing is written there.
        out: takes the output.
        color: whether to keep colors.
        width: columns of the terminal.
        redact: changes each line.
    """
    settings = safe_struct(_read(run_dir / SETTINGS, _Settings) or _Settings())
    verdict = past_verdict(run_dir)
    blames = safe_struct(_read(run_dir / "result.json", _Blamed) or _Blamed()).blame
    request = Request(
        run=RunId(run_dir.name), argv=(), root=run_dir, directory="/", where=settings.where,
        deadline=Deadline(0.0), informational=True, color=color, width=width,
    )  # fmt: skip
    filtered = cast("TextIO", _Filtered(out, lambda line: redact(line if color else without_color(line))))
    with tempfile.TemporaryDirectory(prefix="seatrial-render-") as scratch:
        logs = Path(scratch)
        # A link in an untrusted directory may point to any file.
        for name in ("frames", "runner-output.log"):
            if _is_file(run_dir / name):
                (logs / name).symlink_to((run_dir / name).absolute())
        with RendererProcess(
            request.run, request, run_dir=logs, out=filtered, host_args=(), reports=run_dir
        ) as renderer:
            if blames:
                renderer.blame(blames, until=lambda: False)
            return renderer.end(verdict, frames=None, until=lambda: False)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _read(path: Path, kind: type[_T]) -> _T | None:
    if not _is_file(path) or path.stat().st_size > _LONGEST:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError:
        return None
