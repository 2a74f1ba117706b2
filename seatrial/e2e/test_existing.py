"""Test a shared cluster and registry: explicit context, digests, foreign objects untouched, one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import company as the_company
import pytest
import yaml
from company import CONTEXT, Company
from shop_project import ENVIRONMENT, PATIENCE, Shop, copy


@dataclass(frozen=True)
class Machine(Shop):
    """The project on another machine, with its own ledger."""

    state: Path

    @property
    def env(self) -> dict[str, str]:
        return {**ENVIRONMENT, "XDG_STATE_HOME": str(self.state)}


def machine(tmp_path_factory: pytest.TempPathFactory, company: Company, name: str) -> Machine:
    shop = copy(tmp_path_factory, "company")
    company.configure(shop)
    return Machine(shop.root, tmp_path_factory.mktemp(name))


THEIRS = """
apiVersion: v1
kind: Namespace
metadata: {name: theirs}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: theirs}
data: {stock: "7"}
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Iterator[Company]:
    the_company.give_up()
    try:
        it = the_company.found(tmp_path_factory.mktemp("company"))
        theirs = tmp_path_factory.mktemp("theirs") / "theirs.yaml"
        theirs.write_text(THEIRS)
        it.kubectl("apply", "-f", str(theirs))
        yield it
    finally:
        the_company.give_up()


@pytest.fixture(scope="module")
def ours(tmp_path_factory, company) -> Machine:
    """Provide the project on the developer's machine."""
    return machine(tmp_path_factory, company, "ours")


@pytest.fixture(scope="module")
def ci(tmp_path_factory, company) -> Machine:
    """Provide the same project on a CI machine."""
    return machine(tmp_path_factory, company, "ci")


def untouched(company: Company) -> list[str]:
    """Return a snapshot of foreign objects, to detect changes."""
    config = company.get("configmap", "web", "-n", "theirs")
    return [company.get("namespace", "theirs")["metadata"]["resourceVersion"], config["metadata"]["resourceVersion"]]


def test_unknown_context_is_an_error(ours):
    done = ours("--set", "cluster.context=nobodys", "up", code=4)
    assert "has no context 'nobodys'" in done.err


@pytest.mark.removes("namespace", "release")
def test_run_leaves_nothing_and_changes_no_foreign_object(company, ours):
    before, namespaces = untouched(company), company.names("namespaces")
    done = ours("run")

    assert "8 passed" in done.out
    until = time.monotonic() + 60
    while company.names("namespaces") != namespaces and time.monotonic() < until:
        time.sleep(0.5)
    assert company.names("namespaces") == namespaces
    assert untouched(company) == before
    assert "no environments" in ours("list").out


def test_pods_pull_by_digest_from_configured_registry(company, ours):
    ours("up")
    runner = company.get("pod", "test-runner", "-n", "shop")

    (image,) = {each["image"] for each in runner["spec"]["containers"]}
    assert image.startswith(f"{company.registry}/team/shop-test:")
    digest = image.partition("@")[2]
    assert digest.startswith("sha256:")
    assert {each["imageID"].partition("@")[2] for each in runner["status"]["containerStatuses"]} == {digest}
    assert "8 passed" in ours("test").out
    assert ours.stage("deliver")["outcome"] == "unchanged"


def test_foreign_objects_are_refused_before_any_change(company, ours):
    before = untouched(company)
    done = ours("up", "--namespace", "theirs", code=4)

    assert "namespace theirs already exists and belongs to another owner" in done.err
    assert "kubectl label namespace theirs seatrial.dev/use=allowed" in done.err
    assert untouched(company) == before
    assert company.names("pods", "-n", "theirs") == []


def test_second_run_in_namespace_names_the_first(company, ours, ci):
    (ours.root / "tests" / "test_slow.py").write_text("import time\n\n\ndef test_slow():\n    time.sleep(8)\n")
    first = ours.start("test", "-k", "slow")
    until = time.monotonic() + 60
    while not lease(company) and time.monotonic() < until:
        time.sleep(0.1)
    second = ci("up", code=4)
    out, err = first.communicate(timeout=PATIENCE)
    (ours.root / "tests" / "test_slow.py").unlink()

    assert "another run uses namespace shop" in second.err
    assert "renewed its Lease" in second.err
    assert first.returncode == 0, out + err
    assert lease(company) == "", "it is given back"


def lease(company: Company) -> str:
    return company.get("lease", "seatrial", "-n", "shop")["spec"].get("holderIdentity", "")


def test_lease_of_dead_run_is_taken_over(company, ours, ci):
    (ours.root / "tests" / "test_slow.py").write_text("import time\n\n\ndef test_slow():\n    time.sleep(600)\n")
    first = ours.start("test", "-k", "slow")
    until = time.monotonic() + 60
    while not lease(company) and time.monotonic() < until:
        time.sleep(0.1)
    first.kill()
    first.communicate()
    (ours.root / "tests" / "test_slow.py").unlink()
    dead = lease(company)
    assert "another run uses" in ci("up", code=4).err
    # Simulate an expired Lease, because a dead process does not renew.
    long_ago = json.dumps({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}})
    company.kubectl("patch", "lease", "seatrial", "-n", "shop", "--type=merge", "-p", long_ago)

    ci("up")
    assert dead
    assert lease(company) == ""
    assert "8 passed" in ci("test").out
    marks = company.get("namespace", "shop")["metadata"]["labels"]
    assert marks["seatrial.dev/session"] == ci.environment, "it is theirs now"
    # The ledger of the first machine is outdated, so it removes nothing.
    ours("down")
    assert "shop" in company.names("namespaces")
    ci("down")


def test_env_kubeconfig_contains_only_this_context(company, ours):
    ours("up")
    values = json.loads(ours("env", "--json").out)
    argv = ["kubectl", "get", "pods", "-o", "name"]
    done = subprocess.run(argv, env={**ENVIRONMENT, **values}, capture_output=True, text=True, check=True)
    assert "pod/test-runner" in done.stdout
    contexts = ["kubectl", "config", "get-contexts", "-o", "name"]
    done = subprocess.run(contexts, env={**ENVIRONMENT, **values}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [CONTEXT]
    assert Path(values["KUBECONFIG"]).stat().st_mode & 0o077 == 0
    ours("down")


def test_one_environment_per_pull_request(company, ours, ci):
    """Environments of different machines in one cluster, removed by a third command."""
    before = untouched(company)
    first = ours("up", "--namespace", "pr-41")
    assert "8 passed" in ours("test", "--namespace", "pr-41").out
    ci("up", "--namespace", "pr-42")

    marks = company.get("namespace", "pr-42")["metadata"]["labels"]
    assert (marks["seatrial.dev/environment"], marks["seatrial.dev/owner"]) == ("pr-42", "seatrial")
    assert 23 * 3600 < int(marks["seatrial.dev/expires"]) - time.time() <= 24 * 3600
    for kind in ("resourcequota", "limitrange", "networkpolicy"):
        assert company.names(kind, "-n", "pr-42") == ["seatrial"]

    # The reported enforcement of policies is correct.
    reach = "import socket; socket.create_connection(('web.{}.svc', 8080), 3)"
    argv = ["exec", "-n", "pr-41", "test-runner", "-c", "tests", "--", "python3", "-c"]
    company.kubectl(*argv, reach.format("pr-41"))
    said = company.get("namespace", "pr-41")["metadata"]["annotations"]["seatrial.dev/policies"]
    try:
        company.kubectl(*argv, reach.format("pr-42"))
    except subprocess.CalledProcessError:
        assert said == "enforced"
    else:
        assert said == "ignored"
        assert "the cluster's network ignores NetworkPolicies" in first.err

    listed = ours("list").out
    assert "pr-41" in listed
    assert "another machine" in listed, "pr-42 was made by CI"
    done = ours("clean", "--keep-prs", "41")
    assert done.out == "removed: pr-42\n"
    assert "8 passed" in ours("test", "--namespace", "pr-41").out
    ours("down", "--namespace", "pr-41")
    until = time.monotonic() + 60
    while any(name.startswith("pr-") for name in company.names("namespaces")) and time.monotonic() < until:
        time.sleep(0.5)
    assert not any(name.startswith("pr-") for name in company.names("namespaces"))
    assert "no environment" in ours("down", "--namespace", "pr-41").err
    assert untouched(company) == before


def test_project_with_same_directory_name_changes_nothing(company, ours, tmp_path_factory):
    other = machine(tmp_path_factory, company, "theirs")
    assert other.root.name == ours.root.name
    toml = other.root / "seatrial.toml"
    toml.write_text(toml.read_text().replace("shop-801a411f", "shop-11111111"))
    ours("up", "--namespace", "pr-7")

    assert other("clean", "--keep-prs", "1").out == "nothing to remove\n"
    assert "belongs to another owner" in other("up", "--namespace", "pr-7", code=4).err
    other("down", "--namespace", "pr-7")
    assert "8 passed" in ours("test", "--namespace", "pr-7").out

    toml.write_text(toml.read_text().replace('project = "shop-11111111"\n', ""))
    for command in (("up",), ("clean", "--keep-prs", "1"), ("down", "--namespace", "pr-7")):
        assert 'add project = "' in other(*command, code=4).err
    assert "pr-7" in company.names("namespaces")
    ours("down", "--namespace", "pr-7")


def test_second_environment_with_host_ports_is_refused(company, ours):
    """Host ports belong to one environment per node, as enforced by the namespace's Pod Security Standard."""
    chart = ours.root / "chart" / "templates" / "web.yaml"
    text = chart.read_text()
    chart.write_text(text.replace("{containerPort: 8080}", "{containerPort: 8080, hostPort: 8080}"))
    done = ours("up", "--namespace", "pr-43", code=10)
    chart.write_text(text)

    assert "hostPort" in done.err
    ours("clean", "--keep-prs", "")


KINDS = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,namespaces"


def cluster_wide(company: Company) -> set[str]:
    """Return the cluster-scoped objects, except namespaces being deleted."""
    found = company.get(KINDS)["items"]
    return {
        f"{each['kind']} {each['metadata']['name']}" for each in found if "deletionTimestamp" not in each["metadata"]
    }


def isolate(shop: Shop) -> None:
    """Allow the project's tests to create namespaces, also in a shared cluster."""
    shop.edit("seatrial.toml", "[cluster]\n", "[cluster]\nallow-isolated-namespaces = true\n")
    shop.edit("seatrial.toml", "[runner]\n", "[runner]\nisolated-namespaces = true\n")


@pytest.fixture
def isolating(tmp_path_factory, company) -> Machine:
    it = machine(tmp_path_factory, company, "isolating")
    isolate(it)
    return it


def test_isolated_namespaces_require_consent(company, isolating):
    before = cluster_wide(company)
    isolating.edit("seatrial.toml", "allow-isolated-namespaces = true\n", "")
    done = isolating("up", "--namespace", "pr-60", code=4)

    assert "add allow-isolated-namespaces = true to [cluster]" in done.err
    assert cluster_wide(company) == before


@pytest.mark.removes("objects", "release")
def test_cluster_scoped_objects_of_isolated_namespaces_are_deleted(tmp_path_factory, company, isolating):
    """For created and lent namespaces, with `down` and `clean --all`, while a second project does the same."""
    company.kubectl("create", "namespace", "lent")
    company.kubectl("label", "namespace", "lent", "seatrial.dev/use=allowed")
    before = cluster_wide(company)
    second = machine(tmp_path_factory, company, "second")
    isolate(second)
    second.edit("seatrial.toml", 'project = "', 'project = "second-')
    second("up", "--namespace", "second")
    others = cluster_wide(company)

    for namespace, command in (("lent", ("down", "--namespace", "lent")), ("lent", ("clean", "--all")),
                               ("pr-61", ("clean", "--all"))):  # fmt: skip
        isolating("up", "--namespace", namespace)
        made = {name for name in cluster_wide(company) - others if not name.startswith("Namespace ")}
        assert len(made) == 11, made
        isolating(*command)
        assert cluster_wide(company) == others, f"{command} after {namespace}"
    assert company.names("deployments,secrets,roles,rolebindings", "-n", "lent") == []
    assert "8 passed" in second("test", "--namespace", "second").out
    second("down", "--namespace", "second")
    assert cluster_wide(company) == before
    company.kubectl("delete", "namespace", "lent", "--wait=false")


def credentials(state: Path) -> list[Path]:
    """Return the files in a state directory that contain a key."""
    return [path for path in state.rglob("*") if path.is_file() and b"client-key-data" in path.read_bytes()]


def test_impersonation_of_kubeconfig_is_used_and_not_copied(tmp_path_factory, company):
    it = machine(tmp_path_factory, company, "as")
    own = it.root / "kubeconfig"
    own.write_bytes(company.kubeconfig.read_bytes())
    it.edit("seatrial.toml", str(company.kubeconfig), str(own))

    def act_as(user: str, *groups: str) -> None:
        config = yaml.safe_load(company.kubeconfig.read_text())
        (entry,) = config["users"]
        entry["user"] |= {"as": user, "as-groups": list(groups)}
        own.write_text(yaml.safe_dump(config))
        # Older than any copy.
        os.utime(own, (1, 1))

    act_as("jane", "dev")
    assert 'User "jane" cannot' in it("up", "--namespace", "pr-62", code=10).err
    assert credentials(it.state) == []
    act_as("jane", "system:masters")
    it("list")
    assert credentials(it.state) == []
    it("up", "--namespace", "pr-62")
    assert len(credentials(it.state)) == 1
    act_as("john")
    assert 'User "john" cannot' in it("test", "--namespace", "pr-62", code=10).err
    act_as("jane", "system:masters")
    it("down", "--namespace", "pr-62")
    assert credentials(it.state) == []
