"""Find all problems of a timeline. Pure."""

from __future__ import annotations

from seatrial.diagnose.incidents.containers import container_incidents
from seatrial.diagnose.incidents.incident import Incident
from seatrial.diagnose.incidents.network import network_incidents
from seatrial.diagnose.incidents.nodes import node_incidents
from seatrial.diagnose.incidents.pods import pod_incidents
from seatrial.diagnose.incidents.workloads import workload_incidents
from seatrial.diagnose.service_map import ServiceMap
from seatrial.model.timeline_index import TimelineIndex

__all__ = ["find_incidents"]


def find_incidents(index: TimelineIndex, services: ServiceMap, runner: str) -> list[Incident]:
    """Return all problems of a run, in the order of their begin.

    Args:
        index: the timeline.
        services: the known Services.
        runner: name of the runner pod, whose own end is no problem of a service.
    """
    found = [
        *node_incidents(index),
        *workload_incidents(index),
        *pod_incidents(index),
        *container_incidents(index),
        *network_incidents(index, services, runner),
    ]
    own = [each for each in found if (each.finding.subject.kind, each.finding.subject.name) != ("Pod", runner)]
    return sorted(own, key=lambda incident: incident.begin)
