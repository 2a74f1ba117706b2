"""Sets of objects applied again after changes of files, changes of objects and killed runs."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from fakes import World
from msgspec.structs import replace as changed
from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.model.event import Note
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.applied_sets import SetApplier, record_applied
from seatrial.releases.manifests import manifests_of, pull_secrets_of

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: '1'}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text(CONFIG.replace("NAME", "a"))
    return tmp_path / "manifests"


@pytest.fixture
def world(tmp_path, folder):
    it = World(tmp_path)
    release = ReleaseSpec(name="shop", chart="c", namespace="shop", manifests=(folder,))
    it.project = changed(it.project, release=(release,))
    # Created by another owner, with a uid of its own.
    it.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "shop"}})
    return it


def applier(world):
    ctx = world.ctx()
    return SetApplier(
        kube=world.kube,
        labels=world.record.labels,
        directory=world.env().directory,
        used_namespaces=world.project.used_namespaces,
        deadline=ctx.deadline,
        warn=ctx.warn,
    )


def apply(world, *, good=True):
    """Apply the manifests as one command does; return the keys of changed objects, and the names of applied ones."""
    before = len(world.kube.applied)
    applied = applier(world).apply(manifests_of(world.project.release[0]))
    if applied is not None and good:
        record_applied(world.kube, applied, world.env().directory)
    names = [obj["metadata"]["name"] for obj in world.kube.applied[before:]]
    return applied.changed if applied else [], names


def config(world, name="a"):
    return world.kube.get("v1/ConfigMap", name, "shop")


def edit(world, name="a", **data):
    """Change an object as `kubectl edit` does: the rest of it stays the same."""
    obj = deepcopy(config(world, name))
    obj["data"] = {**obj["data"], **data}
    world.kube.put(obj)


def test_unchanged_manifests_are_not_applied_again(world):
    assert apply(world) == (["v1/ConfigMap shop a"], ["a"])
    assert apply(world) == ([], [])


def test_changed_file_is_applied(world, folder):
    apply(world)
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "a").replace("'1'", "'2'"))

    assert apply(world)[1] == ["a"]
    assert config(world)["data"] == {"a": "2"}


@pytest.mark.parametrize("how", ["folder", "file", "deep"])
def test_changed_file_behind_a_link_is_applied(world, folder, tmp_path, how):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    file = elsewhere / "deep" / "b.yaml"
    file.write_text(CONFIG.replace("NAME", "b"))
    (folder / ("b.yaml" if how == "file" else "b")).symlink_to({"file": file, "deep": elsewhere}.get(how, file.parent))
    (elsewhere / "deep" / "back").symlink_to("..")
    apply(world)
    file.write_text(file.read_text().replace("'1'", "'2'"))

    assert "b" in apply(world)[1]
    assert config(world, "b")["data"] == {"a": "2"}


@pytest.mark.parametrize("data", [{"a": "edited"}, {"extra": "added"}])
def test_manual_change_is_reverted_completely(world, data):
    apply(world)
    edit(world, **data)
    touched, _ = apply(world)

    assert touched == ["v1/ConfigMap shop a"]
    assert config(world)["data"] == {"a": "1"}
    assert [note.text for note in world.recorded.of(Note)] == ["configmap/a was modified outside seatrial; reverting"]
    assert apply(world) == ([], [])


def test_manual_change_is_reverted_together_with_a_change_of_the_file(world, folder):
    apply(world)
    edit(world, extra="added")
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "a").replace("'1'", "'2'"))
    apply(world)

    assert config(world)["data"] == {"a": "2"}


def test_manual_change_is_reverted_if_the_release_never_became_ready(world):
    apply(world, good=False)
    edit(world, extra="added")
    apply(world)

    assert config(world)["data"] == {"a": "1"}


def test_deleted_object_is_recreated(world):
    apply(world)
    world.kube.delete("v1/ConfigMap", "a", "shop")

    assert apply(world)[1] == ["a"]


@pytest.mark.parametrize("how", ["file", "document", "folder", "rename"])
def test_object_that_no_file_contains_any_more_is_deleted(world, folder, how):
    if how == "document":
        (folder / "a.yaml").write_text("\n---\n".join(CONFIG.replace("NAME", name) for name in "ab"))
    apply(world)
    if how in {"document", "rename"}:
        (folder / "a.yaml").write_text(CONFIG.replace("NAME", "b"))
    elif how == "file":
        (folder / "a.yaml").unlink()
    else:
        world.project = changed(world.project, release=(changed(world.project.release[0], manifests=()),))
    touched, _ = apply(world)

    assert config(world) is None
    assert "v1/ConfigMap shop a" in touched
    assert apply(world) == ([], [])


def test_object_that_existed_before_is_not_deleted(world, folder):
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "theirs"))
    apply(world)
    (folder / "a.yaml").unlink()
    apply(world)

    assert config(world, "theirs") is not None


@pytest.mark.parametrize("labels", [{}, {"seatrial.dev/owner": "seatrial", "seatrial.dev/session": "other"}])
def test_object_of_another_owner_with_the_same_name_is_not_deleted(world, folder, labels):
    apply(world)
    world.kube.delete("v1/ConfigMap", "a", "shop")
    meta = {"name": "a", "namespace": "shop", "labels": labels, "uid": "another"}
    world.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    (folder / "a.yaml").unlink()
    apply(world)

    assert config(world) is not None


def test_used_namespaces_are_not_deleted_with_their_manifest(world, folder):
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAME}\n"
    (folder / "n.yaml").write_text("---\n".join(text.replace("NAME", name) for name in ("shop", "beside")))
    apply(world)
    (folder / "n.yaml").unlink()
    apply(world)

    assert [key[2] for key in world.kube.store if key[0] == "v1/Namespace"] == ["shop"]


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_objects_of_a_killed_run_are_deleted_by_the_next_one(world, folder, moment):
    (folder / "a.yaml").write_text("---\n".join(CONFIG.replace("NAME", name) for name in "abc"))
    real = world.kube.apply

    def killed(obj):
        if obj["metadata"]["name"] == "abc"[moment]:
            raise SystemExit
        return real(obj)

    world.kube.apply = killed
    with pytest.raises(SystemExit):
        apply(world)
    world.kube.apply = real
    (folder / "a.yaml").unlink()
    apply(world)

    assert [key[2] for key in world.kube.store if key[0] == "v1/ConfigMap"] == ["theirs"]


def test_object_with_an_immutable_field_is_recreated(world, folder):
    (folder / "a.yaml").write_text("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {image: '1'}\n")
    apply(world)
    real = world.kube.apply

    def immutable(obj):
        if world.kube.get("batch/v1/Job", "j", "shop"):
            raise EnvironmentFailed("the cluster refuses", reason="field is immutable")
        return real(obj)

    world.kube.apply = immutable
    (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("'1'", "'2'"))
    apply(world)

    assert world.kube.get("batch/v1/Job", "j", "shop")["spec"] == {"image": "2"}


def test_persistent_volume_claim_is_never_recreated(world, folder):
    (folder / "a.yaml").write_text(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {a: 1}\n"
    )
    apply(world)
    world.kube.refuses = [EnvironmentFailed("the cluster refuses", reason="spec is immutable")]
    (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("1}", "2}"))
    with pytest.raises(EnvironmentFailed):
        apply(world)

    assert world.kube.deleted == []


def test_field_managers_of_a_manual_change_are_dropped(world):
    """Server-side apply deletes only fields that no other manager owns."""
    apply(world)
    edit(world, a="edited")
    live = config(world)
    live["metadata"]["managedFields"] = [
        {"manager": "seatrial", "operation": "Apply"},
        {"manager": "kubectl-edit", "operation": "Update"},
        {"manager": "kubelet", "operation": "Update", "subresource": "status"},
    ]
    real = world.kube.apply

    def keeps_managers(obj):
        kept = config(world)["metadata"].get("managedFields") or live["metadata"]["managedFields"]
        return real({**obj, "metadata": {**obj["metadata"], "managedFields": kept}})

    world.kube.apply = keeps_managers
    apply(world)

    assert [each["manager"] for each in config(world)["metadata"]["managedFields"]] == ["seatrial", "kubelet"]


def test_kind_whose_name_ends_with_list_is_applied(world, folder):
    (folder / "a.yaml").write_text("apiVersion: x/v1\nkind: AllowList\nmetadata: {name: l}\nspec: {}\n")
    apply(world)

    assert world.kube.get("x/v1/AllowList", "l", "shop") is not None


class TestPullSecrets:
    @pytest.fixture
    def world(self, tmp_path):
        it = World(tmp_path)
        (tmp_path / "pull.json").write_text("{}")
        release = ReleaseSpec(name="shop", chart="c", namespace="shop", pull_secrets=("pull=pull.json",))
        it.project = changed(it.project, release=(release,))
        return it

    def apply(self, world):
        applied = applier(world).apply(pull_secrets_of(world.project.release, world.root))
        if applied is None:
            return []
        record_applied(world.kube, applied, world.env().directory)
        return applied.changed

    def test_pull_secret_is_applied_again_when_its_file_changed(self, world):
        assert self.apply(world) == ["v1/Secret shop pull"]
        assert self.apply(world) == []
        (world.root / "pull.json").write_text('{"auths": {}}')
        assert self.apply(world) == ["v1/Secret shop pull"]

    def test_manual_change_of_a_pull_secret_is_reverted(self, world):
        self.apply(world)
        good = deepcopy(world.kube.get("v1/Secret", "pull", "shop")["data"])
        world.kube.get("v1/Secret", "pull", "shop")["data"] = {".dockerconfigjson": "b29wcw=="}
        self.apply(world)

        assert world.kube.get("v1/Secret", "pull", "shop")["data"] == good

    def test_pull_secret_that_is_no_longer_configured_is_deleted(self, world):
        self.apply(world)
        world.project = changed(world.project, release=(changed(world.project.release[0], pull_secrets=()),))
        self.apply(world)

        assert world.kube.get("v1/Secret", "pull", "shop") is None

    def test_missing_file_of_a_pull_secret_is_named(self, world):
        (world.root / "pull.json").unlink()
        with pytest.raises(UsageError, match=r"cannot read .*pull\.json"):
            pull_secrets_of(world.project.release, world.root)


def test_state_file_lists_created_objects(world):
    apply(world)
    (record,) = world.env().directory.glob("applied-*.json")

    assert json.loads(record.read_text())["created"] == ["v1/ConfigMap shop a"]
