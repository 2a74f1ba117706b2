"""Find mistakes in the charts of a configuration, for `seatrial config lint`."""

from __future__ import annotations

from pathlib import Path

from seatrial.app.wiring import Machine, charts_without_cluster
from seatrial.chart_checks.check import check_objects, kubernetes_version
from seatrial.config import Loaded
from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem
from seatrial.model.deadline import Deadline
from seatrial.releases.planned_objects import placeholder_values, planned_objects, runner_references

__all__ = ["chart_warnings"]


def chart_warnings(loaded: Loaded, this: Machine) -> list[Problem]:
    """Return the mistakes in the local charts and the manifests of a project; none if Helm is not on PATH.

    Charts from elsewhere are not downloaded. What they create is unknown, and so is whether a reference is missing.

    Raises:
        UsageError: a chart does not render, or a manifest cannot be read.
    """
    project = loaded.project
    if not this.processes.find("helm"):
        return []
    charts = charts_without_cluster(this, project)
    deadline = Deadline.after(project.timeouts.install)
    local = [release for release in project.release if Path(release.chart).is_absolute()]
    objects = planned_objects(
        project, lambda release: charts.render(release, placeholder_values(release), deadline=deadline), local
    )
    found = check_objects(
        objects,
        references=runner_references(project),
        version=kubernetes_version(project.cluster.image or ""),
        is_complete=project.cluster.provider == "kind" and len(local) == len(project.release),
    )
    namespaces: dict[str, KeyPath] = {each.namespace: ("release", i) for i, each in enumerate(project.release)}
    return [
        Problem(loaded.where(key), key, f"{finding.subject}: {finding.message}", finding.hint)
        for finding in found
        for key in [namespaces.get(finding.subject.namespace, ())]
    ]
