"""Decide for each failed test which problem in the cluster explains it. Pure.

A problem is blamed only if it concerns the test and existed while it ran. It is the cause only if a rule proves it: the
test failed in the way that this problem makes connections fail, to a service that the problem took away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from seatrial.diagnose.catalog import fault_of, rank_of
from seatrial.diagnose.failed_test import FailedTest
from seatrial.diagnose.failure_kind import FailureKind, failure_kind, hosts_in, split_address
from seatrial.diagnose.incidents.incident import LATE, Incident, ServiceName
from seatrial.diagnose.service_map import KnownService, ServiceMap
from seatrial.model.blame import Blame, Cause, Fault
from seatrial.model.finding import Finding, ObjectRef

__all__ = ["LEAD", "Concern", "blame_test", "concerns_of"]

LEAD: Final = timedelta(seconds=5)
"""A problem that was over this long before a test began may still explain it: clients keep broken connections."""

_MOST: Final = 5
"""Causes of a test that are recorded."""

_LOST: Final = frozenset(
    (FailureKind.REFUSED, FailureKind.CLOSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE, FailureKind.NOT_READY,
     FailureKind.DNS, FailureKind.SERVER_ERROR)
)  # fmt: skip
"""How connections fail to a service whose pods are gone, restarted or not ready. A headless Service loses its name."""

_NO_ANSWER: Final = frozenset(
    (FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE, FailureKind.NOT_READY)
)

_EXPLAINS: Final = {
    "NetworkPolicy": _NO_ANSWER | {FailureKind.DNS},
    "WrongTargetPort": _NO_ANSWER,
    "DnsUnavailable": frozenset((FailureKind.DNS, FailureKind.NOT_READY, FailureKind.SERVER_ERROR)),
    "CPUThrottled": frozenset((FailureKind.TIMEOUT, FailureKind.NOT_READY, FailureKind.SERVER_ERROR)),
    "DiskFull": frozenset((FailureKind.SERVER_ERROR, FailureKind.NOT_READY, FailureKind.CLOSED)),
    "WrongCredentials": frozenset((FailureKind.SERVER_ERROR, FailureKind.NOT_READY)),
    "CertificateExpired": frozenset((FailureKind.SERVER_ERROR, FailureKind.NOT_READY, FailureKind.CLOSED)),
}  # fmt: skip
"""How connections fail because of the causes that do not take pods away."""

_PASSED_ON: Final = frozenset(
    (FailureKind.SERVER_ERROR, FailureKind.NOT_READY, FailureKind.TIMEOUT, FailureKind.REFUSED, FailureKind.CLOSED)
)
"""How a service that lost another one lets its own clients fail."""

_LOOKUP_FAILED: Final = frozenset((FailureKind.SERVER_ERROR, FailureKind.NOT_READY, FailureKind.TIMEOUT))
"""How a service that cannot look up another one lets its own clients fail."""

_RECENT: Final = timedelta(seconds=3)
"""A problem that was over this long before a failure explains it less likely than one that was not."""

_PROMPT: Final = timedelta(seconds=0.3)
"""A watch usually tells of a change this long after a test met it, at most."""

_TOGETHER: Final = timedelta(seconds=2)
"""Two problems within this time may be seen in any order."""


@dataclass(frozen=True, slots=True)
class Concern:
    """A service that concerns a test.

    Attributes:
        service: the service.
        link: why it concerns the test.
        named: whether the failure itself names it.
        via: the service that uses it; None if the test itself does.
    """

    service: KnownService
    link: str
    named: bool = False
    via: KnownService | None = None


def concerns_of(test: FailedTest, services: ServiceMap) -> list[Concern]:
    """Return the services that concern a test: named by its failure, asked for by it, and those that they use."""
    named: dict[ServiceName, Concern] = {}
    for host, port in _addresses(test):
        for service in services.at(host):
            shown = f"{host}:{port}" if port else host
            named.setdefault(service.key, Concern(service, f"the error names {shown}", named=True))
    asked: dict[ServiceName, Concern] = {}
    for name in test.services:
        found = services.configured(name)
        if found is not None and found.key not in named:
            asked[found.key] = Concern(found, f"the test asked for service {name}")
    direct = [*named.values(), *asked.values()]
    return [*direct, *_used(direct, services)]


def _addresses(test: FailedTest) -> list[tuple[str, int]]:
    found = hosts_in(test.error)
    found += [split_address(address) for address in test.addresses]
    found += [split_address(url) for _, url in test.answers]
    return list(dict.fromkeys(found))


def _used(direct: Sequence[Concern], services: ServiceMap) -> Iterator[Concern]:
    """Yield the services that the given ones use, and those that these use."""
    seen = {each.service.key for each in direct}
    pending = list(direct)
    while pending:
        concern = pending.pop(0)
        for key, setting in concern.service.uses.items():
            if key in seen or key not in services.services:
                continue
            seen.add(key)
            used = services.services[key]
            link = f"{concern.link}; {concern.service.shown} uses {used.shown} ({setting})"
            more = Concern(used, link, concern.named, concern.via or concern.service)
            pending.append(more)
            yield more


def blame_test(test: FailedTest, incidents: Iterable[Incident], services: ServiceMap) -> Blame:
    """Return whose fault a failed test is.

    Args:
        test: the test.
        incidents: all problems that were recorded.
        services: the known Services.
    """
    kind = failure_kind(test.error, test.answers)
    concerns = concerns_of(test, services)
    begin, end = test.begin - LEAD, test.end + LATE
    found = [
        suspect
        for incident in incidents
        if incident.overlaps(begin, end) and (suspect := _suspect(test, kind, incident, concerns, services)) is not None
    ]
    found = [_of_new_template(each, found) for each in found]
    ordered = [each.cause for each in sorted(found, key=lambda each: _order(each, found, test))]
    if not any(each.word == "caused by" for each in ordered) and (answer := _server_error(kind, test, concerns)):
        ordered = [answer, *ordered]
    causes = tuple(_without_repeats(ordered))[:_MOST]
    proven = bool(causes) and causes[0].word == "caused by"
    return Blame(nodeid=test.nodeid, fault=causes[0].fault if proven else Fault.TEST, causes=causes)


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A problem that concerns a test, with the service by which it does."""

    cause: Cause
    incident: Incident
    concern: Concern | None = None


def _of_new_template(suspect: _Suspect, found: Sequence[_Suspect]) -> _Suspect:
    """Return a problem of the platform as one of the service if a changed template led to it: a wrong image name."""
    its = suspect.incident.controller
    changed = its[1] and any(
        each.incident.controller == its and each.cause.finding.cause == "Rollout" for each in found
    )
    if not changed or suspect.cause.fault is not Fault.PLATFORM:
        return suspect
    return dataclasses.replace(suspect, cause=replace(suspect.cause, fault=Fault.SERVICE))


def _order(suspect: _Suspect, found: Sequence[_Suspect], test: FailedTest) -> tuple[bool, bool, bool, bool, int, float]:
    """Sort proven causes first, then those that existed at the failure or during the test, then by their rank."""
    incident = suspect.incident
    return (
        suspect.cause.word != "caused by",
        not incident.overlaps(test.end - _RECENT, test.end + _PROMPT),
        not incident.overlaps(test.begin, test.end + LATE),
        any(_leads_to(other, suspect) for other in found),
        rank_of(incident.finding.cause),
        abs((test.end - incident.begin).total_seconds()),
    )


def _leads_to(one: _Suspect, other: _Suspect) -> bool:
    """Return whether a problem of a service that another one uses explains a later problem of that one."""
    if one.concern is None or other.concern is None or one.cause.word != other.cause.word:
        return False
    used = one.concern.service.key in other.concern.service.uses
    return used and one.incident.begin <= other.incident.begin + _TOGETHER


def _without_repeats(causes: Iterable[Cause]) -> Iterator[Cause]:
    seen: set[tuple[str, ObjectRef]] = set()
    for cause in causes:
        key = (cause.finding.cause, cause.finding.subject)
        if key not in seen:
            seen.add(key)
            yield cause


def _suspect(
    test: FailedTest, kind: FailureKind, incident: Incident, concerns: Sequence[Concern], services: ServiceMap
) -> _Suspect | None:
    """Return what an incident has to do with a test; None if nothing."""
    its = _services_of(incident, services)
    concern = next((each for each in concerns if each.service.key in its), None)
    explains = kind in _EXPLAINS.get(incident.finding.cause, _LOST)
    if concern is not None and concern.via is not None:
        # Whatever took the other service away, its user answers with an error.
        explains = explains or kind is FailureKind.SERVER_ERROR
    link, shown, proven = "", concern.service.shown if concern else "", False
    if incident.namespace and incident.namespace in test.namespaces:
        link, proven = "it happened in the test's own namespace", explains or _names(test, incident)
    elif concern is not None:
        link = concern.link
        # What the failure names is what the test could not reach. Without a name it is the service that it asked for.
        proven = explains and (concern.named or not any(each.named for each in concerns))
        proven = proven and (concern.via is None or kind in _PASSED_ON)
    elif incident.finding.cause == "DnsUnavailable" and kind in _LOOKUP_FAILED and (used := _used_by_name(concerns)):
        link, proven = f"{used.link}, and looks up its name", True
    elif incident.everywhere and explains:
        link = "it concerns all names" if incident.finding.cause == "DnsUnavailable" else "it concerns the runner pod"
        proven = incident.finding.cause != "DnsUnavailable" or kind is FailureKind.DNS
    elif kind is FailureKind.API and _names(test, incident):
        link, proven = "the error names it", True
    elif its and explains and not concerns and not _addresses(test):
        link = "the error names no address"
        shown = next((services.services[key].shown for key in sorted(its) if key in services.services), "")
    if not link:
        return None
    cause = Cause(
        word="caused by" if proven else "coincided with",
        fault=fault_of(incident.finding.cause),
        finding=incident.finding,
        service=shown,
        seconds=round(max(0.0, (test.end - incident.begin).total_seconds()), 1),
        links=(link, f"the test failed by: {kind}"),
    )
    return _Suspect(cause, incident, concern)


def _used_by_name(concerns: Sequence[Concern]) -> Concern | None:
    """Return a service that a service of the test uses."""
    return next((each for each in concerns if each.via is not None), None)


def _services_of(incident: Incident, services: ServiceMap) -> frozenset[ServiceName]:
    """Return the Services that an incident concerns."""
    found = set(incident.services)
    for uid in incident.pods:
        found |= services.pods.get(uid, frozenset())
    if not found and incident.controller[1]:
        found |= services.of_workload(incident.namespace, *incident.controller)
    if incident.node:
        found |= services.on_node(incident.node)
    return frozenset(found)


def _names(test: FailedTest, incident: Incident) -> bool:
    """Whether the error of a test names the object of an incident, or a policy that refused it."""
    words = {incident.finding.subject.name, incident.controller[1], *incident.finding.brief.split()[-1:]}
    return any(len(word) > 3 and word in test.error for word in words)  # noqa: PLR2004


def _server_error(kind: FailureKind, test: FailedTest, concerns: Sequence[Concern]) -> Cause | None:
    """Return the answer 500 to 599 of a service that the test asked, in a cluster without other problems."""
    if kind is not FailureKind.SERVER_ERROR:
        return None
    for status, url in test.answers:
        host = split_address(url)[0]
        for concern in concerns:
            service = concern.service
            if status >= 500 and concern.via is None and _is_at(service, host):  # noqa: PLR2004
                finding = Finding(
                    cause="ServerError",
                    subject=ObjectRef(kind="Service", name=service.name, namespace=service.namespace),
                    message=f"it answered {status} to {url}",
                    brief=f"answered {status}",
                    hint=f"seatrial logs {service.name}",
                )
                return Cause(
                    word="caused by", fault=Fault.SERVICE, finding=finding, service=service.shown,
                    links=(concern.link, f"the test failed by: {kind}"),
                )  # fmt: skip
    return None


def _is_at(service: KnownService, host: str) -> bool:
    return host in service.addresses or host.split(".", maxsplit=1)[0] == service.name
