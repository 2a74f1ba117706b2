"""Stages before the tests, in a world that only exists in memory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import pytest
from fakes import World, refused
from msgspec.structs import replace as changed
from seatrial.environments.kubernetes import Kubernetes
from seatrial.model.environment_record import Made
from seatrial.model.errors import EnvironmentFailed, NotReady, UsageError
from seatrial.model.event import FindingMade, Note, ServiceSeen
from seatrial.model.result import Outcome, Stage
from seatrial.model.spec import ReadySpec, ReleaseSpec, ServiceSpec
from seatrial.ports import Change, StreamBroken
from seatrial.stages import (
    cluster,
    deliver,
    gate,
    install,
    manifests,
    objects,
    ready,
)
from shop_world import (
    READY,
    delivered,
    deployment,
    install_world,
    installed,
    revision,
    runner_pod,
)

NODES = tuple(
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("it-worker", "it-control-plane")
)
STORAGE = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}}


def gate_pod(node, address, phase="Running"):
    meta = {"name": node, "namespace": "seatrial-gate"}
    status = {"phase": phase, "podIP": address}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}, "status": status}


def with_gate(world):
    for obj in (*NODES, STORAGE):
        world.kube.put(obj)
    pods = (gate_pod("it-worker", "10.0.0.1"), gate_pod("it-control-plane", "10.0.1.1"))
    world.kube.then["v1/Pod"] = [Change(type="modified", objects=pods)]
    return world


class TestCluster:
    def test_it_is_written_down_before_it_is_made(self, world):
        with_gate(world).cluster.breaks = EnvironmentFailed("no")
        ctx = world.ctx(connected=False)

        with pytest.raises(EnvironmentFailed):
            cluster.run(ctx)
        assert world.remembered == [Made(kind="cluster", name="it")]
        assert len(ctx.undo) == 1
        assert not ctx.facts.usable

    def test_made_and_of_use(self, world):
        ctx = with_gate(world).ctx(connected=False)
        report = cluster.run(ctx)

        assert report.facts["name"] == "it"
        assert ctx.facts.usable
        assert world.remembered[-1].identity == "id"
        assert ("v1/Namespace", "", "seatrial-gate") in world.kube.deleted
        what, undo = ctx.undo.pop()
        undo(ctx.deadline)
        assert (what, world.cluster.log) == ("cluster it", ["create", "delete"])

    def test_kept(self, world):
        ctx = world.ctx(connected=False)
        ctx.facts.fresh = False

        assert cluster.run(ctx).outcome is Outcome.UNCHANGED
        assert ctx.facts.usable
        assert ctx.facts.submission is None, "nobody asked for tests"

    def test_where_tests_are_to_run_their_command_waits_for_them(self, world):
        ctx = world.ctx(connected=False, tests=True)
        ctx.facts.fresh = False
        cluster.run(ctx)

        assert ctx.facts.submission.take() is world.kube.pod.started[0]
        assert world.kube.pod.asked[0][-1] == "submit"

    def test_a_new_cluster_has_no_pod_in_which_to_wait(self, world):
        ctx = with_gate(world).ctx(connected=False, tests=True)
        cluster.run(ctx)

        assert ctx.facts.submission is None

    def test_pods_that_do_not_reach_each_other(self, world):
        with_gate(world).cluster.codes["it-worker"] = 1

        with pytest.raises(EnvironmentFailed) as caught:
            gate.wait(world.ctx(), world.ctx().deadline)
        assert caught.value.reason == "it-worker: why"

    def test_every_node_asks_for_the_others(self, world):
        gate.wait(with_gate(world).ctx(), world.ctx().deadline)
        scripts = {node: argv[-1] for node, argv in world.cluster.ran}

        assert "for peer in 10.0.1.1; do" in scripts["it-worker"]
        assert "for peer in 10.0.0.1; do" in scripts["it-control-plane"]
        assert "/dev/udp/10.96.0.10/53" in scripts["it-worker"]

    def test_node_without_a_pod(self, world):
        with_gate(world).kube.then["v1/Pod"] = [Change(type="modified", objects=(gate_pod("it-worker", "10.0.0.1"),))]

        with pytest.raises(EnvironmentFailed) as caught:
            gate.wait(world.ctx(), world.ctx().deadline)
        assert caught.value.message == "no pod starts on it-control-plane"

    def test_account_that_comes_late(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_RETRY", 0.0)
        with_gate(world)
        late = refused('pods "a" is forbidden: error looking up service account: serviceaccount "default" not found')
        real = world.kube.apply

        def apply(obj):
            if obj["kind"] == "Pod" and late not in seen:
                seen.append(late)
                raise late
            return real(obj)

        seen = []
        world.kube.apply = apply
        gate.wait(world.ctx(), world.ctx().deadline)

        assert len([obj for obj in world.kube.applied if obj["kind"] == "Pod"]) == 2

    def test_pod_that_is_refused_for_good(self, world):
        with_gate(world).kube.refuses = []
        real = world.kube.apply

        def apply(obj):
            if obj["kind"] == "Pod":
                raise refused("exceeded quota")
            return real(obj)

        world.kube.apply = apply
        with pytest.raises(EnvironmentFailed):
            gate.wait(world.ctx(), world.ctx().deadline)

    def test_the_gate_waits_for_a_storage_class(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_RETRY", 0.0)
        with_gate(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
        real, asked = world.kube.objects, []

        def late(kind, namespace="", **more):
            if kind.endswith("StorageClass"):
                asked.append(kind)
                if len(asked) == 3:
                    world.kube.put(STORAGE)
            return real(kind, namespace, **more)

        world.kube.objects = late
        gate.wait(world.ctx(), world.ctx().deadline)

        assert len(asked) == 3
        assert world.recorded.of(Note) == []

    def test_a_cluster_without_a_storage_class_is_told(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_STORAGE", 0.05)
        monkeypatch.setattr(gate, "_RETRY", 0.01)
        with_gate(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
        gate.wait(world.ctx(), world.ctx().deadline)

        (note,) = world.recorded.of(Note)
        assert (note.level, "no StorageClass" in note.text) == ("warning", True)

    def test_machines_of_others_are_not_entered(self, world):
        assert gate.wait(world.ctx(env=world.env(nodes=None)), world.ctx().deadline) == 0.0


class TestInstall:
    def test_everything_is_made(self, tmp_path):
        world = install_world(tmp_path)
        ctx, report = installed(world)

        assert report.facts["installed"] == "shop"
        kinds = [obj["kind"] for obj in world.kube.applied]
        assert kinds.index("Namespace") < kinds.index("Pod")
        assert ctx.facts.targets["shop"] == [("Deployment", "shop", "web")], "as Helm made it, not as it was rendered"

    @pytest.mark.parametrize("late", [True, False])
    def test_the_runner_waits_for_an_image_on_its_way(self, tmp_path, late):
        """Its kubelet would fetch the image a second time, while the services need the node."""
        world = install_world(tmp_path)
        ctx, _ = delivered(world)
        on_its_way = ctx.facts.ahead[deliver.runner_image(ctx)] = Future()
        there = []
        real = world.charts.install

        def chart(*args, **more):
            there.append(world.kube.get("v1/Pod", "test-runner", "shop") is not None)
            if late:
                on_its_way.set_result(True)
            return real(*args, **more)

        world.charts.install = chart
        if not late:
            on_its_way.set_result(True)
        report = install.run(ctx)

        assert there == [not late]
        assert report.facts["pulled"].endswith("of 2 images ahead")
        assert world.kube.get("v1/Pod", "test-runner", "shop") is not None

    def ready(self, world, ctx):
        runner_pod(world, ctx)
        return ready.run(ctx)

    def test_unchanged_releases_are_left_alone(self, tmp_path):
        world = install_world(tmp_path)
        ctx, _ = installed(world)
        self.ready(world, ctx)
        again, report = installed(world)

        assert report.outcome is Outcome.UNCHANGED
        assert [line for line in world.charts.log if line.startswith("install")] == ["install shop"]
        assert self.ready(world, again).outcome is Outcome.UNCHANGED

    def installs_after(self, tmp_path, change):
        world = install_world(tmp_path)
        ctx, _ = installed(world)
        self.ready(world, ctx)
        change(world)
        installed(world)
        return [line for line in world.charts.log if line.startswith("install")]

    def test_edited_objects_are_brought_back(self, tmp_path):
        def edit(world):
            obj = deployment(**READY)
            obj["spec"]["replicas"] = 3
            world.kube.put(obj)

        world = install_world(tmp_path)
        ctx, _ = installed(world)
        self.ready(world, ctx)
        edit(world)
        installed(world)

        assert [line for line in world.charts.log if line.startswith("install")] == ["install shop"] * 2
        assert ("apps/v1/Deployment", "shop", "web") in world.kube.deleted, "an upgrade alone would leave the number"

    def test_removed_objects_are_brought_back(self, tmp_path):
        assert (
            len(self.installs_after(tmp_path, lambda world: world.kube.delete("apps/v1/Deployment", "web", "shop")))
            == 2
        )

    def test_status_is_no_edit(self, tmp_path):
        assert len(self.installs_after(tmp_path, lambda world: world.kube.put(deployment(observedGeneration=9)))) == 1

    def test_changed_charts_are_upgraded(self, tmp_path):
        def edit(world):
            (world.root / "chart" / "values.yaml").write_text("a: 1\n")

        assert len(self.installs_after(tmp_path, edit)) == 2

    def test_somebody_elses_revision_is_replaced(self, tmp_path):
        def upgrade(world):
            secret = revision(7, "deployed")
            secret["metadata"]["namespace"] = "shop"
            world.kube.put(secret)

        assert len(self.installs_after(tmp_path, upgrade)) == 2

    @pytest.mark.parametrize(("good", "told"), [(True, "recover shop 1"), (False, "recover shop None")])
    def test_pending_releases_are_taken_back(self, tmp_path, good, told):
        world = install_world(tmp_path)
        for secret in ([revision(1, "deployed")] if good else []) + [revision(2, "pending-upgrade")]:
            secret["metadata"]["namespace"] = "shop"
            world.kube.put(secret)
        installed(world)

        assert told in world.charts.log
        assert "left pending-upgrade" in world.recorded.of(Note)[0].text

    def test_helm_that_fails(self, tmp_path):
        world = install_world(tmp_path)

        def fails(release):
            raise EnvironmentFailed(f"helm cannot install {release.name}")

        world.charts.installs = fails
        with pytest.raises(EnvironmentFailed) as caught:
            installed(world)
        assert caught.value.message == "helm cannot install shop"

    def test_doomed_hooks_end_the_wait_for_helm(self, tmp_path):
        world = install_world(tmp_path)
        hook = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "migrate",
                "namespace": "shop",
                "uid": "j",
                "annotations": {"helm.sh/hook": "post-install"},
            },
            "spec": {},
            "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
        }
        world.charts.rendered = {"shop": [hook]}
        ctx, _ = delivered(world)

        def hangs(release):
            del release
            world.kube.put(hook)
            ctx.cancelled.wait(5)

        world.charts.installs = hangs
        world.kube.put(hook)
        with pytest.raises(NotReady) as caught:
            install.run(ctx)
        ctx.cancelled.set()
        assert caught.value.findings[0].cause == "BackoffLimitExceeded"

    def test_the_next_release_waits_for_the_one_before(self, tmp_path):
        releases = tuple(ReleaseSpec(name=name, chart="chart", namespace="shop") for name in ("db", "web"))
        world = install_world(tmp_path, release=releases)
        installed(world)

        assert [line for line in world.charts.log if line.startswith("install")] == ["install db", "install web"]

    def test_in_the_cluster_of_others_we_clean_up(self, tmp_path):
        world = install_world(tmp_path)
        world.record = changed(world.record, provider="existing")
        ctx, _ = installed(world)
        undone = []
        while step := ctx.undo.pop():
            undone.append(step[0])
            step[1](ctx.deadline)

        assert undone == ["release shop", "namespace shop"]
        assert [(made.kind, made.name) for made in world.remembered[1:]] == [
            ("namespace", "shop"),
            ("release", "shop/shop"),
        ]


class TestObjects:
    def test_what_stands_before_a_release(self, tmp_path):
        (tmp_path / "pull.json").write_text("{}")
        folder = tmp_path / "manifests"
        folder.mkdir()
        (folder / "a.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n---\n---\n- odd\n---\nplain\n"
        )
        (folder / "b.yml").write_text(
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: b, labels: {x: y}}}]\n"
        )
        (folder / "c.txt").write_text("no")
        release = ReleaseSpec(
            name="shop", chart="c", namespace="shop", pull_secrets=("pull=pull.json",), manifests=(folder,)
        )
        world = World(tmp_path)
        ctx = world.ctx(project=changed(world.project, release=(release,)))
        manifests.bring(ctx, manifests.pull_secrets(ctx.project.release, tmp_path))
        manifests.bring(ctx, manifests.manifests_of(release))
        made = {obj["metadata"]["name"]: obj for obj in world.kube.applied}

        assert made["pull"]["type"] == "kubernetes.io/dockerconfigjson"
        assert made["a"]["metadata"]["namespace"] == "other"
        assert made["b"]["metadata"]["namespace"] == "shop"
        assert made["b"]["metadata"]["labels"].keys() >= {"x", "seatrial.dev/owner"}

    def test_manifest_that_is_no_yaml(self, tmp_path):
        bad = tmp_path / "bad.yaml"
        bad.write_text("a: [")

        with pytest.raises(UsageError):
            manifests.check([ReleaseSpec(name="s", chart="c", manifests=(bad,))], tmp_path)

    def test_jobs_have_no_fingerprint(self, world):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}

        assert objects.fingerprints(world.kube, [job], "shop") == {}

    @pytest.mark.parametrize("listing", ["allowed", "forbidden"])
    def test_many_of_a_kind_are_one_question_where_that_is_allowed(self, world, listing):
        made = [
            {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {}}
            for api, kind in (("v1", "Service"), ("v1", "Secret"))
            for name in ("a", "b", "c")
        ]
        for obj in made:
            world.kube.put(obj)
        lists, gets = [], []
        get, many = world.kube.get, world.kube.objects

        def asked(kind, name, namespace=""):
            gets.append(f"{kind} {name}")
            return get(kind, name, namespace)

        def listed(kind, namespace="", **more):
            lists.append(kind)
            if listing == "forbidden":
                raise EnvironmentFailed("the cluster refuses GET")
            return many(kind, namespace, **more)

        world.kube.get, world.kube.objects = asked, listed
        before = objects.fingerprints(world.kube, made, "shop")
        secrets = ["v1/Secret a", "v1/Secret b", "v1/Secret c"]

        assert lists == ["v1/Service"]
        single = [] if listing == "allowed" else ["v1/Service a", "v1/Service b", "v1/Service c"]
        assert gets == [*single, *secrets]
        assert objects.edited(world.kube, before) == []
        world.kube.store["v1/Service", "shop", "b"]["spec"] = {"edited": True}
        world.kube.delete("v1/Service", "c", "shop")
        assert objects.edited(world.kube, before) == ["v1/Service shop b", "v1/Service shop c"]


SERVICE = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))}


class TestReady:
    def up(self, tmp_path, **more):
        world = install_world(tmp_path, **more)
        ctx, _ = installed(world)
        runner_pod(world, ctx)
        return world, ctx

    def test_all_is_ready(self, tmp_path):
        world, ctx = self.up(tmp_path)

        assert ready.run(ctx).facts == {"workloads": "2", "services": "0"}
        assert {seen.name for seen in world.recorded.of(ServiceSeen) if seen.ready} == {"web", "test-runner"}

    def test_what_comes_later_is_awaited(self, tmp_path):
        world, ctx = self.up(tmp_path)
        world.kube.put(deployment())
        world.kube.then["apps/v1/Deployment"] = [Change(type="modified", objects=(deployment(**READY),))]

        assert ready.run(ctx).outcome is Outcome.DONE

    def test_what_never_comes(self, tmp_path):
        world, ctx = self.up(tmp_path)
        world.kube.put(deployment())
        ctx.project = changed(ctx.project, timeouts=changed(ctx.project.timeouts, ready=0.05))

        with pytest.raises(NotReady) as caught:
            ready.run(ctx)
        assert caught.value.message == "web not ready within 0 s"
        assert "0 of 1 pods made" in caught.value.findings[0].message

    def test_doom_ends_the_wait_with_the_last_words(self, tmp_path):
        world, ctx = self.up(tmp_path)
        world.kube.put(deployment())
        bad = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "web-1",
                "namespace": "shop",
                "uid": "p",
                "labels": {"pod-template-hash": "1"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}],
            },
            "spec": {"containers": [{"name": "c", "image": "base:1"}]},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "c",
                        "ready": False,
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                    }
                ],
            },
        }
        world.kube.put(bad)
        world.kube.texts["web-1", "c", True] = b"starting\nno such table\n"

        with pytest.raises(NotReady) as caught:
            ready.run(ctx)
        assert caught.value.message == "pod/web-1 container c: container c ended with exit code 1"
        assert caught.value.findings[0].evidence == ("starting", "no such table")
        assert caught.value.reason == "no such table"
        assert world.recorded.of(FindingMade)[0].finding.fatal
        assert all(watch.closed for watch in world.kube.watches)

    def test_cancelled_waits_end(self, tmp_path):
        world, ctx = self.up(tmp_path)
        world.kube.put(deployment())
        ctx.cancelled.set()

        with pytest.raises(NotReady):
            ready.run(ctx)

    def test_services_are_asked(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [
            b'{"name": "web", "message": "HTTP sta',
            b'tus 503"}\n{"name": "web", "message": ""}\n',
        ]

        assert ready.run(ctx).facts["services"] == "1"
        told = [(seen.ready, seen.waits_for) for seen in world.recorded.of(ServiceSeen) if seen.name == "web"][-2:]
        assert told == [(False, "HTTP status 503"), (True, "")]

    def test_question_to_a_paused_node_is_left_when_the_run_ends(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        block = threading.Event()
        world.kube.pod.stream = lambda *args, **more: iter(lambda: block.wait() and None, None)
        threading.Timer(0.3, ctx.cancelled.set).start()
        began = time.monotonic()

        ready.run(ctx)

        assert time.monotonic() - began < 5
        block.set()

    def web_pod(self, world, **more):
        status = {"restarts": 0, "ready": "True", "since": "2026-01-01T00:00:00Z", "uid": "p", **more}
        world.kube.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web-1", "namespace": "shop", "uid": status["uid"]},
                "spec": {"containers": []},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{"name": "c", "restartCount": status["restarts"]}],
                    "conditions": [{"type": "Ready", "status": status["ready"], "lastTransitionTime": status["since"]}],
                },
            }
        )

    def answered(self, tmp_path):
        """An environment whose services answered well, and what asks again."""
        world, ctx = self.up(tmp_path, service=SERVICE)
        self.web_pod(world)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        ready.run(ctx)
        assert len(world.kube.pod.asked) == 2, "one good answer after a change is no proof"
        world.kube.pod.asked.clear()

        def again():
            ctx, _ = installed(world)
            runner_pod(world, ctx)
            ready.run(ctx)
            return len(world.kube.pod.asked)

        return world, again

    def test_the_same_pods_are_not_asked_twice(self, tmp_path):
        _, again = self.answered(tmp_path)

        assert again() == 0

    @pytest.mark.parametrize(
        "change", [{"restarts": 1}, {"uid": "other"}, {"since": "2026-01-01T00:00:09Z"}, {"ready": "False"}]
    )
    def test_pods_that_restarted_or_were_not_ready_for_a_moment_are_asked_again(self, tmp_path, change):
        world, again = self.answered(tmp_path)
        self.web_pod(world, **change)

        assert again() == 2
        world.kube.pod.asked.clear()
        assert again() == 0

    def test_a_pod_that_restarts_while_its_service_is_asked_is_asked_again(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        self.web_pod(world)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        stream, rounds = world.kube.pod.stream, []

        def flaps(argv, **more):
            rounds.append(argv)
            if len(rounds) in (1, 3):
                self.web_pod(world, restarts=len(rounds))
            return stream(argv, **more)

        world.kube.pod.stream = flaps
        ready.run(ctx)

        # 1: restarted meanwhile; 2: good; 3: restarted meanwhile; 4 and 5: good, with the same pods.
        assert len(rounds) == 5

    def test_pods_that_never_stay_as_they_are_do_not_hold_up_the_tests(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [b'{"name": "web", "message": ""}\n']
        stream, rounds = world.kube.pod.stream, []

        def flaps(argv, **more):
            rounds.append(argv)
            self.web_pod(world, restarts=len(rounds))
            return stream(argv, **more)

        world.kube.pod.stream = flaps
        ready.run(ctx)

        assert "pods still change while their services are probed: web-1" in [
            note.text for note in world.recorded.of(Note)
        ]

    def test_service_that_does_not_answer(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        world.kube.pod.chunks = [b'{"name": "web", "message": "HTTP status 503"}\n']

        with pytest.raises(NotReady) as caught:
            ready.run(ctx)
        assert caught.value.reason == "service web does not answer as declared: HTTP status 503"

    def test_question_that_is_cut_off(self, tmp_path):
        world, ctx = self.up(tmp_path, service=SERVICE)
        world.kube.pod.fails = StreamBroken("cut")

        with pytest.raises(NotReady) as caught:
            ready.run(ctx)
        assert caught.value.reason == "cut"


def test_the_environment_says_its_plan(world):
    env: Kubernetes = world.env()

    assert ((Stage.TEST,),) in env.plan
    assert [step for step in env.plan if step not in env.plan_without_tests] == [((Stage.TEST,),)]
    assert env.name == "kubernetes"
