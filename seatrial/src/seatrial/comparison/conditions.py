"""Decide the verdict of a comparison by four conditions, each with its proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seatrial.comparison.recorded import Side
from seatrial.model.comparison import Box, Difference, Durations, Kind

__all__ = ["COMPOSE_BOXES", "boxes", "verdict"]

COMPOSE_BOXES: Final = (
    "All Docker Compose tests also pass in kind",
    "No environment-specific failures",
    "Performance comparable (K8s not significantly slower)",
    "Logs/debugging work in both environments",
)
"""The texts for a comparison of Compose with Kubernetes."""

_GOOD: Final = frozenset(("passed", "xfailed", "xpassed"))


def boxes(
    left: Side, right: Side, differences: Sequence[Difference], durations: Durations
) -> tuple[Box, Box, Box, Box]:
    """Return the four conditions. A difference that an entry of the reviewed file accepts does not refute them."""
    texts = COMPOSE_BOXES
    if (left.kind, right.kind) != ("compose", "kubernetes"):
        texts = (
            f"All tests that pass in {left.name} also pass in {right.name}",
            "No environment-specific failures",
            f"Performance comparable ({right.name} not significantly slower)",
            "Logs/debugging work in both environments",
        )
    blocking = [each for each in differences if each.counts and each.accepted is None]
    return (
        _same_tests(left, right, differences, texts[0]),
        _no_failures(blocking, differences, texts[1]),
        _performance(blocking, durations, texts[2]),
        _debugging(left, right, texts[3]),
    )


def _same_tests(left: Side, right: Side, differences: Sequence[Difference], text: str) -> Box:
    accepted = {each.subject for each in differences if each.accepted is not None}
    passed = [name for name in left.runs[0].tests if _passes(left, name)]
    failed = [name for name in passed if not _passes(right, name) and name not in accepted]
    if not passed:
        return Box(text=text, proven=False, proof=f"no test passed in {left.name}")
    proof = f"{len(passed) - len(failed)} of {len(passed)} tests that pass in {left.name} pass in {right.name}"
    if waived := len([name for name in passed if name in accepted and not _passes(right, name)]):
        proof += f", {waived} of them by acceptance"
    return Box(text=text, proven=not failed, proof=f"{proof}; first: {failed[0]}" if failed else proof)


def _passes(side: Side, name: str) -> bool:
    """Return whether a test passes in a run of this side; flaky ones are differences of their own."""
    return bool(_GOOD & {*side.outcomes(name)})


def _no_failures(blocking: Sequence[Difference], differences: Sequence[Difference], text: str) -> Box:
    specific = [each for each in blocking if each.kind is not Kind.SLOWER]
    accepted = sum(each.accepted is not None for each in differences)
    more = f", {accepted} accepted" if accepted else ""
    if not specific:
        return Box(text=text, proven=True, proof=f"no difference counts{more}")
    unexplained = sum(each.explanation is None for each in specific)
    return Box(text=text, proven=False, proof=f"{_count(len(specific), 'difference')}, {unexplained} unexplained{more}")


def _performance(blocking: Sequence[Difference], durations: Durations, text: str) -> Box:
    if durations.median is None:
        return Box(text=text, proven=False, proof="no test passed on both sides")
    proof = f"median ratio {durations.median:.2f} of at most {durations.median_bound:g} over {durations.tests} tests"
    if durations.lowest != durations.highest:
        proof += f" ({durations.lowest:.2f} to {durations.highest:.2f} over repetitions)"
    slower = sum(each.kind is Kind.SLOWER for each in blocking)
    proof += f"; {_count(slower, 'test')} above {durations.test_bound:g}"
    return Box(text=text, proven=durations.median <= durations.median_bound and not slower, proof=proof)


def _debugging(left: Side, right: Side, text: str) -> Box:
    proofs, problems = [], []
    for side in (left, right):
        if side.facts is None:
            problems.append(f"{side.name} has no facts.json: record the run again with this version of seatrial")
            continue
        silent = [each.name for each in side.containers if each.log < 0]
        if silent:
            problems.append(f"logs cannot be read in {side.name}: {', '.join(silent)}")
        if side.facts.runner is None:
            problems.append(
                f"no command runs in the container of the tests in {side.name}: {side.facts.runner_problem}"
            )
        if not any(name for name in side.runs[0].tests):
            problems.append(f"{side.name} has no results of tests")
        proofs.append(f"{side.name}: {_count(len(side.containers), 'log')} read, a command ran in the runner")
    return Box(text=text, proven=not problems, proof="; ".join(problems or proofs))


def verdict(left: Side, right: Side, shown: Sequence[Box], blockers: Sequence[Difference]) -> str:
    """Return the verdict in one line."""
    ready = all(box.proven for box in shown)
    drops = (left.kind, right.kind) == ("compose", "kubernetes")
    if ready and not blockers:
        return "ready to drop Compose" if drops else f"{left.name} and {right.name} are equal"
    if blockers:
        unexplained = sum(each.explanation is None for each in blockers)
        words = f"{_count(len(blockers), 'difference')}, {unexplained} unexplained"
    else:
        words = "not proven: " + ", ".join(box.text for box in shown if not box.proven)
    return f"not ready to drop Compose: {words}" if drops else f"{left.name} and {right.name} differ: {words}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
