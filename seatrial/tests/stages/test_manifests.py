"""Manifests and pull Secrets: brought to what their files say, whatever was edited, dropped or killed in between."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from fakes import World
from msgspec.structs import replace as changed
from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.model.event import Note
from seatrial.model.spec import ReleaseSpec
from seatrial.stages import manifests

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
    # As a server does: each object that is made has a uid of its own.
    it.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "shop"}})
    return it


def bring(world, *, good=True):
    """Bring the manifests up to date, as one command does; return what was touched, and what was applied for it."""
    ctx = world.ctx()
    before = len(world.kube.applied)
    touched = manifests.bring(ctx, manifests.manifests_of(world.project.release[0]))
    if good:
        manifests.found_good(ctx)
    return touched, [obj["metadata"]["name"] for obj in world.kube.applied[before:]]


def config(world, name="a"):
    return world.kube.get("v1/ConfigMap", name, "shop")


def edit(world, name="a", **data):
    """Edit an object by hand, as `kubectl edit` does: the rest of it stays as it was."""
    obj = deepcopy(config(world, name))
    obj["data"] = {**obj["data"], **data}
    world.kube.put(obj)


def test_unchanged_manifests_are_left_alone(world):
    assert bring(world) == (["v1/ConfigMap shop a"], ["a"])
    assert bring(world) == ([], [])


def test_a_changed_file_is_applied(world, folder):
    bring(world)
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "a").replace("'1'", "'2'"))

    assert bring(world)[1] == ["a"]
    assert config(world)["data"] == {"a": "2"}


@pytest.mark.parametrize("how", ["folder", "file", "deep"])
def test_a_changed_file_behind_a_link_is_applied(world, folder, tmp_path, how):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    file = elsewhere / "deep" / "b.yaml"
    file.write_text(CONFIG.replace("NAME", "b"))
    (folder / ("b.yaml" if how == "file" else "b")).symlink_to({"file": file, "deep": elsewhere}.get(how, file.parent))
    (elsewhere / "deep" / "back").symlink_to("..")
    bring(world)
    file.write_text(file.read_text().replace("'1'", "'2'"))

    assert "b" in bring(world)[1]
    assert config(world, "b")["data"] == {"a": "2"}


@pytest.mark.parametrize("data", [{"a": "edited"}, {"extra": "added"}])
def test_an_edit_by_hand_is_reverted_wholly(world, data):
    bring(world)
    edit(world, **data)
    touched, _ = bring(world)

    assert touched == ["v1/ConfigMap shop a"]
    assert config(world)["data"] == {"a": "1"}
    assert [note.text for note in world.recorded.of(Note)] == ["configmap/a was modified outside seatrial; reverting"]
    assert bring(world) == ([], [])


def test_an_edit_is_reverted_together_with_a_change_of_the_file(world, folder):
    bring(world)
    edit(world, extra="added")
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "a").replace("'1'", "'2'"))
    bring(world)

    assert config(world)["data"] == {"a": "2"}


def test_an_edit_is_reverted_although_the_release_never_became_ready(world):
    bring(world, good=False)
    edit(world, extra="added")
    bring(world)

    assert config(world)["data"] == {"a": "1"}


def test_a_deleted_object_is_made_again(world):
    bring(world)
    world.kube.delete("v1/ConfigMap", "a", "shop")

    assert bring(world)[1] == ["a"]


@pytest.mark.parametrize("how", ["file", "document", "folder", "rename"])
def test_an_object_that_no_file_contains_any_more_is_deleted(world, folder, how):
    if how == "document":
        (folder / "a.yaml").write_text("\n---\n".join(CONFIG.replace("NAME", name) for name in "ab"))
    bring(world)
    if how in {"document", "rename"}:
        (folder / "a.yaml").write_text(CONFIG.replace("NAME", "b"))
    elif how == "file":
        (folder / "a.yaml").unlink()
    else:
        world.project = changed(world.project, release=(changed(world.project.release[0], manifests=()),))
    touched, _ = bring(world)

    assert config(world) is None
    assert "v1/ConfigMap shop a" in touched
    assert bring(world) == ([], [])


def test_what_was_there_before_us_is_not_deleted(world, folder):
    (folder / "a.yaml").write_text(CONFIG.replace("NAME", "theirs"))
    bring(world)
    (folder / "a.yaml").unlink()
    bring(world)

    assert config(world, "theirs") is not None


@pytest.mark.parametrize("labels", [{}, {"seatrial.dev/owner": "seatrial", "seatrial.dev/session": "other"}])
def test_what_another_made_under_the_same_name_is_not_deleted(world, folder, labels):
    bring(world)
    world.kube.delete("v1/ConfigMap", "a", "shop")
    meta = {"name": "a", "namespace": "shop", "labels": labels, "uid": "another"}
    world.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    (folder / "a.yaml").unlink()
    bring(world)

    assert config(world) is not None


def test_the_namespaces_in_use_are_not_deleted_with_their_manifest(world, folder):
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAME}\n"
    (folder / "n.yaml").write_text("---\n".join(text.replace("NAME", name) for name in ("shop", "beside")))
    bring(world)
    (folder / "n.yaml").unlink()
    bring(world)

    assert [key[2] for key in world.kube.store if key[0] == "v1/Namespace"] == ["shop"]


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_what_a_killed_run_created_is_known_to_the_next_one(world, folder, moment):
    (folder / "a.yaml").write_text("---\n".join(CONFIG.replace("NAME", name) for name in "abc"))
    real = world.kube.apply

    def killed(obj):
        if obj["metadata"]["name"] == "abc"[moment]:
            raise SystemExit
        return real(obj)

    world.kube.apply = killed
    with pytest.raises(SystemExit):
        bring(world)
    world.kube.apply = real
    (folder / "a.yaml").unlink()
    bring(world)

    assert [key[2] for key in world.kube.store if key[0] == "v1/ConfigMap"] == ["theirs"]


def test_what_cannot_be_changed_is_made_anew(world, folder):
    (folder / "a.yaml").write_text("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {image: '1'}\n")
    bring(world)
    real = world.kube.apply

    def immutable(obj):
        if world.kube.get("batch/v1/Job", "j", "shop"):
            raise EnvironmentFailed("the cluster refuses", reason="field is immutable")
        return real(obj)

    world.kube.apply = immutable
    (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("'1'", "'2'"))
    bring(world)

    assert world.kube.get("batch/v1/Job", "j", "shop")["spec"] == {"image": "2"}


def test_a_claim_is_never_made_anew(world, folder):
    (folder / "a.yaml").write_text(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {a: 1}\n"
    )
    bring(world)
    world.kube.refuses = [EnvironmentFailed("the cluster refuses", reason="spec is immutable")]
    (folder / "a.yaml").write_text((folder / "a.yaml").read_text().replace("1}", "2}"))
    with pytest.raises(EnvironmentFailed):
        bring(world)

    assert world.kube.deleted == []


def test_fields_that_only_our_replacement_owned_do_not_stay(world):
    """Server-side apply takes away only what it alone owns."""
    bring(world)
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
    bring(world)

    assert [each["manager"] for each in config(world)["metadata"]["managedFields"]] == ["seatrial", "kubelet"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", b"a: [", "is not YAML"),
        ("a.yaml", b"kind: ConfigMap\nmetadata: {name: a}\n", "no Kubernetes object"),
        ("a.yaml", b"apiVersion: v1\nkind: ConfigMap\n", "no Kubernetes object"),
        ("a.yaml", b"apiVersion: v1\nkind: List\nitems: [1]\n", "no Kubernetes object"),
        ("a.yaml", b"a: caf\xe9\n", "is not UTF-8"),
        ("a.yaml", b"a: \x00\n", "is not YAML"),
        ("a.json", b"{", "is not YAML"),
        ("gone.yaml", None, "cannot read"),
    ],
)
def test_a_bad_manifest_is_named_before_anything_is_made(world, folder, name, text, message):
    if text is None:
        (folder / name).symlink_to("/nowhere/at/all")
    else:
        (folder / name).write_bytes(text)
    with pytest.raises(UsageError) as caught:
        manifests.check(world.project.release, world.root)

    assert str(folder / name) in caught.value.message
    assert message in caught.value.message


def test_a_kind_whose_name_ends_with_list_is_no_list(world, folder):
    (folder / "a.yaml").write_text("apiVersion: x/v1\nkind: AllowList\nmetadata: {name: l}\nspec: {}\n")
    bring(world)

    assert world.kube.get("x/v1/AllowList", "l", "shop") is not None


class TestPullSecrets:
    @pytest.fixture
    def world(self, tmp_path):
        it = World(tmp_path)
        (tmp_path / "pull.json").write_text("{}")
        release = ReleaseSpec(name="shop", chart="c", namespace="shop", pull_secrets=("pull=pull.json",))
        it.project = changed(it.project, release=(release,))
        return it

    def bring(self, world):
        ctx = world.ctx()
        touched = manifests.bring(ctx, manifests.pull_secrets(world.project.release, world.root))
        manifests.found_good(ctx)
        return touched

    def test_applied_once_and_again_when_the_file_changed(self, world):
        assert self.bring(world) == ["v1/Secret shop pull"]
        assert self.bring(world) == []
        (world.root / "pull.json").write_text('{"auths": {}}')
        assert self.bring(world) == ["v1/Secret shop pull"]

    def test_edited_by_hand_it_is_reverted(self, world):
        self.bring(world)
        good = deepcopy(world.kube.get("v1/Secret", "pull", "shop")["data"])
        world.kube.get("v1/Secret", "pull", "shop")["data"] = {".dockerconfigjson": "b29wcw=="}
        self.bring(world)

        assert world.kube.get("v1/Secret", "pull", "shop")["data"] == good

    def test_deleted_when_it_is_no_longer_configured(self, world):
        self.bring(world)
        world.project = changed(world.project, release=(changed(world.project.release[0], pull_secrets=()),))
        self.bring(world)

        assert world.kube.get("v1/Secret", "pull", "shop") is None

    def test_a_file_that_is_gone_is_named(self, world):
        (world.root / "pull.json").unlink()
        with pytest.raises(UsageError, match=r"cannot read .*pull\.json"):
            manifests.check(world.project.release, world.root)


def test_records_of_sets_are_whole_or_not_there(world):
    bring(world)
    (record,) = world.env().directory.glob("applied-*.json")

    assert json.loads(record.read_text())["created"] == ["v1/ConfigMap shop a"]
