"""Test that releases and manifests of a kept environment equal those of a new one after each change."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def kept(shop):
    """Provide the environment; restore the project's state afterwards."""
    configuration = (shop.root / "seatrial.toml").read_text()
    yield shop
    (shop.root / "seatrial.toml").write_text(configuration)
    shop("up")


def data(shop, kind, name):
    return json.loads(shop.kubectl("get", kind, name, "-o", "json"))["data"]


def patch(shop, kind, name, **values):
    shop.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"data": values}))


def test_patched_config_map_is_reverted_and_upgradable(kept):
    """Helm 4 applies on the server, where a field with another owner is a permanent conflict."""
    patch(kept, "configmap", "web", stock="7", extra="added")
    assert "configmap/web was modified outside seatrial; reverting" in kept("test", "-k", "stock").err
    assert data(kept, "configmap", "web") == {"stock": "42"}

    # The chart changes the field and then removes it; no field manager may keep it.
    kept.edit("chart/templates/web.yaml", "data: {stock: ", "data: {more: x, stock: ")
    kept("up")
    assert data(kept, "configmap", "web") == {"stock": "42", "more": "x"}
    patch(kept, "configmap", "web", more="edited")
    kept("up")
    kept.edit("chart/templates/web.yaml", "data: {more: x, stock: ", "data: {stock: ")
    kept("up")
    assert data(kept, "configmap", "web") == {"stock": "42"}
    kept("up")
    assert kept.stage("install")["outcome"] == "unchanged"


def test_edited_secret_is_reverted(kept):
    before = data(kept, "secret", "shop")
    patch(kept, "secret", "shop", password="b29wcw==", extra="b29wcw==")
    assert "8 passed" in kept("test").out
    assert data(kept, "secret", "shop") == before


def test_edited_service_is_reverted(kept):
    kept.kubectl("patch", "service", "web", "-p", json.dumps({"spec": {"selector": {"app": "nobody"}}}))
    kept.kubectl("label", "service", "web", "by=hand")
    assert "8 passed" in kept("test").out
    service = json.loads(kept.kubectl("get", "service", "web", "-o", "json"))
    assert service["spec"]["selector"] == {"app": "web"}
    assert "by" not in service["metadata"]["labels"]


def test_changed_template_in_linked_folder_is_upgraded(kept):
    templates = kept.root / "chart" / "templates"
    templates.rename(kept.root / "shared")
    templates.symlink_to("../shared")
    kept("up")
    kept.edit("shared/web.yaml", "data: {stock: {{ .Values.stock | quote }}}", "data: {stock: '44'}")
    kept.edit("tests/test_shop.py", "== 42", "== 44")
    # The pod template is unchanged, so the pods still mount the older ConfigMap.
    done = kept("test", "-k", "stock")
    assert "1 passed" in done.out
    assert "still uses an older version of configmap/web; recreating" in done.err
    kept.edit("shared/web.yaml", "data: {stock: '44'}", "data: {stock: {{ .Values.stock | quote }}}")
    kept.edit("tests/test_shop.py", "== 44", "== 42")
    templates.unlink()
    (kept.root / "shared").rename(templates)


MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: 'VALUE'}\n"


JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: 'foundry.invalid/python:3.13', command: ['true', 'ARGUMENT']}]
"""


def test_manifests_equal_their_files(kept):
    folder = kept.root / "manifests"
    folder.mkdir()
    (folder / "a.yaml").write_text(MANIFEST.replace("NAME", "first").replace("VALUE", "1"))
    (folder / "b.yaml").write_text(MANIFEST.replace("NAME", "second").replace("VALUE", "1"))
    (folder / "job.yaml").write_text(JOB)
    kept.edit("seatrial.toml", 'chart = "chart"\n', 'chart = "chart"\nmanifests = ["manifests"]\n')
    kept("up")
    kept("up")
    assert kept.stage("install")["outcome"] == "unchanged"

    (folder / "a.yaml").write_text(MANIFEST.replace("NAME", "first").replace("VALUE", "2"))
    (folder / "job.yaml").write_text(JOB.replace("ARGUMENT", "again"))
    (folder / "b.yaml").unlink()
    patch(kept, "configmap", "first", extra="added")
    kept("up")
    assert data(kept, "configmap", "first") == {"a": "2"}
    assert "again" in kept.kubectl("get", "job", "once", "-o", "yaml")
    assert "second" not in kept.kubectl("get", "configmap", "-o", "name")

    patch(kept, "configmap", "first", a="edited")
    kept("up")
    assert data(kept, "configmap", "first") == {"a": "2"}
    kept.edit("seatrial.toml", 'manifests = ["manifests"]\n', "")
    kept("up")
    assert "first" not in kept.kubectl("get", "configmap", "-o", "name")
    assert "once" not in kept.kubectl("get", "job", "-o", "name")


def test_unconfigured_release_is_uninstalled(kept):
    more = '[[release]]\nname = "second"\nchart = "second"\nnamespace = "shop"\n\n[service.web]'
    (kept.root / "second" / "templates").mkdir(parents=True)
    (kept.root / "second" / "Chart.yaml").write_text("apiVersion: v2\nname: second\nversion: 0.1.0\n")
    manifest = MANIFEST.replace("NAME", "of-second").replace("VALUE", "1")
    (kept.root / "second" / "templates" / "a.yaml").write_text(manifest)
    kept.edit("seatrial.toml", "[service.web]", more)
    kept("up")
    assert data(kept, "configmap", "of-second") == {"a": "1"}
    kept.edit("seatrial.toml", more, "[service.web]")
    assert "release second in namespace shop is no longer configured; deleting" in kept("up").err
    assert "of-second" not in kept.kubectl("get", "configmap", "-o", "name")
