"""The comparison of two environments: the JSON document of `seatrial compare` and `seatrial parity`."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from seatrial.model.errors import ExitCode

__all__ = [
    "COMPARISON_SCHEMA",
    "AcceptedBy",
    "Box",
    "ComparedSide",
    "Comparison",
    "Difference",
    "Durations",
    "Explanation",
    "Kind",
]

COMPARISON_SCHEMA: Final = 1
"""Version of the document. It is raised when readers of the version before would misunderstand a field."""


class Kind(StrEnum):
    """The kinds of differences, the most important first."""

    RUN = "run"
    """One run ended before its tests did."""
    OUTCOME = "test-outcome"
    MISSING = "test-missing"
    NOT_RUN = "test-not-run"
    FLAKY = "test-flaky"
    """Repetitions of a test had different outcomes in one environment only."""
    EXIT = "exit"
    RESTARTS = "restarts"
    SERVICE = "service"
    """One environment has no service of this name."""
    NAME = "dns-name"
    PORT = "port"
    IMAGE = "image"
    VARIABLE = "variable"
    COMMAND = "command"
    USER = "user"
    LIMITS = "limits"
    POLICY = "network-policy"
    PROBES = "probes"
    ORDER = "start-order"
    MOUNTS = "mounts"
    READ_ONLY = "read-only-root"
    SERVICE_LINKS = "service-links"
    SLOWER_START = "slower-start"
    SLOWER = "test-slower"
    RESOLVER = "resolver"
    TIME_ZONE = "time-zone"
    HOSTNAME = "hostname"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The known cause of a difference.

    Attributes:
        rule: name of the rule that matched.
        cause: one line for people.
        evidence: lines that prove it.
        remedy: one line, what to do.
    """

    rule: str
    cause: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""


class AcceptedBy(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of the reviewed file that accepts a difference."""

    owner: str
    reason: str
    expires: date


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the two sides.

    Attributes:
        kind: what differs.
        subject: node id of a test, or name of a container, with the name of a variable or path.
        left: the value on the left side, for people.
        right: the same on the right side.
        counts: whether it makes the two sides unequal. Others belong to the nature of the two environments, for
            example the hostname, and serve as evidence.
        explanation: the known cause; null: unexplained.
        accepted: the entry that accepts it; null: none does.
    """

    kind: Kind
    subject: str
    left: str
    right: str
    counts: bool = True
    explanation: Explanation | None = None
    accepted: AcceptedBy | None = None

    @property
    def key(self) -> str:
        """The text that entries of the reviewed file match: `variable web LOG_LEVEL`."""
        return f"{self.kind} {self.subject}"


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """The durations of tests that passed on both sides, right divided by left.

    Attributes:
        tests: number of compared tests.
        median: median ratio; null if no test could be compared.
        lowest: median ratio of the fastest right and slowest left repetition.
        highest: median ratio of the slowest right and fastest left repetition.
        slowest: test with the highest ratio; empty if no ratio was measured.
        slowest_ratio: its ratio.
        median_bound: largest accepted median ratio.
        test_bound: largest accepted ratio of one test.
    """

    tests: int = 0
    median: float | None = None
    lowest: float | None = None
    highest: float | None = None
    slowest: str = ""
    slowest_ratio: float | None = None
    median_bound: float = 1.5
    test_bound: float = 3.0


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of the verdict.

    Attributes:
        text: the condition.
        proven: whether the two sides prove it.
        proof: one line: figures that prove it, or why it is not proven.
    """

    text: str
    proven: bool
    proof: str


class ComparedSide(msgspec.Struct, frozen=True, kw_only=True):
    """One side.

    Attributes:
        name: name in the output: `compose`, or the id of the run.
        kind: kind of the environment.
        runs: directories of its runs, the first one is that of the facts.
        exits: exit codes of these runs.
        tests: number of tests.
        passed: number of tests that passed in all runs.
        facts: whether the run recorded facts.
    """

    name: str
    kind: str
    runs: tuple[str, ...]
    exits: tuple[int, ...]
    tests: int
    passed: int
    facts: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two environments, compared.

    Attributes:
        schema: version of these fields.
        exit: exit code of the command.
        verdict: one line.
        ready: whether all boxes are proven.
        differences: the most important first; those that do not count are last.
        flaky: tests whose repetitions had different outcomes on both sides, with their outcomes.
        notes: what could not be compared, and entries of the reviewed file that expired or match nothing.
    """

    schema: int = COMPARISON_SCHEMA
    exit: ExitCode = ExitCode.PASSED
    verdict: str
    ready: bool
    left: ComparedSide
    right: ComparedSide
    boxes: tuple[Box, Box, Box, Box]
    durations: Durations = Durations()
    differences: tuple[Difference, ...] = ()
    flaky: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def blockers(self) -> tuple[Difference, ...]:
        """The differences that count and that no entry accepts."""
        return tuple(each for each in self.differences if each.counts and each.accepted is None)
