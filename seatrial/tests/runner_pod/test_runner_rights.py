"""Rights of the runner, which it gets once the policies are enforced."""

from __future__ import annotations

import pytest
from fakes import World
from msgspec.structs import replace as changed
from namespaces.admission_evaluator import Request, refusals
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import Project, RunnerSpec
from seatrial.namespaces.admission_policies import REFUSAL, isolation_policies
from seatrial.ports import Change
from seatrial.runner_pod import lifecycle
from shop_world import runner_pod_without_build

SPEC = RunnerSpec(image="t", namespace="shop", isolated_namespaces=True)
LABELS = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "p-1", "seatrial.dev/session": "aa"}
OWN = isolation_policies(SPEC, LABELS, shared=False)
SHARED = isolation_policies(SPEC, LABELS, shared=True)
RUNNER = "system:serviceaccount:shop:test-runner"


class TestPoliciesFirst:
    @pytest.fixture
    def world(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lifecycle, "_PAUSE", 0.01)
        return World(
            tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="t:1", namespace="shop", isolated_namespaces=True))
        )

    def test_rights_are_created_after_a_request_was_refused(self, world):
        world.kube.message = ["", "namespaces is forbidden", f"denied: {REFUSAL} to namespaces whose"]
        seen = []
        apply = world.kube.apply
        world.kube.apply = lambda obj: (seen.append((obj["kind"], len(world.kube.rehearsed))), apply(obj))[1]
        runner_pod_without_build(world).ensure()

        assert [kind for kind, asked in seen if asked == 0] == [
            *["ValidatingAdmissionPolicy"] * 4,
            *["ValidatingAdmissionPolicyBinding"] * 4,
        ]
        after = [kind for kind, asked in seen if asked == 3]
        assert after[-1] == "Pod"
        assert {"ClusterRole", "ClusterRoleBinding"} < set(after)
        refused, user, groups = world.kube.rehearsed[0]
        assert user == RUNNER
        assert "system:masters" in groups, "so that RBAC does not refuse the request"
        for objects in (OWN, SHARED):
            request_ = Request(
                user=user, operation="CREATE", resource="namespaces", name=refused["metadata"]["name"], obj=refused
            )
            assert refusals(objects, request_)
            assert not refusals([each for each in objects if not each["metadata"]["name"].endswith("guard")], request_)

    @pytest.mark.parametrize("said", ["", "users 'x' cannot impersonate resource groups"])
    def test_runner_gets_no_rights_if_policies_are_not_enforced(self, world, monkeypatch, said):
        monkeypatch.setattr(lifecycle, "_POLICY_SECONDS", 0.05)
        world.kube.message = [said]

        with pytest.raises(EnvironmentFailed, match="are not in force") as caught:
            runner_pod_without_build(world).ensure()
        assert said in caught.value.reason
        assert caught.value.reason
        assert "impersonate" in caught.value.hint
        assert not [obj for obj in world.kube.applied if obj["kind"] in ("ClusterRole", "ClusterRoleBinding", "Pod")]

    def test_policies_of_a_shared_cluster_select_by_label(self, world):
        world.record = changed(world.record, provider="existing")
        runner_pod_without_build(world).ensure()

        applied = [obj["spec"] for obj in world.kube.applied if obj["kind"] == "ValidatingAdmissionPolicy"]
        assert sum("namespaceSelector" in spec["matchConstraints"] for spec in applied) == 2

    def test_rights_that_are_no_longer_configured_are_deleted(self, world):
        runner_pod_without_build(world).ensure()
        pod = world.kube.store["v1/Pod", "shop", "test-runner"]
        assert "seatrial.shop.test-runner.inside" in [
            each["value"] for each in pod["spec"]["containers"][0]["env"] if each["name"] == "SEATRIAL_ISOLATED_ROLE"
        ]
        world.project = Project(root=world.root, runner=RunnerSpec(image="t:1", namespace="shop"))
        world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
        runner_pod_without_build(world).ensure()

        assert not [kind for kind, *_ in world.kube.store if "Cluster" in kind or "Admission" in kind]
