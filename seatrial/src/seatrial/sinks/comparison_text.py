"""Render a comparison as a table for terminals and as Markdown for pull requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from seatrial.model.comparison import Comparison, Difference

__all__ = ["markdown", "text"]

_SHOWN: Final = 5
"""Differences of one cause that are listed."""

_EVIDENCE: Final = 3


def text(comparison: Comparison, *, verbose: bool = False) -> str:
    """Return the comparison for a terminal.

    Args:
        comparison: the comparison.
        verbose: also list the differences that belong to the nature of the environments, and all evidence.
    """
    left, right = comparison.left, comparison.right
    width = max(len(left.name), len(right.name), 4)
    lines = [
        f"{'':{width}}  {'tests':>5}  {'passed':>6}  exit  kind",
        *(
            f"{side.name:{width}}  {side.tests:>5}  {side.passed:>6}  {','.join(map(str, side.exits)):>4}  {side.kind}"
            for side in (left, right)
        ),
        "",
    ]
    for cause, group in _by_cause(comparison.blockers):
        lines += _cause(comparison, cause, group, verbose=verbose)
    accepted = [each for each in comparison.differences if each.accepted is not None]
    for each in accepted:
        assert each.accepted is not None  # noqa: S101
        lines.append(
            f"accepted until {each.accepted.expires}: {each.key} ({each.accepted.owner}: {each.accepted.reason})"
        )
    lines += [f"flaky on both sides: {each}" for each in comparison.flaky]
    if verbose:
        lines += [f"natural: {_values(comparison, each)}" for each in comparison.differences if not each.counts]
    lines += [f"note: {each}" for each in comparison.notes]
    if lines[-1]:
        lines.append("")
    lines += [f"[{'x' if box.proven else ' '}] {box.text}: {box.proof}" for box in comparison.boxes]
    return "\n".join((*lines, "", comparison.verdict))


def _cause(comparison: Comparison, cause: str, group: Sequence[Difference], *, verbose: bool) -> Iterator[str]:
    yield f"{cause or 'unexplained'} ({_count(len(group))})"
    shown = group if verbose else group[:_SHOWN]
    yield from (f"  {_values(comparison, each)}" for each in shown)
    if len(group) > len(shown):
        yield f"  … and {len(group) - len(shown)} more"
    explanation = group[0].explanation
    if explanation is not None:
        sides = (comparison.left.name, comparison.right.name)
        above = {f"{name}: {text}" for each in group for name, text in zip(sides, (each.left, each.right), strict=True)}
        evidence = [line for line in explanation.evidence if line not in above]
        evidence = evidence if verbose else evidence[:_EVIDENCE]
        yield from (f"  | {line}" for line in evidence)
        yield f"  hint: {explanation.remedy}"
    yield ""


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown for a comment on a pull request."""
    left, right = comparison.left, comparison.right
    lines = [
        f"### {_escaped(comparison.verdict)}",
        "",
        *(f"- [{'x' if box.proven else ' '}] {_escaped(box.text)}: {_escaped(box.proof)}" for box in comparison.boxes),
    ]
    if comparison.blockers:
        lines += [
            "",
            f"| difference | {_escaped(left.name)} | {_escaped(right.name)} | cause | remedy |",
            "| --- | --- | --- | --- | --- |",
        ]
        for _, group in _by_cause(comparison.blockers):
            for each in group[:_SHOWN]:
                why = each.explanation
                cells = [
                    f"`{each.key}`".replace("|", "\\|"),
                    *map(_escaped, (each.left, each.right)),
                    *map(_escaped, (why.cause, why.remedy) if why else ("**unexplained**", "")),
                ]
                lines.append(f"| {' | '.join(cells)} |")
            if len(group) > _SHOWN:
                lines.append(f"| … and {len(group) - _SHOWN} more of this cause | | | | |")
    accepted = [each for each in comparison.differences if each.accepted is not None]
    rest = [
        *(f"accepted until {each.accepted.expires}: `{each.key}`" for each in accepted if each.accepted),
        *(f"flaky on both sides: `{each}`" for each in comparison.flaky),
        *(_escaped(each) for each in comparison.notes),
    ]
    if rest:
        lines += ["", *(f"- {each}" for each in rest)]
    return "\n".join(lines)


def _by_cause(differences: Iterable[Difference]) -> list[tuple[str, list[Difference]]]:
    """Return the differences grouped by cause, in the order of their first difference; unexplained ones are a group."""
    groups: dict[str, list[Difference]] = {}
    for each in differences:
        groups.setdefault(each.explanation.cause if each.explanation else "", []).append(each)
    return list(groups.items())


def _values(comparison: Comparison, each: Difference) -> str:
    return f"{each.key}: {each.left} in {comparison.left.name}, {each.right} in {comparison.right.name}"


def _escaped(text_: str) -> str:
    """Return a text for a cell of a table."""
    return text_.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _count(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"
