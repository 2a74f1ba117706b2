"""Give rules access to both sides of a comparison: facts, texts and logs that belong to a difference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seatrial.comparison.facts import RUNNER, pairs
from seatrial.comparison.recorded import Side
from seatrial.model.comparison import Difference, Kind
from seatrial.model.environment_facts import ContainerFacts, Variable

__all__ = ["TEST_KINDS", "Case", "Line"]

TEST_KINDS: Final = frozenset((Kind.OUTCOME, Kind.MISSING, Kind.NOT_RUN, Kind.FLAKY, Kind.SLOWER))
"""Kinds of differences whose subject is a test."""

BROKEN: Final = frozenset((Kind.OUTCOME, Kind.FLAKY, Kind.RUN, Kind.EXIT, Kind.RESTARTS))
"""Kinds of differences with a failure, whose texts tell why."""

_NAME: Final = re.compile(r"(?<![\w.-])[a-z0-9][-a-z0-9]*(?![\w-])")
"""What may be the name of a service, or the first part of its address."""

_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a failure or log that matched.

    Attributes:
        where: where it stands: node id, `log of web`, `seatrial`.
        text: the line.
        match: the match.
    """

    where: str
    text: str
    match: re.Match[str]

    def __str__(self) -> str:
        """Return the line with its place, for evidence."""
        return f"{self.where}: {self.text.strip()[:_LONGEST]}"


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison.

    Attributes:
        differences: all differences of the facts and tests.
    """

    left: Side
    right: Side
    differences: tuple[Difference, ...]

    def bad(self, difference: Difference) -> Side:
        """Return the side on which a difference is a failure; the right one if that is unclear."""
        good = ("passed", "xfailed", "xpassed", "running", "0", "exit code 0", "resolved", "present")
        if difference.right.startswith(good) and not difference.left.startswith(good):
            return self.left
        return self.right

    def other(self, side: Side) -> Side:
        """Return the other side."""
        return self.left if side is self.right else self.right

    def pair(self, subject: str, side: Side) -> tuple[ContainerFacts | None, ContainerFacts | None]:
        """Return the container of a subject on a side, and its counterpart on the other one."""
        for here, there in pairs(side.containers, self.other(side).containers):
            if any(each is not None and subject in (each.name, *each.names) for each in (here, there)):
                return here, there
        return None, None

    def concerned(self, difference: Difference, side: Side) -> list[ContainerFacts]:
        """Return the containers that a difference may concern: its own, those that a test used or names, else all."""
        if difference.kind in TEST_KINDS and (used := side.services(difference.subject)):
            # A service that the test used may tell which other one it could not reach.
            words = used | set(_NAME.findall(side.text(difference.subject)))
            found = [each for each in side.containers if words & {each.name, *each.names}]
            if found:
                return found
        if difference.kind in TEST_KINDS or difference.kind is Kind.RUN:
            return list(side.containers)
        mine = self.pair(difference.subject.partition(" ")[0], side)[0]
        return [mine] if mine else []

    def of_kind(self, *kinds: Kind, subject: str = "") -> Iterator[Difference]:
        """Yield the differences of these kinds, of one subject or of all."""
        for each in self.differences:
            if each.kind in kinds and subject in ("", each.subject, each.subject.partition(" ")[0]):
                yield each

    def find(self, pattern: re.Pattern[str], difference: Difference, *, logs: bool = True) -> Line | None:
        """Return the first line that matches: of the failure, of seatrial's findings, then of logs of services.

        Args:
            pattern: what to find.
            difference: the failure.
            logs: also search the logs of the concerned services.
        """
        if difference.kind not in BROKEN:
            return None
        side = self.bad(difference)
        return next((line for line in self._lines(pattern, difference, side, logs=logs)), None)

    def find_all(self, pattern: re.Pattern[str], difference: Difference) -> list[Line]:
        """Return all lines that match, without those of logs."""
        return list(self._lines(pattern, difference, self.bad(difference), logs=False))

    def _lines(self, pattern: re.Pattern[str], difference: Difference, side: Side, *, logs: bool) -> Iterator[Line]:
        if difference.kind in TEST_KINDS:
            yield from _matches(pattern, side.text(difference.subject), difference.subject)
        if difference.kind is Kind.RUN:
            yield from _matches(pattern, "\n".join(side.findings()), "seatrial")
        if logs:
            for container in self.concerned(difference, side):
                yield from _matches(pattern, side.log(container), f"log of {container.name}")

    def variables(self, side: Side) -> Iterator[tuple[str, str, Variable]]:
        """Yield subject, name and fact of all variables of a side."""
        if side.facts is not None and side.facts.runner is not None:
            for name, value in side.facts.runner.variables.items():
                yield RUNNER, name, value
        for container in side.containers:
            for name, value in container.variables.items():
                yield container.name, name, value


def _matches(pattern: re.Pattern[str], text: str, where: str) -> Iterator[Line]:
    for line in text.splitlines():
        if match := pattern.search(line):
            yield Line(where, line, match)
