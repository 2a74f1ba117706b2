"""Create the runner pod, keep it while it matches the configuration, and recreate it when it does not."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import EnvironmentFailed, OutOfTime, SeatrialError
from seatrial.model.spec import Project
from seatrial.namespaces.admission_policies import REFUSAL, refused_namespace
from seatrial.namespaces.ownership import delete_isolation_objects
from seatrial.ports import Kube, LocalImage, Object, Warn
from seatrial.runner.agent_files import agent_files
from seatrial.runner.sent_places import sent_places
from seatrial.runner_pod.manifest import DIGEST, PodInputs, runner_objects, runner_policies
from seatrial.saved_state import RunnerRecord, read_runner, write_runner
from seatrial.watching.watch_set import bounded_watch

__all__ = ["RunnerImage", "RunnerPod"]

_DELETION_SECONDS: Final = 60.0
_POLICY_SECONDS: Final = 30.0
"""An API server takes about a second to put a new policy into force."""

_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerImage:
    """The image of the runner pod.

    Attributes:
        reference: its name on the engine.
        pulled_as: the name that the pod asks for.
        digest: of its manifest in the registry; empty if it was not pushed.
        local: the image on the engine; None if it is not there.
        manifest: its inputs; None if it is not built from this project.
        places: folders that files may be sent to, if it is built from this project.
    """

    reference: str
    pulled_as: str
    digest: str = ""
    local: LocalImage | None = None
    manifest: ImageManifest | None = None
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerPod:
    """The runner pod of an environment.

    Attributes:
        kube: the cluster's API.
        project: the project.
        record: the environment; its labels are those of the objects.
        image: what the pod runs.
        directory: of the environment; the record of the pod is saved there.
        deadline: of the run.
        warn: is told when the pod is recreated because values changed.
        before_deletion: is called before the pod is deleted.
    """

    kube: Kube
    project: Project
    record: EnvironmentRecord
    image: RunnerImage
    directory: Path
    deadline: Deadline
    warn: Warn
    before_deletion: Callable[[], None]

    def ensure(self) -> None:
        """Create or recreate the pod unless one exists that matches the configuration. Do not wait until it runs.

        Raises:
            EnvironmentFailed: the policies that confine its tests do not come into force.
            OutOfTime: the old pod is not deleted in time.
            UsageError: a path of `runner.sync` cannot be sent to the image.
        """
        spec, image = self.project.runner, self.image
        known = read_runner(self.directory)
        places = image.places if image.manifest else sent_places(self.project, known.places if known else ())
        inputs = PodInputs(
            image=image.pulled_as,
            pull_secrets=self.project.pull_secrets_in(spec.namespace),
            digest=image.digest,
            local=image.local,
            agent=agent_files(),
            directories=places,
            labels=self.record.labels,
            shared=self.record.shares,
        )
        *others, pod = runner_objects(spec, inputs)
        existing = self.kube.get("v1/Pod", spec.pod, spec.namespace)
        record = RunnerRecord(
            reference=image.reference,
            image=image.local.digest if image.local else "",
            uid=existing["metadata"].get("uid", "") if existing else "",
            places=places,
            manifest=image.manifest or ImageManifest(dockerfile=""),
        )
        broken = known is not None and known.broken and known.uid == record.uid
        if existing is not None and _matches(existing, pod) and not broken:
            # The record may be out of date: a later build may have resulted in the same image, or another machine
            # may have created the pod.
            record = replace(record, values=known.values if known and known.uid == record.uid else "")
            if known != record:
                self._save(record)
            return
        if existing is not None:
            self._delete()
            if not spec.isolated_namespaces:
                delete_isolation_objects(self.kube, spec.namespace, self.record.owner_selector)
        self._apply_policies(runner_policies(spec, inputs))
        for obj in others:
            self.kube.apply(obj)
        uid = self.kube.apply(pod)["metadata"].get("uid", "")
        self._save(replace(record, uid=uid))

    def recreate(self) -> None:
        """Delete the pod and create it again. Do not wait until it runs.

        Raises:
            OutOfTime: the old pod is not deleted in time.
        """
        self._delete()
        self.ensure()

    def recreate_if_values_changed(self) -> None:
        """Recreate the pod if a Secret or ConfigMap that its variables refer to changed: a container keeps old values.

        Call it after all releases were installed: a release may create the Secret.
        """
        known, values = read_runner(self.directory), self._values()
        if known is None or not values or known.values == values:
            return
        if known.values:
            self.warn("values of the runner pod's variables changed; recreating the pod")
            self.recreate()
            known = read_runner(self.directory) or known
        self._save(replace(known, values=values))

    def _save(self, record: RunnerRecord) -> None:
        write_runner(self.directory, record)

    def _apply_policies(self, policies: list[Object]) -> None:
        """Apply policies and wait until the API server rejects what they forbid.

        Raises:
            EnvironmentFailed: they are not in force in time.
        """
        if not policies:
            return
        for obj in policies:
            self.kube.apply(obj)
        namespace, user, groups = refused_namespace(self.project.runner)
        deadline = self.deadline.child(_POLICY_SECONDS)
        while REFUSAL not in (answer := self.kube.dry_run_create(namespace, user=user, groups=groups)):
            if deadline.passed:
                raise EnvironmentFailed(
                    "the policies that confine isolated namespaces are not in force, so the tests get no rights",
                    reason=answer or f"the cluster still lets {user} create namespace {namespace['metadata']['name']}",
                    hint="isolated-namespaces needs Kubernetes 1.30 and a cluster administrator, who may impersonate",
                )
            time.sleep(_PAUSE)

    def _values(self) -> str:
        """Return a digest of the values that variables refer to; empty if one does not exist or cannot be read."""
        spec = self.project.runner
        wanted = sorted(set(spec.references.values()))
        data: dict[tuple[str, str], dict[str, str]] = {}
        for kind, name in {(kind, name) for kind, name, _ in wanted}:
            try:
                obj = self.kube.get("v1/Secret" if kind == "secret" else "v1/ConfigMap", name, spec.namespace)
            except SeatrialError:
                return ""
            data[kind, name] = (obj or {}).get("data") or {}
        values = [(kind, name, key, data[kind, name].get(key)) for kind, name, key in wanted]
        if not values or any(value is None for *_, value in values):
            return ""
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def _delete(self) -> None:
        """Delete the pod and wait until its name is free."""
        self.before_deletion()
        spec = self.project.runner
        with bounded_watch(self.kube.watch("v1/Pod", spec.namespace), self.deadline.child(_DELETION_SECONDS)) as watch:
            requested = False
            for change in watch:
                if not requested:
                    requested = True
                    if not self.kube.delete("v1/Pod", spec.pod, spec.namespace, grace=0):
                        return
                names = [obj["metadata"]["name"] for obj in change.objects]
                if change.type == "deleted" and spec.pod in names:
                    return
                if change.type == "synced" and spec.pod not in names:
                    return
        raise OutOfTime(
            f"pod {spec.pod} was not deleted within {_DELETION_SECONDS:.0f} s",
            hint=f"kubectl get pod {spec.pod} -n {spec.namespace} -o yaml",
        )


def _matches(existing: Object, wanted: Object) -> bool:
    """Return whether a pod is created from the same inputs and still runs: a container that ended is not restarted."""
    meta, status = existing["metadata"], existing.get("status") or {}
    same = (meta.get("annotations") or {}).get(DIGEST) == wanted["metadata"]["annotations"][DIGEST]
    ended = any((each.get("state") or {}).get("terminated") for each in status.get("containerStatuses") or ())
    return (
        same and not ended and not meta.get("deletionTimestamp") and status.get("phase") in ("Pending", "Running", None)
    )
