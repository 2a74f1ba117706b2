"""A look at an environment that stands: what is ready, what is wrong, what is out of date. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from seatrial.diagnose.causes import ranked, restarts, troubled_nodes, unserved
from seatrial.environments.kubernetes import Kubernetes
from seatrial.image_inputs.delta import image_needs
from seatrial.images.input_reader import base_images, read_inputs
from seatrial.model.finding import Finding
from seatrial.model.spec import Project
from seatrial.ports import Kube
from seatrial.readiness.pod import judge_pod
from seatrial.readiness.snapshot import Snapshot, controller_of
from seatrial.readiness.verdict import Suspicion
from seatrial.readiness.workload import WORKLOADS, judge_workload
from seatrial.releases.helm_records import newest_revision
from seatrial.saved_state import read_runner
from seatrial.watching.log_evidence import with_log_lines
from seatrial.watching.watch_set import list_snapshot

__all__ = ["ReleaseSeen", "RunnerSeen", "WorkloadSeen", "findings", "releases", "runner", "snapshot", "workloads"]


class WorkloadSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A workload; `waits_for` is empty if it is ready."""

    kind: str
    namespace: str
    name: str
    ready: bool
    waits_for: str
    images: tuple[str, ...]


class ReleaseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A release of the configuration; status is Helm's word, empty if it is not installed."""

    name: str
    namespace: str
    status: str
    revision: int


class RunnerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The runner pod: what it was made from, and what the next `test` would do about it."""

    pod: str
    image: str
    state: str
    next: str


def snapshot(kube: Kube, namespaces: Sequence[str], *extra: str) -> Snapshot:
    """Return what there is now of workloads, pods, events, and the extra kinds."""
    return list_snapshot(kube, dict.fromkeys(("v1/Pod", "v1/Event", *WORKLOADS.values(), *extra)), namespaces)


def workloads(seen: Snapshot) -> list[WorkloadSeen]:
    """Return all workloads but pods that something else controls."""
    found = []
    for kind, api in WORKLOADS.items():
        for obj in seen.all(api):
            if kind == "Pod" and controller_of(obj) != ("", ""):
                continue
            meta = obj["metadata"]
            verdict = judge_workload(kind, meta["namespace"], meta["name"], seen)
            spec = obj["spec"] if kind == "Pod" else obj["spec"]["template"]["spec"]
            found.append(
                WorkloadSeen(
                    kind=kind,
                    namespace=meta["namespace"],
                    name=meta["name"],
                    ready=verdict.state == "ready",
                    waits_for=verdict.reason,
                    images=tuple(dict.fromkeys(each["image"] for each in spec["containers"])),
                )
            )
    return found


def releases(kube: Kube, project: Project) -> list[ReleaseSeen]:
    """Return how the configured releases stand."""
    found = []
    for release in project.release:
        state = newest_revision(kube, release)
        found.append(
            ReleaseSeen(
                name=release.name,
                namespace=release.namespace,
                status=state.status if state else "",
                revision=state.revision if state else 0,
            )
        )
    return found


def runner(kube: Kube, project: Project, env: Kubernetes) -> RunnerSeen:
    """Return how the runner stands, and what the next `seatrial test` would do about it."""
    spec = project.runner
    pod = kube.get("v1/Pod", spec.pod, spec.namespace)
    made = read_runner(env.directory)
    image = next((image for image in project.image if image.name == spec.image), None)
    if pod is None or made is None:
        return RunnerSeen(pod=spec.pod, image="", state="gone", next="make it")
    verdict = judge_pod(pod, [])
    step = "go on in it"
    if image is not None:
        present = env.images.inspect([*base_images(image, os.environ), made.reference])
        given = read_inputs(project, image, os.environ, present)
        local = present.get(made.reference)
        places = given.places(spec.workdir or (local.workdir if local else "/"), made.places, made.manifest)
        causes = image_needs(made.manifest, given.manifest, places=places, rebuild=spec.rebuild)
        if local is None or local.digest != made.image:
            step = "rebuild its image: it is not on the engine"
        elif causes:
            step = f"rebuild its image: {causes[0]}"
        elif made.manifest.files != given.manifest.files:
            step = "send it the files that changed"
    return RunnerSeen(pod=spec.pod, image=made.reference, state=verdict.reason or "ready", next=step)


def findings(kube: Kube, project: Project) -> tuple[Finding, ...]:
    """Return all that is wrong, likeliest cause first, with the last log lines where a container is at fault."""
    seen = snapshot(kube, project.used_namespaces, "v1/Service", "discovery.k8s.io/v1/EndpointSlice")
    suspected: list[Suspicion] = []
    for kind, api in WORKLOADS.items():
        for obj in seen.all(api):
            meta = obj["metadata"]
            suspected += judge_workload(kind, meta["namespace"], meta["name"], seen).suspicions
    found = [with_log_lines(kube, seen, each.finding) for each in suspected]
    services, slices = seen.all("v1/Service"), seen.all("discovery.k8s.io/v1/EndpointSlice")
    nodes = troubled_nodes(kube.objects("v1/Node"))
    return ranked([*nodes, *found, *unserved(services, slices), *restarts(seen.all("v1/Pod"))])
