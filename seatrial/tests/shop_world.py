"""An example project, its Kubernetes objects, and worlds in which it is built, delivered or installed."""

from __future__ import annotations

import base64
import gzip
import json

from fakes import World
from seatrial.images.input_reader import read_inputs
from seatrial.model.spec import ImageSpec, Project, ReleaseSpec, RunnerSpec
from seatrial.runner_pod.lifecycle import RunnerImage, RunnerPod
from seatrial.stages import build, deliver, install, ready, test
from seatrial.stages.cluster import RunningCluster


def project(root, **more):
    (root / "Dockerfile").write_text("FROM base:1\nWORKDIR /app\nCOPY tests tests\n")
    (root / ".dockerignore").write_text("*\n!tests\n")
    (root / "tests").mkdir(exist_ok=True)
    (root / "tests" / "a.py").write_text("1\n")
    (root / "chart").mkdir(exist_ok=True)
    (root / "chart" / "Chart.yaml").write_text("name: shop\n")
    given = {
        "root": root,
        "image": (ImageSpec(name="shop-test", context=root),),
        "release": (ReleaseSpec(name="shop", chart="chart", namespace="shop", images={"web.image": "shop-test"}),),
        "runner": RunnerSpec(image="shop-test", namespace="shop"),
    }
    return Project(**{**given, **more})


def deployment(name="web", image="base:1", **status):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "generation": 1},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
        "status": {"observedGeneration": 1, **status},
    }


READY = {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}


def made_world(tmp_path, **more):
    world = World(tmp_path, project(tmp_path, **more))
    world.charts.rendered = {"shop": [deployment(), deployment("far", "far:1")]}
    world.images.present["base:1"] = "sha256:base"
    return world


class Command:
    """One command in a world: its stages get the results of the stages before.

    Attributes:
        ctx: the run.
        built: result of the build stage.
        delivered: result of the deliver stage.
        installation: result of the install stage.
    """

    def __init__(self, world, ctx=None):
        self.ctx = ctx or world.ctx()
        self.cluster = RunningCluster("v1.34.4", None)

    def build(self):
        report = build.run(self.ctx)
        self.built = report.result
        return report

    def deliver(self):
        report = deliver.run(self.ctx, self.built)
        self.delivered = report.result
        return report

    def install(self):
        report = install.run(self.ctx, self.cluster, self.delivered)
        self.installation = report.result
        return report

    def ready(self):
        return ready.run(self.ctx, self.delivered, self.installation)

    def test(self):
        return test.run(self.ctx, self.cluster, self.delivered, self.installation, cut=lambda _: None)

    def runner_pod(self):
        return install.runner_pod_of(self.ctx, self.cluster, self.delivered)

    @property
    def runner_reference(self):
        return self.built.references["shop-test"]


def delivered(world, ctx=None):
    """Run the stages up to deliver, and return the command and the last report."""
    command = Command(world, ctx)
    command.build()
    return command, command.deliver()


def revision(number, status, manifest=""):
    data = gzip.compress(json.dumps({"manifest": manifest}).encode())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.shop.v{number}",
            "namespace": "ns",
            "labels": {"owner": "helm", "name": "shop", "version": str(number), "status": status},
        },
        "data": {"release": base64.b64encode(base64.b64encode(data)).decode()},
    }


def run_runner_pod(world, phase="Running", **status):
    """Make the runner pod look as if it ran."""
    pod = dict(world.kube.get("v1/Pod", "test-runner", "shop"))
    pod["metadata"] = {**pod["metadata"], "uid": "runner"}
    pod["status"] = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [],
        **status,
    }
    world.kube.put(pod)
    return pod


def pod(name="web-1", restarts=0, init=False, **status):
    containers = [{"name": "c", "restartCount": restarts, "state": {"running": {}}, "ready": True}]
    given = {"phase": "Running", "containerStatuses": containers, "conditions": [{"type": "Ready", "status": "True"}]}
    if init:
        given["initContainerStatuses"] = [{"name": "first", "state": {}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": "base:1"}]},
        "status": {**given, **status},
    }


def running(world, name, image_id, owner=True):
    meta = {"name": name, "namespace": "shop", "uid": name}
    if owner:
        meta["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    status = {"phase": "Running", "containerStatuses": [{"name": "c", "imageID": image_id}]}
    spec = {"containers": [{"name": "c", "image": "base:1"}]}
    world.kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status})


def install_world(tmp_path, *, live=None, manifest=None, **more):
    """A world whose Helm makes a Deployment and a revision, as the real one does."""
    world = made_world(tmp_path, **more)
    revisions = []

    def installs(release):
        revisions.append(release.name)
        world.kube.put(live or deployment(**READY))
        secret = revision(len(revisions), "deployed", manifest or json.dumps(deployment()))
        secret["metadata"].update(namespace=release.namespace)
        secret["metadata"]["labels"]["name"] = release.name
        secret["metadata"]["name"] = f"sh.helm.release.v1.{release.name}.v{len(revisions)}"
        world.kube.put(secret)

    world.charts.installs = installs
    return world


def installed(world, ctx=None):
    """Run the stages up to install, and return the command and the last report."""
    command, _ = delivered(world, ctx)
    return command, command.install()


def runner_pod_without_build(world):
    """Return the runner pod of a project whose runner image is not built."""
    image = RunnerImage(reference=world.project.runner.image, pulled_as=world.project.runner.image)
    ctx = world.ctx()
    return RunnerPod(
        kube=world.kube,
        project=world.project,
        record=world.record,
        image=image,
        directory=world.env().directory,
        deadline=ctx.deadline,
        warn=ctx.warn,
        before_deletion=lambda: None,
    )


def inputs_of(root, environ=None, present=None, **more):
    spec = ImageSpec(**{"name": "x", "context": root, **more})
    whole = Project(root=root, runner=RunnerSpec(image="x"), image=(spec,))
    return read_inputs(whole, spec, environ or {}, present or {})
