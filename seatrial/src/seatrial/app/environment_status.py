"""Inspect an environment without changing it: what is ready, and what the next test run would do."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from seatrial.app import environments
from seatrial.app.wiring import Machine, environment
from seatrial.cluster_checks.revive import ANSWER_SECONDS
from seatrial.environments.kubernetes import Kubernetes
from seatrial.image_inputs.delta import image_needs
from seatrial.images.input_reader import base_images, read_inputs
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.spec import Project
from seatrial.ports import Images, Kube
from seatrial.readiness.pod import judge_pod
from seatrial.readiness.snapshot import controller_of
from seatrial.readiness.workload import WORKLOADS, judge_workload
from seatrial.releases.helm_records import newest_revision
from seatrial.saved_state import RunnerRecord, read_runner
from seatrial.watching.watch_set import list_snapshot

__all__ = [
    "EnvironmentStatus",
    "ReleaseStatus",
    "RunnerStatus",
    "WorkloadStatus",
    "environment_status",
    "next_step",
    "release_statuses",
    "runner_status",
    "workload_statuses",
]


class WorkloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A workload. `waits_for` is empty if it is ready."""

    kind: str
    namespace: str
    name: str
    ready: bool
    waits_for: str
    images: tuple[str, ...]


class ReleaseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A configured release. `status` is Helm's word, empty if the release is not installed."""

    name: str
    namespace: str
    status: str
    revision: int


class RunnerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The runner pod: its image, its state, and what the next `seatrial test` will do with it."""

    pod: str
    image: str
    state: str
    next: str


class EnvironmentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An environment.

    Attributes:
        up: whether its cluster answers.
        state: up; down: there is no environment; gone, stopped, paused or running: its cluster does not answer.
        kubernetes: version of the cluster.
        stand_ins: image -> the image that it replaces.
    """

    up: bool
    state: str = "up"
    environment: EnvironmentRecord | None = None
    kubernetes: str = ""
    releases: tuple[ReleaseStatus, ...] = ()
    workloads: tuple[WorkloadStatus, ...] = ()
    runner: RunnerStatus | None = None
    stand_ins: dict[str, str] = {}


def environment_status(this: Machine, project: Project, namespace: str) -> EnvironmentStatus:
    """Return the status of a project's environment, or of its guest environment `namespace`."""
    record = environments.find(this, project, namespace)
    if record is None:
        return EnvironmentStatus(up=False, state="down")
    env = environment(this, project, record)
    kube = env.cluster.connect()
    if not kube.answers(ANSWER_SECONDS):
        return EnvironmentStatus(up=False, state=env.cluster.state(), environment=record)
    workloads = workload_statuses(kube, project.used_namespaces)
    images = [image for workload in workloads for image in workload.images]
    replaced = {
        reference: image.labels.get("dev.seatrial.stands-in-for", "")
        for reference, image in env.images.inspect(list(dict.fromkeys(images))).items()
    }
    return EnvironmentStatus(
        up=True,
        environment=record,
        kubernetes=kube.version(),
        releases=tuple(release_statuses(kube, project)),
        workloads=tuple(workloads),
        runner=runner_status(kube, project, env),
        stand_ins={reference: image for reference, image in replaced.items() if image},
    )


def workload_statuses(kube: Kube, namespaces: Sequence[str]) -> list[WorkloadStatus]:
    """Return the status of all workloads, except for pods that a controller created."""
    seen, found = list_snapshot(kube, dict.fromkeys(("v1/Pod", "v1/Event", *WORKLOADS.values())), namespaces), []
    for kind, api in WORKLOADS.items():
        for obj in seen.all(api):
            if kind == "Pod" and controller_of(obj) != ("", ""):
                continue
            meta = obj["metadata"]
            judgment = judge_workload(kind, meta["namespace"], meta["name"], seen)
            spec = obj["spec"] if kind == "Pod" else obj["spec"]["template"]["spec"]
            found.append(
                WorkloadStatus(
                    kind=kind,
                    namespace=meta["namespace"],
                    name=meta["name"],
                    ready=judgment.state == "ready",
                    waits_for=judgment.reason,
                    images=tuple(dict.fromkeys(each["image"] for each in spec["containers"])),
                )
            )
    return found


def release_statuses(kube: Kube, project: Project) -> list[ReleaseStatus]:
    """Return the status of the configured releases."""
    found = []
    for release in project.release:
        state = newest_revision(kube, release)
        found.append(
            ReleaseStatus(
                name=release.name,
                namespace=release.namespace,
                status=state.status if state else "",
                revision=state.revision if state else 0,
            )
        )
    return found


def runner_status(kube: Kube, project: Project, env: Kubernetes) -> RunnerStatus:
    """Return the status of the runner pod, and what the next `seatrial test` will do with it."""
    spec = project.runner
    pod = kube.get("v1/Pod", spec.pod, spec.namespace)
    made = read_runner(env.directory)
    if pod is None or made is None:
        return RunnerStatus(pod=spec.pod, image="", state="gone", next="create it")
    judgment = judge_pod(pod, [])
    step = next_step(project, made, env.images)
    return RunnerStatus(pod=spec.pod, image=made.reference, state=judgment.reason or "ready", next=step)


def next_step(project: Project, made: RunnerRecord, images: Images) -> str:
    """Return what the next `seatrial test` will do with an existing runner.

    Args:
        project: the project.
        made: the runner.
        images: images of the engine.
    """
    spec = project.runner
    image = next((image for image in project.image if image.name == spec.image), None)
    if image is None:
        return "use it"
    present = images.inspect([*base_images(image, os.environ), made.reference])
    given = read_inputs(project, image, os.environ, present)
    local = present.get(made.reference)
    places = given.places(spec.workdir or (local.workdir if local else "/"), made.places, made.manifest)
    causes = image_needs(made.manifest, given.manifest, places=places, rebuild=spec.rebuild)
    if local is None or local.digest != made.image:
        return "rebuild its image, which is not on the engine"
    if causes:
        return f"rebuild its image: {causes[0]}"
    return "send it the changed files" if made.manifest.files != given.manifest.files else "use it"
