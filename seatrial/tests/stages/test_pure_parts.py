"""Parts of stages that only compute."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from fakes import FakeKube
from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.stages import charts, gate, helm_state
from shop_world import revision


def test_images_of_objects():
    template = {"spec": {"initContainers": [{"image": "a:1"}], "containers": [{"image": "b:1"}, {"image": ""}]}}
    objects = [
        {"kind": "Deployment", "spec": {"template": template}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
        {"kind": "Odd", "spec": {"containers": "none", "list": [[{"containers": [{"image": "c:1"}]}]]}},
    ]

    assert charts.images_of(objects) == ["a:1", "b:1", "c:1"]


def test_release_digest_covers_chart_values_and_single_values(tmp_path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: x\n")
    values = tmp_path / "values.yaml"
    values.write_text("a: 1\n")
    release = ReleaseSpec(name="x", chart="chart", values=(values,))
    seen = {charts.release_digest(release, {}, tmp_path), charts.release_digest(release, {"a": "b"}, tmp_path)}
    (chart / "templates" / "a.yaml").write_text("kind: Pod\n")
    seen.add(charts.release_digest(release, {}, tmp_path))
    values.write_text("a: 2\n")
    seen.add(charts.release_digest(release, {}, tmp_path))
    seen.add(charts.release_digest(ReleaseSpec(name="y", chart="chart", values=(values,)), {}, tmp_path))

    assert len(seen) == 5


@pytest.fixture
def linked(tmp_path):
    """A chart whose parts are reached through links, and the release of it."""
    chart, shared = tmp_path / "chart", tmp_path / "shared"
    for path, text in {
        chart / "Chart.yaml": "name: x\ndependencies:\n- {name: db, version: 1.0.0, repository: 'file://../db'}\n",
        shared / "templates" / "web.yaml": "kind: Pod\n",
        shared / "files" / "deep" / "conf.ini": "a = 1\n",
        shared / "values.yaml": "a: 1\n",
        tmp_path / "db" / "templates" / "db.yaml": "kind: Pod\n",
        chart / "charts" / "db-1.0.0.tgz": "packed",
        chart / "charts" / "other-1.0.0.tgz": "packed",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (chart / "templates").symlink_to("../shared/templates")
    (chart / "files").mkdir()
    (chart / "files" / "conf").symlink_to(shared / "files")
    (tmp_path / "values.yaml").symlink_to("shared/values.yaml")
    return ReleaseSpec(name="x", chart="chart", values=(tmp_path / "values.yaml",))


LINKED = [
    "shared/templates/web.yaml",
    "shared/files/deep/conf.ini",
    "shared/values.yaml",
    "db/templates/db.yaml",
    "chart/Chart.yaml",
    "chart/charts/other-1.0.0.tgz",
]


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("change", ["edit", "delete", "add", "retarget"])
def test_release_digest_sees_what_helm_sees_through_links(linked, tmp_path, name, change):
    before, file = charts.release_digest(linked, {}, tmp_path), tmp_path / name
    if change == "edit":
        file.write_text(file.read_text() + "# more\n")
    elif change == "add":
        file.with_name("new.yaml").write_text("kind: Service\n")
    elif change == "retarget":
        (file.parent / "elsewhere").write_text(file.read_text() + "# other\n")
        file.unlink()
        file.symlink_to("elsewhere")
    else:
        file.unlink()
    if change == "delete" and name == "shared/values.yaml":
        # A link that leads nowhere.
        assert charts.release_digest(linked, {}, tmp_path) != before
        return

    beside = change == "add" and name == "shared/values.yaml"
    assert (charts.release_digest(linked, {}, tmp_path) != before) is not beside, (
        "a file beside the values is none of it"
    )


def test_release_digest_ignores_archives_that_are_packed_anew_each_time(linked, tmp_path):
    before = charts.release_digest(linked, {}, tmp_path)
    (tmp_path / "chart" / "charts" / "db-1.0.0.tgz").write_text("packed at another time")

    assert charts.release_digest(linked, {}, tmp_path) == before


def test_release_digest_of_links_that_lead_nowhere_or_back(linked, tmp_path):
    chart = tmp_path / "chart"
    seen = {charts.release_digest(linked, {}, tmp_path)}
    (chart / "files" / "nowhere").symlink_to("/nowhere/at/all")
    seen.add(charts.release_digest(linked, {}, tmp_path))
    (chart / "files" / "nowhere").unlink()
    (chart / "files" / "nowhere").symlink_to("/nowhere/else")
    seen.add(charts.release_digest(linked, {}, tmp_path))
    (chart / "files" / "back").symlink_to("..")
    (chart / "files" / "self").symlink_to("self")
    os.mkfifo(chart / "files" / "pipe")
    (chart / "files" / os.fsdecode(b"caf\xe9")).write_text("1")
    seen.add(charts.release_digest(linked, {}, tmp_path))
    (chart / "files" / os.fsdecode(b"caf\xe9")).write_text("2")
    seen.add(charts.release_digest(linked, {}, tmp_path))

    assert len(seen) == 5


def test_a_chart_that_is_the_project_itself_is_not_changed_by_runs(tmp_path):
    (tmp_path / "Chart.yaml").write_text("name: x\n")
    release = ReleaseSpec(name="x", chart=".")
    before = charts.release_digest(release, {}, tmp_path)
    (tmp_path / ".seatrial" / "runs").mkdir(parents=True)
    (tmp_path / ".seatrial" / "runs" / "events.jsonl").write_text("{}")

    assert charts.release_digest(release, {}, tmp_path) == before


def test_values_that_look_alike_are_not_the_same(tmp_path):
    digests = {
        charts.release_digest(ReleaseSpec(name="x", chart="oci://c", set={"a": value}), {}, tmp_path)
        for value in (1, "1", True, "true", 1.5)
    }

    assert len(digests) == 5


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "secret.yaml").write_text("a: 1\n")
    real = Path.read_bytes

    def denied(path):
        if path.name == "secret.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(UsageError, match=r"cannot read .*/chart/secret\.yaml"):
        charts.release_digest(ReleaseSpec(name="x", chart="chart"), {}, tmp_path)


def test_release_digest_of_archives_and_remote_charts(tmp_path):
    archive = tmp_path / "x.tgz"
    archive.write_bytes(b"1")
    local = ReleaseSpec(name="x", chart="x.tgz")
    before = charts.release_digest(local, {}, tmp_path)
    archive.write_bytes(b"2")

    assert charts.release_digest(local, {}, tmp_path) != before
    remote = [ReleaseSpec(name="x", chart="oci://r/x", version=version) for version in ("1", "2")]
    assert len({charts.release_digest(each, {}, tmp_path) for each in remote}) == 2


def test_dns_question_has_no_line_feed():
    question = gate.dns_question(gate._NAME)

    assert question.startswith(r"\x00\x03\x01\x00\x00\x01")
    assert question.endswith(r"\x00\x00\x01\x00\x01")
    assert r"\x0a" not in question, "bash would send what stands before it on its own"


def test_pause_image():
    node = {"status": {"images": [{"names": ["k8s/etcd:3"]}, {"names": ["sha256:a", "mirror/pause:3.10.1"]}]}}

    assert gate.pause_image([{}, node]) == "mirror/pause:3.10.1"
    assert gate.pause_image([]) == "registry.k8s.io/pause:3.10"


RELEASE = ReleaseSpec(name="shop", chart="c", namespace="ns")


def test_helm_revisions():
    kube = FakeKube(revision(9, "superseded"), revision(10, "deployed"), revision(11, "pending-upgrade"))

    assert helm_state.newest(kube, RELEASE) == (11, "pending-upgrade")
    assert helm_state.newest_good(kube, RELEASE) == (10, "deployed")
    assert helm_state.newest(FakeKube(), RELEASE) is None
    assert helm_state.newest_good(FakeKube(revision(1, "pending-install")), RELEASE) is None


def test_manifest_as_helm_made_it():
    kube = FakeKube(revision(2, "deployed", "---\nkind: Job\n---\n# nothing\n---\nkind: Pod\n"))

    assert helm_state.manifest(kube, RELEASE, 2) == [{"kind": "Job"}, {"kind": "Pod"}]
    assert helm_state.manifest(kube, RELEASE, 3) == []


def test_uncompressed_releases_of_old():
    data = base64.b64encode(base64.b64encode(b'{"manifest": ""}')).decode()

    assert helm_state.decode({"data": {"release": data}}) == {"manifest": ""}
