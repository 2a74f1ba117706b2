"""The rules that explain differences, in the order in which they are tried: the most specific evidence first.

A rule is a function that takes a difference and the case, and returns an explanation, or None if its evidence is
missing. A rule never guesses: what no rule explains is reported as unexplained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.rules import (
    images,
    localhost,
    memory,
    mounts,
    network_policy,
    ports,
    probes,
    read_only_root,
    resolver,
    schema,
    service_links,
    skipped,
    slow_service,
    start_order,
    underscores,
    user_id,
    variables,
)
from seatrial.model.comparison import Difference, Explanation

__all__ = ["RULES", "explain"]

Rule = Callable[[Difference, Case], Explanation | None]

RULES: Final[tuple[Rule, ...]] = (
    skipped.explain,
    memory.explain,
    service_links.explain,
    underscores.explain,
    localhost.explain,
    read_only_root.explain,
    user_id.explain,
    schema.explain,
    mounts.explain,
    start_order.explain,
    probes.explain,
    network_policy.explain,
    ports.explain,
    resolver.explain,
    variables.explain,
    slow_service.explain,
    images.explain,
)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Return the explanation of the first rule that has one; None: unexplained."""
    return next((found for rule in RULES if (found := rule(difference, case)) is not None), None)
