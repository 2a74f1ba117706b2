"""Manifests and pull Secrets read from files."""

from __future__ import annotations

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.manifests import manifests_of, pull_secrets_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "manifests").mkdir()
    return tmp_path / "manifests"


def test_objects_are_read_from_folders_lists_and_pull_secrets(tmp_path):
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
    objects = [*pull_secrets_of([release], tmp_path).read(), *manifests_of(release).read()]
    named = {obj["metadata"]["name"]: obj for obj in objects}

    assert named.keys() == {"pull", "a", "b"}
    assert named["pull"]["type"] == "kubernetes.io/dockerconfigjson"
    assert named["a"]["metadata"]["namespace"] == "other"
    assert named["b"]["metadata"] == {"name": "b", "namespace": "shop", "labels": {"x": "y"}}


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
def test_invalid_manifest_is_named(folder, name, text, message):
    if text is None:
        (folder / name).symlink_to("/nowhere/at/all")
    else:
        (folder / name).write_bytes(text)
    with pytest.raises(UsageError) as caught:
        manifests_of(ReleaseSpec(name="shop", chart="c", manifests=(folder,))).read()

    assert str(folder / name) in caught.value.message
    assert message in caught.value.message
