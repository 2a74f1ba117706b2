"""Decide the exit code of a test run from the evidence collected. Pure.

Green needs positive proof: one pytest, its log whole and in order, its end record naming exactly what arrived, every
collected test reported and ended, none failed, the command's own exit code 0, and the code that ran equal to the tree.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any, Final

from seatrial.model.errors import FOREIGN_CODES, ExitCode
from seatrial.model.verdict import Verdict
from seatrial.ports import ContainerState
from seatrial.runner.progress import EndRecord, Progress

__all__ = ["Evidence", "decide"]

_SUSPECTS_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything known about a test run after its end.

    Attributes:
        progress: the state after the last record.
        broken: why the frame log cannot be trusted; empty if it is complete.
        exited: exit.json of the agent; None if the agent wrote no such file.
        container: state of the container in Kubernetes; None if it was not queried.
        silent: the pod stopped sending without an end of the stream.
        informational: an option such as `--help` or `--fixtures` runs no tests.
        interrupted: the user interrupted the run.
        out_of_time: the run was ended at its deadline.
        stale: why the code that ran is not the working tree; empty if it is.
    """

    progress: Progress
    broken: str = ""
    exited: dict[str, Any] | None = None
    container: ContainerState | None = None
    silent: bool = False
    informational: bool = False
    interrupted: bool = False
    out_of_time: bool = False
    stale: str = ""


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict on a test run."""
    progress = evidence.progress
    end = progress.end
    suspects = tuple(progress.running) if end is None else ()
    if evidence.interrupted:
        return Verdict(exit=ExitCode.INTERRUPTED, message="interrupted", suspects=suspects, proven=end is not None)
    if evidence.out_of_time:
        return Verdict(
            exit=ExitCode.OUT_OF_TIME, message="the tests timed out", reason=_during(suspects),
            suspects=suspects, proven=end is not None,
        )  # fmt: skip
    if evidence.exited and evidence.exited["error"]:
        return Verdict(
            exit=ExitCode.ENVIRONMENT, message="the test command could not be started",
            reason=evidence.exited["error"],
        )  # fmt: skip
    if evidence.informational and not (progress.running or progress.finished):
        return _informational(evidence)
    if evidence.exited and evidence.exited["sessions"] > 1:
        return _inconclusive(
            f"the command started pytest {evidence.exited['sessions']} times",
            "a run may have one session",
            suspects,
        )
    if evidence.broken:
        return _inconclusive("the frame log is damaged", evidence.broken, suspects)
    if progress.session is None:
        return _never_began(evidence)
    if end is None:
        return _died(evidence, suspects)
    if end.doubt:
        return _inconclusive("pytest's end record does not match the received records", end.doubt, suspects)
    return _ended(evidence, end)


def _ended(evidence: Evidence, end: EndRecord) -> Verdict:
    """Return the verdict on a session with a valid end record."""
    progress, counts = evidence.progress, evidence.progress.counts
    if end.exit == 0:
        return _green(evidence, end)
    code, message = _meaning(end.exit)
    reason = _memory(evidence.exited)
    stopped = progress.interrupted_by
    if stopped.startswith("Exit"):
        message, reason = f"pytest.exit() ended pytest with {end.exit}", stopped
    elif end.exit == ExitCode.INTERRUPTED and stopped.startswith("Interrupted") and (counts.errors or counts.failed):
        # Failures stopped pytest: modules that cannot be imported, or --exitfirst under xdist.
        code = ExitCode.TESTS_FAILED
        message = "tests could not be collected" if progress.collect_errors else "tests failed"
        reason = reason or stopped
    elif end.exit == ExitCode.INTERRUPTED:
        reason = stopped
    elif end.exit == ExitCode.PYTEST_INTERNAL:
        reason = progress.internal_error
    elif end.exit == ExitCode.NO_TESTS and progress.finished:
        return _inconclusive("pytest collected no tests, but tests ran", "", ())
    return Verdict(exit=code, message=message, reason=reason, proven=True)


_CODES: Final = {
    1: (ExitCode.TESTS_FAILED, "tests failed"),
    2: (ExitCode.INTERRUPTED, "pytest was interrupted"),
    3: (ExitCode.PYTEST_INTERNAL, "internal error of pytest"),
    4: (ExitCode.USAGE, "usage error of pytest"),
    5: (ExitCode.NO_TESTS, "no tests were collected"),
    6: (ExitCode(6), "too many warnings"),
}


def _meaning(code: int) -> tuple[ExitCode, str]:
    """Return exit code and message for an exit code of pytest, except 0. A code with another meaning here becomes 1."""
    passed_on = ExitCode(code) if code in FOREIGN_CODES else ExitCode.TESTS_FAILED
    return _CODES.get(code, (passed_on, f"pytest exited with {code}"))


def _green(evidence: Evidence, end: EndRecord) -> Verdict:
    """Return the verdict on a session that ended with 0, which all other evidence must confirm."""
    progress, counts, exited = evidence.progress, evidence.progress.counts, evidence.exited
    if progress.interrupted_by:
        # After pytest.exit(returncode=0), any number of tests has not run.
        return Verdict(
            exit=ExitCode.INTERRUPTED, message="pytest.exit() ended pytest", reason=progress.interrupted_by, proven=True
        )
    if counts.failed or counts.errors:
        return Verdict(
            exit=ExitCode.TESTS_FAILED, message="tests failed", reason="a plugin made pytest exit with 0", proven=True
        )
    if doubt := "" if end.collect_only else _missing(progress):
        return _inconclusive(doubt, "", ())
    if exited is None:
        return _inconclusive("the command's exit status was lost", _container(evidence.container), ())
    if exited["signal"] is not None:
        return _inconclusive(f"pytest passed, then {_signal(exited['signal'])} ended its process", "", ())
    if code := exited["code"]:
        return Verdict(
            exit=ExitCode(code) if code in FOREIGN_CODES else ExitCode.TESTS_FAILED,
            message=f"pytest passed, but its command exited with {code}", proven=True,
        )  # fmt: skip
    if evidence.stale:
        return _inconclusive("the code that ran is not the working tree", evidence.stale, ())
    passed, message = _words(progress, end)
    return Verdict(exit=passed, message=message, reason=_memory(exited), proven=True)


def _missing(progress: Progress) -> str:
    """Return which collected tests did not run or have no result; empty if all did."""
    never = max(progress.distinct - len(progress.finished), (progress.collected or 0) - progress.ends)
    if never > 0 or progress.running:
        return f"{max(never, len(progress.running))} collected tests did not end"
    silent = len(progress.finished - progress.reported)
    return f"{silent} tests ended without a result" if silent and not progress.setup_only else ""


def _words(progress: Progress, end: EndRecord) -> tuple[ExitCode, str]:
    """Return exit code and message of a session with complete evidence."""
    counts = progress.counts
    if end.collect_only:
        return ExitCode.PASSED, f"{progress.collected} tests collected, none run"
    if progress.setup_only:
        return ExitCode.PASSED, f"{progress.ends} tests set up or planned, none run"
    if not progress.finished:
        return ExitCode.NO_TESTS, "no tests ran"
    ran = counts.passed or counts.xfailed or counts.xpassed
    return ExitCode.PASSED, "all tests passed" if ran else "all tests were skipped"


def _never_began(evidence: Evidence) -> Verdict:
    """Return the verdict on a run without a pytest session."""
    exited = evidence.exited
    if exited is None:
        return _inconclusive(f"{_gone(evidence)} before pytest started", _container(evidence.container), ())
    if exited["signal"] is not None or _killed(exited):
        return _inconclusive("the command was killed before pytest started", _death(exited), ())
    code = exited["code"]
    if code == 0:
        return _inconclusive("the command exited with 0, but pytest did not run", "", ())
    if not exited["sessions"]:
        return Verdict(
            exit=ExitCode.ENVIRONMENT, message=f"the command exited with {code} before pytest started",
            reason="its output is above",
        )  # fmt: skip
    if code == ExitCode.USAGE:
        return Verdict(exit=ExitCode.USAGE, message="usage error of pytest", reason="its output is above")
    # pytest.exit() in pytest_configure; Python itself exits with 1 after an exception.
    passed_on = code == ExitCode.INTERRUPTED or code in FOREIGN_CODES
    return Verdict(
        exit=ExitCode(code) if passed_on else ExitCode.PYTEST_INTERNAL,
        message=f"pytest exited with {code} before its session started", reason="its output is above",
    )  # fmt: skip


def _died(evidence: Evidence, suspects: tuple[str, ...]) -> Verdict:
    """Return the verdict on a session without an end record."""
    exited = evidence.exited
    if exited is None:
        return _inconclusive(f"{_gone(evidence)} {_during(suspects)}", _container(evidence.container), suspects)
    return _inconclusive(f"pytest died {_during(suspects)}", _death(exited), suspects)


def _gone(evidence: Evidence) -> str:
    ended = evidence.container is not None and evidence.container.state in ("terminated", "gone")
    return "the runner stopped answering" if evidence.silent and not ended else "the runner died"


def _informational(evidence: Evidence) -> Verdict:
    exited = evidence.exited
    if exited is None or exited["signal"] is not None:
        return _inconclusive("the exit of pytest is unknown", "", ())
    code = exited["code"]
    if code in (0, 5):
        return Verdict(exit=ExitCode(code), message="pytest printed information; no tests ran", proven=True)
    known, message = _meaning(code)
    return Verdict(exit=known, message=message, proven=True)


def _inconclusive(message: str, reason: str, suspects: tuple[str, ...]) -> Verdict:
    return Verdict(exit=ExitCode.INCONCLUSIVE, message=message, reason=reason, suspects=suspects)


def _during(suspects: tuple[str, ...]) -> str:
    if not suspects:
        return "between tests"
    named = ", ".join(suspects[:_SUSPECTS_NAMED])
    more = len(suspects) - _SUSPECTS_NAMED
    return f"while running {named}" + (f" and {more} more" if more > 0 else "")


def _memory(exited: dict[str, Any] | None) -> str:
    """Return how many processes of the container the kernel killed; empty if none."""
    if not exited or not exited["oom_kills"]:
        return ""
    killed = "a process" if exited["oom_kills"] == 1 else f"{exited['oom_kills']} processes"
    return f"the kernel killed {killed} of the container: out of memory{_limit(exited)}"


def _limit(exited: dict[str, Any]) -> str:
    return f" (limit {exited['memory_limit'] >> 20} MiB)" if exited["memory_limit"] else ""


def _killed(exited: dict[str, Any]) -> bool:
    """Whether the exit code is that of a shell whose child was ended by a signal."""
    return bool(exited["oom_kills"]) or (exited["code"] or 0) > 128  # noqa: PLR2004


def _death(exited: dict[str, Any]) -> str:
    if exited["oom_kills"]:
        return f"killed by the kernel: out of memory{_limit(exited)}"
    code = exited["code"]
    number = exited["signal"] or (code - 128 if code is not None and code > 128 else None)  # noqa: PLR2004
    if number is not None:
        return f"ended by {_signal(number)}"
    return f"the process exited with {code} before pytest ended"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _container(state: ContainerState | None) -> str:
    if state is None:
        return ""
    if state.state == "gone":
        return "the pod is gone"
    if state.state == "terminated" and state.reason == "OOMKilled":
        limit = f" (limit {state.memory_limit})" if state.memory_limit else ""
        return f"its container was killed by the kernel: out of memory{limit}"
    if state.state == "terminated":
        signal_ = f" ({_signal(state.code - 128)})" if state.code is not None and state.code > 128 else ""  # noqa: PLR2004
        code = f", exit code {state.code}{signal_}" if state.code is not None else ""
        return f"its container: {state.reason or 'ended'}{code}"
    return f"its container is {state.state}" + (f": {state.reason}" if state.reason else "")
