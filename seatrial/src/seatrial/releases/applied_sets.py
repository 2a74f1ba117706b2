"""Apply sets of objects: revert manual changes, and delete objects that no file contains any more.

Only objects that seatrial created are deleted or recreated.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.model.names import LABEL_EXPIRES
from seatrial.ports import Kube, Object, Warn
from seatrial.releases.live_objects import (
    changed_keys,
    drop_other_managers,
    fingerprints,
    key_of,
    restore_object,
    short_name,
    split_key,
)
from seatrial.releases.manifests import ObjectSet
from seatrial.saved_state import Applied, read, write

__all__ = ["AppliedSet", "SetApplier", "record_applied"]

_MANAGER: Final = "seatrial"
_NEVER_DELETED: Final = ("v1/Node",)
_NEVER_RECREATED: Final = ("v1/PersistentVolumeClaim", "v1/PersistentVolume", "v1/Namespace")
_DELETION_SECONDS: Final = 60.0
_PAUSE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedSet:
    """A set that was applied because a file or an object changed.

    Attributes:
        name: name of the set.
        objects: its objects, as the files contain them.
        changed: keys of the objects that were created, changed or deleted.
    """

    name: str
    objects: list[Object]
    changed: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetApplier:
    """Apply sets of objects for one environment.

    Attributes:
        kube: the cluster's API.
        labels: labels of all objects; without their expiry they identify objects that the environment created.
        directory: folder of the environment's saved state.
        used_namespaces: namespaces that are never deleted.
        deadline: ends waiting for the deletion of an object.
        warn: takes a warning when manual changes are reverted.
    """

    kube: Kube
    labels: Mapping[str, str]
    directory: Path
    used_namespaces: Collection[str]
    deadline: Deadline
    warn: Warn

    def apply(self, wanted: ObjectSet) -> AppliedSet | None:
        """Apply a set. Return None if neither its files nor its objects changed.

        Raises:
            EnvironmentFailed: the cluster refuses an object.
            OutOfTime: an object that must be recreated is not deleted in time.
            UsageError: a file is not a valid manifest.
        """
        path = _state_file(self.directory, wanted.name)
        before = read(path, Applied) or Applied()
        edited = None if before.objects is None else changed_keys(self.kube, before.objects)
        if before.digest == wanted.digest and edited == []:
            return None
        objects = wanted.read()
        if not objects and not before.created:
            write(path, Applied(digest=wanted.digest, objects={}))
            return None
        if edited:
            self.warn(f"{short_name(edited[0])} was modified outside seatrial; reverting")
        keys = [key_of(obj) for obj in objects]
        absent = [key for key in keys if not self._exists(key)]
        dropped = [key for key in before.created if key not in keys]
        # Written before the objects are created, so that the next run deletes what a killed run created.
        created = list(dict.fromkeys([*before.created, *absent]))
        write(path, Applied(created=created))
        # Without a record of their state, all existing objects may have been changed.
        suspects = [key for key in keys if key not in absent] if edited is None else edited
        for key, obj in zip(keys, objects, strict=True):
            self._apply_object(obj, edited=key in suspects, created=key in created)
        drop_other_managers(self.kube, [key for key in keys if key in suspects], [_MANAGER])
        for key in reversed(dropped):
            self._delete(key)
        write(path, Applied(digest=wanted.digest, created=[key for key in created if key in keys]))
        changed = list(dict.fromkeys([*keys, *dropped, *(edited or ())]))
        return AppliedSet(name=wanted.name, objects=objects, changed=changed)

    def _exists(self, key: str) -> bool:
        try:
            return self.kube.get(*split_key(key)) is not None
        except EnvironmentFailed:
            # Another object of the set may define this kind. Otherwise the apply reports the error.
            return False

    def _apply_object(self, obj: Object, *, edited: bool, created: bool) -> None:
        kind, name, namespace = split_key(key_of(obj))
        labeled = deepcopy(obj)
        labeled["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), **self.labels}
        if edited:
            if created and kind.startswith("apps/v1/"):
                self._delete_and_wait(kind, name, namespace)
            else:
                restore_object(self.kube, labeled, namespace)
        try:
            self.kube.apply(labeled)
        except EnvironmentFailed:
            # Immutable fields, such as a Job's template or a binding's role: recreate the object.
            if not created or kind in _NEVER_RECREATED or not self._delete_and_wait(kind, name, namespace):
                raise
            self.kube.apply(labeled)

    def _delete_and_wait(self, kind: str, name: str, namespace: str) -> bool:
        """Delete an object of the environment and wait for its deletion. Return False if it did not exist."""
        existing = self.kube.get(kind, name, namespace)
        if existing is None or not self._is_own(existing):
            return False
        uid = existing["metadata"].get("uid")
        self.kube.delete(kind, name, namespace)
        until = self.deadline.child(_DELETION_SECONDS)
        while (left := self.kube.get(kind, name, namespace)) and left["metadata"].get("uid") == uid:
            if until.passed:
                bare = kind.rpartition("/")[2]
                raise OutOfTime(
                    f"{bare} {name} is still being deleted after {_DELETION_SECONDS:.0f} s",
                    hint=f"kubectl get {bare.lower()} {name} -n {namespace} -o yaml; finalizers block its deletion",
                )
            time.sleep(_PAUSE)
        return True

    def _delete(self, key: str) -> None:
        """Delete an object that no file contains any more, if this environment created it."""
        kind, name, namespace = split_key(key)
        if kind in _NEVER_DELETED or (kind == "v1/Namespace" and name in self.used_namespaces):
            return
        existing = self.kube.get(kind, name, namespace)
        if existing is not None and self._is_own(existing):
            self.kube.delete(kind, name, namespace)

    def _is_own(self, existing: Object) -> bool:
        found = existing["metadata"].get("labels") or {}
        return all(found.get(label) == value for label, value in self.labels.items() if label != LABEL_EXPIRES)


def record_applied(kube: Kube, applied: AppliedSet, directory: Path) -> None:
    """Record the state of a set's objects once everything is ready, so that later changes are noticed."""
    path = _state_file(directory, applied.name)
    before = read(path, Applied)
    if before is not None and before.digest:
        write(path, replace(before, objects=fingerprints(kube, applied.objects, "")))


def _state_file(directory: Path, name: str) -> Path:
    return directory / f"applied-{name}.json"
