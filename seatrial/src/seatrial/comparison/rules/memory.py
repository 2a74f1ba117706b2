"""Rule: the kernel killed a process because its container reached its memory limit."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.facts import RUNNER
from seatrial.comparison.recorded import Side
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import ContainerFacts

__all__ = ["explain"]

_KILLED: Final = re.compile(
    r"OOMKilled|killed for memory|out of memory|exit code 137|MemoryError|Cannot allocate memory", re.IGNORECASE
)
_FULL: Final = 0.9
_KINDS: Final = (
    *(Kind.RUN, Kind.OUTCOME, Kind.FLAKY, Kind.MISSING, Kind.EXIT, Kind.RESTARTS, Kind.SLOWER),
    # An engine does not restart a container by itself: its name and port are missing then.
    *(Kind.NAME, Kind.PORT),
)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a failure beside a container that was killed for memory."""
    if difference.kind is Kind.LIMITS:
        return Explanation(
            rule="limits",
            cause=f"the limits of {difference.subject} differ",
            evidence=(
                f"{case.left.name}: {difference.left}",
                f"{case.right.name}: {difference.right}",
                *(used for side in (case.left, case.right) if difference.subject == RUNNER and (used := _used(side))),
            ),
            remedy="set the same limits, high enough for the tests",
        )
    if difference.kind not in _KINDS:
        return None
    side = case.bad(difference)
    killed = next((each for each in case.concerned(difference, side) if _was_killed(each, side, case)), None)
    line = case.find(_KILLED, difference, logs=False)
    if killed is None and line is None:
        return None
    name = killed.name if killed else "a container"
    limit = _limit(killed) if killed else ""
    other = case.pair(killed.name, side)[1] if killed else None
    evidence = [str(line)] if line else []
    if not killed and _is_full(side):
        evidence.append(_used(side))
    if killed:
        evidence.append(f"{killed.name} in {side.name}: {killed.last_exit}, {limit}")
    if other:
        evidence.append(f"{other.name} in {case.other(side).name}: {_limit(other)}")
    return Explanation(
        rule="limits",
        cause=f"{name} was killed for memory in {side.name}",
        evidence=tuple(evidence),
        remedy="raise resources.limits.memory of this container, or reduce its memory use",
    )


def _was_killed(container: ContainerFacts, side: Side, case: Case) -> bool:
    """Return whether a container was killed for memory.

    Some engines only report exit code 137, which is SIGKILL. With a lower limit than on the other side, that counts.
    """
    if "OOMKilled" in container.last_exit:
        return True
    other = case.pair(container.name, side)[1]
    allowed = other.limits.memory if other else 0
    lower = container.limits.memory > 0 and (not allowed or container.limits.memory < allowed)
    return lower and container.last_exit.endswith(" 137")


def _is_full(side: Side) -> bool:
    """Return whether the container of the tests used nearly all memory that its limit allows."""
    runner = side.facts.runner if side.facts else None
    return runner is not None and 0 < runner.limits.memory * _FULL <= runner.usage.memory_peak


def _used(side: Side) -> str:
    """Return how much memory the container of the tests used; empty if unknown."""
    runner = side.facts.runner if side.facts else None
    if runner is None or not runner.usage.memory_peak:
        return ""
    limit = f" of {runner.limits.memory >> 20} MiB" if runner.limits.memory else ", without a limit"
    return f"{RUNNER} in {side.name}: used at most {runner.usage.memory_peak >> 20} MiB{limit}"


def _limit(container: ContainerFacts) -> str:
    limit = container.limits.memory
    return f"memory limit {limit >> 20} MiB" if limit else "no memory limit"
