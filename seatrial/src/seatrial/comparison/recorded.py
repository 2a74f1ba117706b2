"""Define the values that a comparison reads from recorded runs: tests, facts and logs of each side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from seatrial.model.environment_facts import ContainerFacts, EnvironmentFacts
from seatrial.model.result import RunResult

__all__ = ["RecordedRun", "RecordedTest", "Side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTest:
    """One test of a run.

    Attributes:
        outcome: the worst of its phases: passed, failed, error, skipped, xfailed, xpassed.
        seconds: duration of all phases.
        text: message and traceback of a failure, or the reason of a skip.
        services: the services that it used, by the fixture `service`.
    """

    outcome: str
    seconds: float
    text: str = ""
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run directory.

    Attributes:
        directory: path of the directory.
        result: content of `result.json`.
        tests: node id to test.
        facts: content of `facts.json`; None if the run has no such file.
        logs: `POD/CONTAINER` or Compose service, with `-NUMBER` if it has several containers, to the end of the log.
    """

    directory: str
    result: RunResult
    tests: Mapping[str, RecordedTest]
    facts: EnvironmentFacts | None = None
    logs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: the repetitions of one environment.

    Attributes:
        name: name in the output.
        runs: at least one run; the first one has the facts.
    """

    name: str
    runs: tuple[RecordedRun, ...]

    @property
    def facts(self) -> EnvironmentFacts | None:
        """The facts of the first run."""
        return self.runs[0].facts

    @property
    def kind(self) -> str:
        """The kind of the environment."""
        return str(self.facts.kind) if self.facts else "kubernetes"

    @property
    def containers(self) -> tuple[ContainerFacts, ...]:
        """The containers of the services; none without facts."""
        return self.facts.containers if self.facts else ()

    def outcomes(self, test: str) -> tuple[str, ...]:
        """Return the outcome of a test in each run that has it."""
        return tuple(run.tests[test].outcome for run in self.runs if test in run.tests)

    def seconds(self, test: str) -> tuple[float, ...]:
        """Return the duration of a test in each run that has it."""
        return tuple(run.tests[test].seconds for run in self.runs if test in run.tests)

    def text(self, test: str) -> str:
        """Return message and traceback of the first failure or skip of a test; empty if the test passed."""
        return next((run.tests[test].text for run in self.runs if test in run.tests and run.tests[test].text), "")

    def services(self, test: str) -> frozenset[str]:
        """Return the services that a test used."""
        return frozenset().union(*(run.tests[test].services for run in self.runs if test in run.tests))

    def findings(self) -> Iterator[str]:
        """Yield the lines that tell why a run failed: its problem and the findings of its stages."""
        for run in self.runs:
            if problem := run.result.problem:
                yield from filter(None, (problem.message, problem.reason))
            for stage in run.result.stages:
                for finding in stage.findings:
                    yield f"{finding.subject}: {finding.message}"
                    yield from finding.evidence

    def log(self, container: ContainerFacts) -> str:
        """Return the ends of the logs of a container's instances; empty if the run has no log of it."""
        workload = container.name.partition("/")[0]
        workloads = [each.name.partition("/")[0] for each in self.containers]
        return "\n".join(text for name, text in self.runs[0].logs.items() if _workload_of(name, workloads) == workload)


def _workload_of(log: str, workloads: Iterable[str]) -> str:
    """Return the workload whose name a log's name continues, the longest of several: `web-admin-0` is not of `web`."""
    matching = (each for each in workloads if f"{log}-".startswith(f"{each}-") or log.startswith(f"{each}/"))
    return max(matching, key=len, default="")
