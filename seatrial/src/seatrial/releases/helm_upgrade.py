"""Install or upgrade one release with Helm, and stop as soon as one of its hooks or new workloads has failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Charts, Emit, Kube, Object, Warn
from seatrial.readiness.workload import WORKLOADS
from seatrial.releases.configuration_users import ConfigurationChanges, changed_configuration
from seatrial.releases.helm_records import Revision, newest_deployed_revision, newest_revision, objects_of_revision
from seatrial.releases.live_objects import drop_other_managers
from seatrial.watching.workload_monitor import Target, WorkloadMonitor, targets_of

__all__ = ["HelmUpgrade"]

_FIELD_MANAGERS: Final = ("helm",)
"""Helm's field manager, from version 4 on. Older versions apply on the client's side."""

_INTERVAL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmUpgrade:
    """Upgrades of the releases of one environment.

    Attributes:
        kube: the cluster's API.
        charts: Helm.
        owner_labels: labels of the releases.
        changes: takes the ConfigMaps and Secrets that an upgrade changes.
        emit: takes the events of the release's workloads.
        warn: takes a warning if a killed run left a release pending.
        canceled: ends waiting when it is set.
    """

    kube: Kube
    charts: Charts
    owner_labels: Mapping[str, str]
    changes: ConfigurationChanges
    emit: Emit
    warn: Warn
    canceled: threading.Event

    def prepare(self, release: ReleaseSpec, deadline: Deadline) -> Revision | None:
        """Roll a pending release back, and return the newest revision; None if the release does not exist.

        Raises:
            CommandFailed: Helm failed.
        """
        self.changes.note_pods()
        newest = newest_revision(self.kube, release)
        if newest and newest.status.startswith("pending-"):
            self.warn(f"release {release.name} was left {newest.status} by a killed run; rolling back")
            good = newest_deployed_revision(self.kube, release)
            self.charts.recover(release, revision=good.revision if good else None, deadline=deadline)
        return newest

    def run(
        self,
        release: ReleaseSpec,
        rendered: list[Object],
        values: Mapping[str, str],
        *,
        newest: Revision | None,
        deadline: Deadline,
        log: Path,
        while_waiting: Callable[[], None],
    ) -> list[Object]:
        """Upgrade a release and return its objects as Helm created them.

        Args:
            release: the release.
            rendered: its rendered objects, hooks included.
            values: single values that seatrial sets.
            newest: its newest revision before the upgrade, see `prepare`.
            deadline: ends Helm.
            log: file for Helm's output.
            while_waiting: called several times a second until Helm ends.

        Raises:
            NotReady: a hook or a new workload has failed.
            CommandFailed: Helm failed.
        """
        before = objects_of_revision(self.kube, release, newest.revision) if newest else []
        self.charts.prepare(release, deadline=deadline)
        failure: list[SeatrialError] = []

        def install() -> None:
            try:
                self.charts.install(release, values, labels=self.owner_labels, deadline=deadline, log=log)
            except SeatrialError as error:
                failure.append(error)

        helm = threading.Thread(target=install, daemon=True)
        hooks, targets = _install_hooks(rendered, release.namespace), self._new_workloads(rendered, release.namespace)
        with WorkloadMonitor(self.kube, targets, hooks, emit=self.emit, canceled=self.canceled) as monitor:
            helm.start()
            # While Helm waits for a hook that cannot run, the monitor raises the reason.
            while helm.is_alive():
                monitor.poll(_INTERVAL)
                while_waiting()
        if failure:
            raise failure[0]
        now = newest_revision(self.kube, release)
        objects = objects_of_revision(self.kube, release, now.revision) if now else []
        self.changes.add(changed_configuration(before, objects, release.namespace))
        drop_other_managers(self.kube, self.changes.reverted(release.name), _FIELD_MANAGERS)
        return objects

    def _new_workloads(self, rendered: list[Object], namespace: str) -> list[Target]:
        """Return the workloads that do not exist yet: the state of existing ones is that before the upgrade."""
        return [
            target
            for target in targets_of(rendered, namespace)
            if self.kube.get(WORKLOADS[target[0]], target[2], target[1]) is None
        ]


def _install_hooks(rendered: list[Object], namespace: str) -> list[Target]:
    return [
        (obj["kind"], obj["metadata"].get("namespace") or namespace, obj["metadata"]["name"])
        for obj in rendered
        if obj["kind"] in WORKLOADS and "install" in (obj["metadata"].get("annotations") or {}).get("helm.sh/hook", "")
    ]
