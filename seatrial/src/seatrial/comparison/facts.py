"""Compare the facts about two environments.

Facts that belong to the nature of an environment, such as its hostname, do not count as a difference. They serve as
evidence for explanations. Between environments of different kinds, more facts are natural than between two of one kind:
there, services and variables that only the right side has do not count either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seatrial.model.comparison import Difference, Kind
from seatrial.model.environment_facts import ContainerFacts, EnvironmentFacts, Limits, RunnerFacts, Variable

__all__ = ["RUNNER", "compare_facts", "pairs"]

RUNNER: Final = "tests"
"""Subject of differences of the container of the tests."""

_NATURAL: Final = re.compile(
    r"KUBERNETES_\w+|HOSTNAME|HOME|PWD|OLDPWD|SHLVL|_|SEATRIAL_\w+|\w+_SERVICE_(HOST|PORT\w*)|\w+_PORT_\d+_(TCP|UDP)\w*"
)
"""Variables that the environment sets for each container."""

_SLOWER: Final = 3.0
_SLOWER_SECONDS: Final = 10.0
"""A service counts as starting slower if it takes `_SLOWER` times as long and this much longer."""


def compare_facts(left: EnvironmentFacts | None, right: EnvironmentFacts | None) -> tuple[Difference, ...]:
    """Return the differences of the facts; none without facts of both sides."""
    if left is None or right is None:
        return ()
    same_kind, same_key = left.kind is right.kind, left.key == right.key
    found: list[Difference] = []
    if left.runner is not None and right.runner is not None:
        found += _runner(left.runner, right.runner, same_kind=same_kind, same_key=same_key)
    for before, after in pairs(left.containers, right.containers):
        if before is not None and after is not None:
            found += _container(before, after, same_kind=same_kind, same_key=same_key)
        else:
            there = before or after
            assert there is not None  # noqa: S101
            # Containers that prepare others and end have no counterpart by name in another kind of environment. More
            # services than the reference has do no harm.
            counts = same_kind or (before is not None and not there.once)
            found.append(_of(Kind.SERVICE, there.name, _there(before), _there(after), counts=counts))
    policies = [{each.name: each.digest for each in side.policies} for side in (left, right)]
    for name in sorted({*policies[0], *policies[1]}):
        before_, after_ = (side.get(name, "") for side in policies)
        if before_ != after_:
            words = [("absent" if not digest else "present") for digest in (before_, after_)]
            if before_ and after_:
                words = [f"rules {before_}", f"rules {after_}"]
            found.append(_of(Kind.POLICY, name, *words, counts=same_kind))
    return tuple(found)


def pairs(
    left: tuple[ContainerFacts, ...], right: tuple[ContainerFacts, ...]
) -> Iterator[tuple[ContainerFacts | None, ContainerFacts | None]]:
    """Yield the containers of both sides that belong together, by their names; None for one without a counterpart."""
    rest = list(right)
    unmatched: list[ContainerFacts] = []
    for before in left:
        same = next((each for each in rest if each.name == before.name), None)
        if same is None:
            unmatched.append(before)
        else:
            rest.remove(same)
            yield before, same
    for before in unmatched:
        wanted = {before.name, *before.names}
        other = next((each for each in rest if wanted & {each.name, *each.names}), None)
        if other is not None:
            rest.remove(other)
        yield before, other
    for after in rest:
        yield None, after


def _of(kind: Kind, subject: str, left: object, right: object, *, counts: bool = True) -> Difference:
    return Difference(kind=kind, subject=subject, left=str(left), right=str(right), counts=counts)


def _there(container: ContainerFacts | None) -> str:
    return "present" if container else "absent"


def _container(
    before: ContainerFacts, after: ContainerFacts, *, same_kind: bool, same_key: bool
) -> Iterator[Difference]:
    name = (
        after.name if same_kind else next(iter({before.name, *before.names} & {after.name, *after.names}), after.name)
    )
    images = _images(before, after)
    if images[0] != images[1]:
        yield _of(Kind.IMAGE, name, f"{before.image} {images[0]}", f"{after.image} {images[1]}")
    yield from _variables(name, before.variables, after.variables, same_kind=same_kind, same_key=same_key)
    if bool(before.restarts) != bool(after.restarts):
        yield _of(Kind.RESTARTS, name, before.restarts, after.restarts)
    if before.last_exit != after.last_exit and not (before.completed and after.completed):
        yield _of(Kind.EXIT, name, before.last_exit or "running", after.last_exit or "running")
    for kind, one, other in (
        (Kind.COMMAND, " ".join(before.command) or "of the image", " ".join(after.command) or "of the image"),
        (Kind.USER, before.user or "of the image", after.user or "of the image"),
        (Kind.LIMITS, _limits(before.limits), _limits(after.limits)),
        (Kind.PROBES, ", ".join(before.probes) or "none", ", ".join(after.probes) or "none"),
        (Kind.ORDER, ", ".join(before.waits_for) or "nothing", ", ".join(after.waits_for) or "nothing"),
        (Kind.MOUNTS, _mounts(before), _mounts(after)),
        (Kind.READ_ONLY, _yes(before.read_only_root), _yes(after.read_only_root)),
        (Kind.SERVICE_LINKS, _yes(before.service_links), _yes(after.service_links)),
        (Kind.PORT, _ports(before.ports), _ports(after.ports)),
    ):
        if one != other:
            yield _of(kind, name, one, other, counts=same_kind)
    start, end = before.seconds_to_ready, after.seconds_to_ready
    if start is not None and end is not None and end > _SLOWER * start and end - start >= _SLOWER_SECONDS:
        yield _of(Kind.SLOWER_START, name, f"ready after {start:.0f} s", f"ready after {end:.0f} s")


def _images(before: ContainerFacts, after: ContainerFacts) -> tuple[str, str]:
    """Return what identifies the images of both sides: digest or id, whichever both sides know; else nothing."""
    if before.digest and after.digest:
        return before.digest, after.digest
    return (before.image_id, after.image_id) if before.image_id and after.image_id else ("", "")


def _variables(
    subject: str, left: dict[str, Variable], right: dict[str, Variable], *, same_kind: bool, same_key: bool
) -> Iterator[Difference]:
    for name in sorted({*left, *right}):
        before, after = left.get(name), right.get(name)
        if _NATURAL.fullmatch(name):
            continue
        if before is None or after is None:
            counts = same_kind or before is not None
            yield _of(Kind.VARIABLE, f"{subject} {name}", _value(before), _value(after), counts=counts)
        elif not before.fingerprint or not after.fingerprint or not same_key:
            if before.traits != after.traits and before.fingerprint and after.fingerprint:
                yield _of(Kind.VARIABLE, f"{subject} {name}", _value(before), _value(after))
        elif before.fingerprint != after.fingerprint:
            yield _of(Kind.VARIABLE, f"{subject} {name}", _value(before), _value(after))


def _value(variable: Variable | None) -> str:
    if variable is None:
        return "not set"
    traits = f" ({', '.join(variable.traits)})" if variable.traits else ""
    return f"value {variable.fingerprint[:8] or 'unknown'}{traits}"


def _runner(before: RunnerFacts, after: RunnerFacts, *, same_kind: bool, same_key: bool) -> Iterator[Difference]:
    yield from _variables(RUNNER, before.variables, after.variables, same_kind=same_kind, same_key=same_key)
    answers = [{each.name: each for each in side.names} for side in (before, after)]
    for name in sorted(answers[0].keys() & answers[1].keys()):
        one, other = answers[0][name], answers[1][name]
        if bool(one.addresses) != bool(other.addresses):
            yield _of(Kind.NAME, name, one.error or "resolved", other.error or "resolved")
    ports = [{each.service: each for each in side.ports} for side in (before, after)]
    for name in sorted(ports[0].keys() & ports[1].keys()):
        here, there = ports[0][name], ports[1][name]
        if bool(here.error) != bool(there.error) or here.port != there.port:
            words = [f"port {each.port} {each.error or 'open'}" for each in (here, there)]
            # A Service may have another port than the container behind it, which Compose addresses.
            counts = same_kind or bool(here.error) != bool(there.error)
            yield _of(Kind.PORT, name, *words, counts=counts)
    for kind, one_, other_, natural in (
        (Kind.USER, before.user, after.user, not same_kind),
        (Kind.LIMITS, _limits(before.limits), _limits(after.limits), not same_kind),
        (Kind.READ_ONLY, _yes(before.read_only_root), _yes(after.read_only_root), not same_kind),
        (Kind.TIME_ZONE, before.time_zone, after.time_zone, False),
        (Kind.RESOLVER, _resolver(before), _resolver(after), True),
        (Kind.HOSTNAME, before.hostname, after.hostname, True),
    ):
        if one_ != other_:
            yield _of(kind, RUNNER, one_, other_, counts=not natural)


def _resolver(facts: RunnerFacts) -> str:
    return f"search {' '.join(facts.search) or 'none'}, ndots {facts.ndots}"


def _limits(limits: Limits) -> str:
    memory = f"{limits.memory / (1 << 20):.0f} MiB" if limits.memory > 0 else "no memory limit"
    return f"{memory}, {limits.cpu:g} CPU" if limits.cpu else f"{memory}, no CPU limit"


def _mounts(container: ContainerFacts) -> str:
    return (
        ", ".join(f"{each.path} {each.kind}{' read-only' if each.read_only else ''}" for each in container.mounts)
        or "none"
    )


def _ports(ports: tuple[int, ...]) -> str:
    return ", ".join(map(str, ports)) or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
