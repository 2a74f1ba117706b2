"""Environments beside each other: whose namespace it is, what it gets, and whether its policies hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fakes import World, refused
from msgspec.structs import replace as changed
from seatrial.app import shared_environments
from seatrial.app.shared_environments import Found, expired, numbers, superfluous
from seatrial.model.errors import AccessDenied, EnvironmentFailed, NotServed, OutOfTime, UsageError
from seatrial.model.event import Note
from seatrial.model.spec import NamespaceSpec, ReleaseSpec
from seatrial.ports import Completed
from seatrial.stages import beside, namespaces, neighbours, preflight
from seatrial.stages.neighbours import ENFORCED, objects_of

OWNER, PROJECT, SESSION, KEPT, ENVIRONMENT, USE = (
    f"seatrial.dev/{name}" for name in ("owner", "project", "session", "kept", "environment", "use")
)


@pytest.fixture
def world(tmp_path):
    root = tmp_path / "shop"
    root.mkdir()
    it = World(root)
    it.session = changed(it.session, provider="existing", namespace="pr-42")
    it.project = changed(it.project, runner=changed(it.project.runner, namespace="pr-42"))
    it.cluster.there = True
    return it


def namespace(name="pr-42", **labels):
    marks = {f"seatrial.dev/{key}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def ours(world, **more):
    return namespace(owner="seatrial", project=world.project.root.name, **more)


def marks(world):
    return world.kube.get("v1/Namespace", "pr-42")["metadata"]["labels"]


def holder(world):
    return world.kube.get("coordination.k8s.io/v1/Lease", "seatrial", "pr-42")["spec"]["holderIdentity"]


ISOLATION = [
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "v1/Namespace",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
]


def _prefix(kind):
    return "test-" if kind == "v1/Namespace" else ""


def put_isolation(world, namespace, project):
    """Put one of each kind that isolated namespaces have in the whole cluster."""
    for kind in ISOLATION:
        api, _, bare = kind.rpartition("/")
        labels = {OWNER: "seatrial", PROJECT: project, "seatrial.dev/isolated-for": namespace}
        meta = {"name": f"{_prefix(kind)}{namespace}-{project}", "labels": labels}
        world.kube.put({"apiVersion": api, "kind": bare, "metadata": meta})


def cluster_wide(world):
    return {(kind, name) for kind, namespace, name in world.kube.store if not namespace}


class TestEnter:
    def test_a_new_namespace_is_made_labelled_and_leased(self, world):
        ctx = world.ctx(keep="always")
        preflight.run(ctx)
        ctx.lease.release()

        assert marks(world)[ENVIRONMENT] == "pr-42"
        assert marks(world)[KEPT] == "true"
        assert marks(world)[SESSION] == "aa"
        assert int(marks(world)["seatrial.dev/expires"]) == int(world.session.expires.timestamp())
        assert marks(world)["pod-security.kubernetes.io/enforce"] == "baseline"
        assert {(made.kind, made.name) for made in world.remembered} == {("namespace", "pr-42")}

    def test_somebody_elses_namespace_is_refused_and_not_touched(self, world):
        world.kube.put(namespace(owner="seatrial", project="other"))
        before = json.dumps(world.kube.get("v1/Namespace", "pr-42"))

        with pytest.raises(UsageError, match="namespace pr-42 is there and is not this project's") as raised:
            preflight.run(world.ctx())
        assert "seatrial.dev/use=allowed" in raised.value.hint
        assert json.dumps(world.kube.get("v1/Namespace", "pr-42")) == before
        assert world.kube.applied == []

    def test_where_another_run_works_nothing_is_relabelled(self, world):
        world.kube.put(ours(world, session="bb", kept="true"))
        now = f"{world.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        meta = {"name": "seatrial", "namespace": "pr-42"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
        world.kube.put({**lease, "spec": {"holderIdentity": "ci", "renewTime": now}})
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="another run works"):
            preflight.run(ctx)
        assert marks(world)[SESSION] == "bb"
        assert ctx.lease is None
        assert len(ctx.undo) == 0

    def test_an_environment_of_another_machine_is_taken_over(self, world):
        world.kube.put(ours(world, session="bb", kept="true", environment="pr-42"))
        ctx = world.ctx(keep="always")
        preflight.run(ctx)

        assert marks(world)[SESSION] == "aa"
        assert "run" in holder(world)
        ctx.lease.release()
        assert holder(world) == ""

    def test_a_run_that_cleans_up_does_not_take_over_what_was_kept(self, world):
        world.kube.put(ours(world, session="bb", kept="true"))
        with pytest.raises(UsageError, match="has an environment that was kept"):
            preflight.run(world.ctx(keep="never"))

        world.kube.put(ours(world, session="bb", kept="false"))
        ctx = world.ctx(keep="never")
        preflight.run(ctx)
        ctx.lease.release()
        assert marks(world)[SESSION] == "aa"

    def test_a_release_of_others_is_refused(self, world):
        world.project = changed(world.project, release=(ReleaseSpec(name="web", chart="c", namespace="pr-42"),))
        meta = {"name": "sh.helm.release.v1.web.v1", "namespace": "pr-42"}
        record = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**meta, "labels": {"owner": "helm", "name": "web"}},
        }
        world.kube.put(record)
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="release web in namespace pr-42 is not this project's"):
            beside.enter(ctx)
        ctx.lease.release()

    def test_a_cluster_that_does_not_answer(self, world, monkeypatch):
        monkeypatch.setattr("seatrial.stages.revival._SECONDS", 0.05)
        monkeypatch.setattr("seatrial.stages.revival._LOOK", 0.01)
        world.kube.broken, world.cluster.alive = refused("connection refused"), False

        with pytest.raises(EnvironmentFailed, match="does not answer") as raised:
            preflight.run(world.ctx())
        assert raised.value.hint == "kubectl --context kind-it version"

    def test_a_namespace_that_stays_on_its_way_out(self, world, monkeypatch):
        monkeypatch.setattr(namespaces, "_GONE_SECONDS", 0.05)
        monkeypatch.setattr(namespaces, "_LOOK", 0.01)
        there = ours(world)
        there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.kube.put(there)

        with pytest.raises(OutOfTime, match="is being deleted and stays"):
            preflight.run(world.ctx())


class TestGoing:
    def test_only_the_sessions_own_namespace_is_deleted(self, world):
        world.kube.put(ours(world, session="bb"))
        assert not namespaces.remove(world.kube, "pr-42", "aa")
        world.kube.put(ours(world, session="aa"))
        assert namespaces.remove(world.kube, "pr-42", "aa")
        assert not namespaces.remove(world.kube, "pr-42", "aa")

    def test_what_its_runner_has_in_the_whole_cluster_goes_with_it(self, world):
        world.kube.put(ours(world, session="aa"))
        put_isolation(world, "pr-42", world.project.root.name)
        put_isolation(world, "pr-41", world.project.root.name)
        put_isolation(world, "pr-42", "other")
        before = cluster_wide(world)

        assert namespaces.remove(world.kube, "pr-42", "aa")
        gone = {(kind, f"{_prefix(kind)}pr-42-{world.project.root.name}") for kind in ISOLATION}
        assert before - cluster_wide(world) == gone | {("v1/Namespace", "pr-42")}
        deleted = [kind for kind, _, name in world.kube.deleted if name != "pr-42"]
        assert deleted == ISOLATION, "rights go before the policies that confine them"

    def test_a_namespace_of_another_name_is_not_deleted_for_its_label(self, world):
        marks = {"owner": "seatrial", "project": world.project.root.name, "isolated-for": "pr-42"}
        world.kube.put(namespace("production", **marks))
        namespaces.remove_isolation(world.kube, "pr-42", f"{OWNER}=seatrial")

        assert world.kube.deleted == []

    @pytest.mark.parametrize("failed", [AccessDenied("no"), NotServed("too old")])
    def test_who_may_not_see_them_has_none(self, world, failed):
        def objects(kind, namespace="", *, labels=""):
            raise failed

        world.kube.objects = objects
        namespaces.remove_isolation(world.kube, "pr-42", f"{OWNER}=seatrial")

    def test_a_server_that_does_not_answer_is_no_reason_to_leave_them(self, world):
        def objects(kind, namespace="", *, labels=""):
            raise EnvironmentFailed("it does not answer")

        world.kube.put(ours(world, session="aa"))
        world.kube.objects = objects
        with pytest.raises(EnvironmentFailed):
            namespaces.remove(world.kube, "pr-42", "aa")
        assert world.kube.get("v1/Namespace", "pr-42") is not None

    def test_where_we_are_guests_only_our_things_go(self, world):
        world.kube.put(namespace(use="allowed"))
        ctx = world.ctx(keep="never")
        preflight.run(ctx)
        ctx.lease.release()
        marked = {"name": "mine", "namespace": "pr-42", "labels": {OWNER: "seatrial", PROJECT: world.project.root.name}}
        for meta in (marked, {"name": "theirs", "namespace": "pr-42", "labels": {}}):
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
        put_isolation(world, "pr-42", world.project.root.name)
        while step := ctx.undo.pop():
            step[1](ctx.deadline)

        names = {name for kind, _, name in world.kube.store if kind in ("v1/Secret", "v1/Namespace")}
        assert names == {"theirs", "pr-42"}
        assert cluster_wide(world) == {("v1/Namespace", "pr-42")}
        assert marks(world) == {USE: "allowed"}


class TestIsolation:
    def test_neighbours_are_kept_out_and_in(self):
        limits, quota, policy = objects_of("pr-42-data", NamespaceSpec(), "pr-42", {"a": "b"})
        mine = {"namespaceSelector": {"matchLabels": {ENVIRONMENT: "pr-42"}}}

        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert policy["spec"]["podSelector"] == {}
        assert policy["spec"]["ingress"] == [{"from": [mine]}]
        inside, dns, outside = policy["spec"]["egress"]
        assert inside == {"to": [mine]}
        assert {each["port"] for each in dns["ports"]} == {53}
        assert "10.0.0.0/8" in outside["to"][0]["ipBlock"]["except"]
        assert quota["spec"]["hard"]["services.nodeports"] == "0"
        assert limits["spec"]["limits"][0]["default"] == {"memory": "512Mi"}
        assert all(each["metadata"]["labels"] == {"a": "b"} for each in (limits, quota, policy))

    def test_a_runner_with_rights_reaches_the_api_server(self, world):
        ports = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"}}
        world.kube.put({**ports, "spec": {"clusterIPs": ["10.96.0.1", "fd00::1"], "ports": [{"port": 443}]}})
        meta = {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}}
        part = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
        world.kube.put({**part, "endpoints": [{"addresses": ["172.18.0.3"]}], "ports": [{"port": 6443}]})
        neighbours.have(world.ctx(), "pr-42")
        assert "seatrial-api" not in [obj["metadata"]["name"] for obj in world.kube.applied], "others need none"

        rule = {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)}
        world.project = changed(world.project, runner=changed(world.project.runner, rules=(rule,)))
        neighbours.have(world.ctx(), "pr-42-data")
        assert "seatrial-api" not in [obj["metadata"]["name"] for obj in world.kube.applied]
        neighbours.have(world.ctx(), "pr-42")
        policy = world.kube.applied[-1]

        assert policy["metadata"]["name"] == "seatrial-api"
        assert policy["spec"]["podSelector"] == {"matchLabels": {"app": "test-runner"}}
        assert policy["spec"]["policyTypes"] == ["Egress"]
        assert [(each["to"][0]["ipBlock"]["cidr"], each["ports"][0]["port"]) for each in policy["spec"]["egress"]] == [
            ("10.96.0.1/32", 443),
            ("fd00::1/128", 443),
            ("172.18.0.3/32", 6443),
        ]
        world.project = changed(world.project, namespace=NamespaceSpec(isolated=False))
        world.kube.applied.clear()
        neighbours.have(world.ctx(), "pr-42")
        assert "NetworkPolicy" not in [obj["kind"] for obj in world.kube.applied]

    def test_policies_can_be_left_out(self):
        kinds = [each["kind"] for each in objects_of("x", NamespaceSpec(isolated=False), "x", {})]
        assert kinds == ["LimitRange", "ResourceQuota"]

    @pytest.mark.parametrize(
        ("said", "found", "warned"),
        [
            (b"reached\n", "ignored", "ignores NetworkPolicies"),
            (b"blocked\n", "enforced", ""),
            (b"Traceback", "unknown", "cannot be told"),
        ],
    )
    def test_whether_they_hold_is_tried_once_for_each_runner_and_told(self, world, said, found, warned):
        asked = self.dns(world, said)

        assert neighbours.verify(world.ctx()) == found
        assert neighbours.verify(world.ctx()) == found
        assert len(asked) == 1
        assert asked[0][-3:] == ("10.244.0.3", "9153", "3")
        assert world.kube.get("v1/Namespace", "pr-42")["metadata"]["annotations"] == {ENFORCED: found}
        assert marks(world)[OWNER] == "seatrial"
        notes = [event.text for event in world.recorded.bodies if isinstance(event, Note)]
        assert [warned in note for note in notes] == ([True] if warned else [])

    def test_without_a_pod_to_try_nobody_knows(self, world):
        self.dns(world, b"blocked\n")
        del world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        assert neighbours.verify(world.ctx()) == "unknown"

    @pytest.mark.parametrize("change", ["starting", "silent"])
    def test_where_nothing_is_known_to_listen_a_refusal_says_nothing(self, world, change):
        asked = self.dns(world, b"blocked\n")
        pod = world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        if change == "starting":
            pod["status"]["conditions"][0]["status"] = "False"
        else:
            del pod["spec"]["containers"][0]["ports"]
        assert neighbours.verify(world.ctx()) == "unknown"
        assert not asked

    def test_in_a_lent_namespace_nothing_is_tried_and_nothing_written(self, world):
        asked = self.dns(world, b"blocked\n")
        world.kube.put(namespace(use="allowed"))
        world.kube.applied.clear()

        assert neighbours.verify(world.ctx()) == ""
        assert neighbours.verify(world.ctx()) == ""
        assert (asked, world.kube.applied) == ([], [])

    def test_without_policies_nothing_is_tried(self, world):
        world.project = changed(world.project, namespace=NamespaceSpec(isolated=False))
        assert neighbours.verify(world.ctx()) == ""

    def dns(self, world, said):
        asked = []

        def run(argv, *, stdin=b"", container="tests", timeout):
            asked.append(tuple(argv))
            return Completed(argv=tuple(argv), code=0, stdout=said, stderr=b"")

        world.kube.pod.run = run
        meta = {"name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
        ports = [
            {"containerPort": 53, "protocol": "UDP"},
            {"containerPort": 53, "protocol": "TCP"},
            {"containerPort": 9153, "protocol": "TCP"},
        ]
        status = {"podIP": "10.244.0.3", "conditions": [{"type": "Ready", "status": "True"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}
        world.kube.put({**pod, "spec": {"containers": [{"name": "coredns", "ports": ports}]}})
        runner = {"name": world.project.runner.pod, "namespace": "pr-42"}
        world.kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": runner})
        world.kube.put(ours(world))
        return asked


class TestLeftBehind:
    """What another machine left, which is gone with its ledger."""

    @pytest.fixture
    def clean(self, world, monkeypatch):
        monkeypatch.setattr(shared_environments, "_kube", lambda *_: world.kube)
        monkeypatch.setattr(shared_environments, "_environment", lambda *_: world.env())
        this = SimpleNamespace(clock=world.clock)
        project = changed(world.project, id="shop")
        return lambda: shared_environments.remove_lent(this, project, lambda _: None)

    def lend(self, world, hours, **marks):
        """Have a run leave things in a namespace, so many hours ago."""
        at = world.clock.now() - timedelta(hours=hours)
        labels = {OWNER: "seatrial", PROJECT: "shop"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": ""}}
        lease["spec"]["renewTime"] = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
        world.kube.put({**lease, "metadata": {"name": "seatrial", "namespace": "team-a", "labels": labels}})
        world.kube.put(namespace("team-a", **marks))
        put_isolation(world, "team-a", "shop")
        record = {"owner": "helm", "name": "web", OWNER: "seatrial"}
        for release, project in (("web", "shop"), ("theirs", "other")):
            meta = {"name": f"sh.helm.{release}", "namespace": "team-a"}
            labels = {**record, "name": release, PROJECT: project}
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "labels": labels}})

    def test_a_lent_namespace_is_emptied_a_day_after_its_last_run(self, world, clean):
        self.lend(world, 25, use="allowed")
        put_isolation(world, "team-b", "other")
        others = {key for key in cluster_wide(world) if "team-b" in key[1]}

        assert clean() == ["team-a"]
        assert cluster_wide(world) == others | {("v1/Namespace", "team-a")}
        assert world.charts.log == ["recover web None"]
        assert ("v1/Secret", "team-a", "sh.helm.theirs") in world.kube.store
        assert clean() == []

    @pytest.mark.parametrize(("hours", "marks"), [(23, {"use": "allowed"}), (25, {})])
    def test_what_was_used_since_or_is_not_lent_stays(self, world, clean, hours, marks):
        self.lend(world, hours, **marks)
        before = dict(world.kube.store)

        assert clean() == []
        assert world.kube.store == before

    def test_rights_go_with_the_namespace_of_their_runner(self, world, clean):
        put_isolation(world, "gone", "shop")
        put_isolation(world, "there", "shop")
        world.kube.put(namespace("there"))

        assert clean() == ["gone"]
        assert not [name for _, name in cluster_wide(world) if "gone" in name]
        assert len(cluster_wide(world)) == len(ISOLATION) + 1

    def test_who_sees_one_namespace_only_cleans_nothing(self, world, clean):
        def objects(kind, namespace="", *, labels=""):
            raise AccessDenied("no")

        world.kube.objects = objects
        assert clean() == []


@pytest.mark.parametrize("label", ["soon", "-1", "9" * 40, "²", ""])
def test_a_label_of_somebody_elses_making_stops_no_list(world, label):
    there = namespace("pr-7", owner="seatrial", project="shop", environment="pr-7")
    there["metadata"]["labels"]["seatrial.dev/expires"] = label
    world.kube.put(there)

    (found,) = shared_environments._found(world.kube, datetime(2026, 1, 1, tzinfo=UTC), "shop")
    assert found.expires == datetime(1970, 1, 1, tzinfo=UTC)


def test_pull_requests_are_numbers():
    assert numbers("41, #42,") == {41, 42}
    assert numbers("") == frozenset()
    with pytest.raises(UsageError, match="'x' is not the number"):
        numbers("41,x")


def test_only_environments_of_pull_requests_are_superfluous():
    names = ["pr-41", "pr42", "PR-43", "pr-4", "staging", "pr-42-data", "my-pr-44"]
    assert superfluous(names, {41, 42}) == {"PR-43", "pr-4"}


def test_time_is_over_when_it_is_over():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        Found(name=name, namespaces=(name,), project="p", expires=now + timedelta(seconds=seconds))
        for name, seconds in (("old", 0), ("new", 1))
    ]
    assert expired(found, now) == {"old"}
