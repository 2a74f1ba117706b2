"""Find releases that need no upgrade, revert their manual changes, and uninstall those no longer configured."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from seatrial.model.deadline import Deadline
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Charts, Kube, Object, Warn
from seatrial.releases.configuration_users import ConfigurationChanges
from seatrial.releases.helm_records import newest_revision, objects_of_revision, own_releases
from seatrial.releases.live_objects import (
    changed_keys,
    delete_workloads,
    fingerprints,
    key_of,
    restore_object,
    short_name,
)
from seatrial.saved_state import Installed, read, write
from seatrial.watching.workload_monitor import Target

__all__ = ["InstalledReleases", "record_installed"]

_PREFIX = "release-"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledReleases:
    """The releases of one environment.

    Attributes:
        kube: the cluster's API.
        charts: Helm.
        directory: folder of the environment's saved state.
        owner_selector: label selector of the project's objects.
        changes: takes the ConfigMaps and Secrets that are reverted.
        warn: takes a warning for each release that is reverted or uninstalled.
    """

    kube: Kube
    charts: Charts
    directory: Path
    owner_selector: str
    changes: ConfigurationChanges
    warn: Warn

    def find_unchanged(self, release: ReleaseSpec, digest: str) -> list[Target] | None:
        """Return the workloads of a release that needs no upgrade; None if it needs one.

        Manual changes that an upgrade would keep are reverted.

        Args:
            release: the release.
            digest: digest of its present chart and values.
        """
        recorded = read(_state_file(self.directory, release.name), Installed)
        if recorded is None:
            return None
        revision = newest_revision(self.kube, release)
        if revision is None or revision.status != "deployed" or revision.revision != recorded.revision:
            return None
        edited = changed_keys(self.kube, recorded.objects)
        if not edited:
            return recorded.targets if recorded.digest == digest else None
        self.warn(f"{short_name(edited[0])} was modified outside seatrial; reverting")
        self.changes.note_pods()
        self.changes.add(edited)
        delete_workloads(self.kube, edited)
        objects = objects_of_revision(self.kube, release, revision.revision)
        wanted = {key_of(obj, release.namespace): obj for obj in objects}
        for key in edited:
            # Workloads were deleted.
            replaceable = key in wanted and not key.startswith("apps/v1/")
            if replaceable and restore_object(self.kube, wanted[key], release.namespace):
                self.changes.add_reverted(release.name, key)
        return None

    def record_start(self, release: ReleaseSpec) -> None:
        """Record that an upgrade begins, so that a failed release is uninstalled once it is no longer configured."""
        path = _state_file(self.directory, release.name)
        recorded = read(path, Installed) or Installed(digest="", revision=0, objects={}, targets=[])
        write(path, replace(recorded, digest="", namespace=release.namespace))

    def uninstall_dropped(self, configured: Collection[ReleaseSpec], deadline: Deadline) -> dict[str, bool]:
        """Uninstall recorded releases that are no longer configured. Return their names and whether they still existed.

        A release that moved to another namespace is uninstalled in the old one.

        Raises:
            CommandFailed: Helm failed.
        """
        places = {(release.name, release.namespace) for release in configured}
        dropped = {}
        for path in sorted(self.directory.glob(f"{_PREFIX}*.json")):
            name, recorded = path.stem.removeprefix(_PREFIX), read(path, Installed)
            if recorded is None or not recorded.namespace or (name, recorded.namespace) in places:
                continue
            dropped[name] = bool(own_releases(self.kube, recorded.namespace, self.owner_selector, name=name))
            if dropped[name]:
                self.warn(f"release {name} in namespace {recorded.namespace} is no longer configured; deleting")
                spec = ReleaseSpec(name=name, chart="", namespace=recorded.namespace)
                self.charts.recover(spec, revision=None, deadline=deadline)
            path.unlink()
        return dropped


def record_installed(
    kube: Kube, release: ReleaseSpec, objects: list[Object], targets: list[Target], *, digest: str, directory: Path
) -> None:
    """Record the state of a release once everything is ready, so that the next command finds it unchanged.

    Args:
        kube: the cluster's API.
        release: the release.
        objects: its objects as Helm created them.
        targets: its workloads.
        digest: digest of its chart and values.
        directory: folder of the environment's saved state.
    """
    revision = newest_revision(kube, release)
    if revision is None:
        return
    recorded = Installed(
        digest=digest,
        revision=revision.revision,
        namespace=release.namespace,
        objects=fingerprints(kube, objects, release.namespace),
        targets=[target for target in targets if target[0] != "Job"],
    )
    write(_state_file(directory, release.name), recorded)


def _state_file(directory: Path, release: str) -> Path:
    return directory / f"{_PREFIX}{release}.json"
