"""The digest over everything that decides a release's objects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.chart_digest import release_digest


def test_digest_changes_with_chart_values_and_names(tmp_path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: x\n")
    values = tmp_path / "values.yaml"
    values.write_text("a: 1\n")
    release = ReleaseSpec(name="x", chart="chart", values=(values,))
    seen = {release_digest(release, {}, tmp_path), release_digest(release, {"a": "b"}, tmp_path)}
    (chart / "templates" / "a.yaml").write_text("kind: Pod\n")
    seen.add(release_digest(release, {}, tmp_path))
    values.write_text("a: 2\n")
    seen.add(release_digest(release, {}, tmp_path))
    seen.add(release_digest(ReleaseSpec(name="y", chart="chart", values=(values,)), {}, tmp_path))

    assert len(seen) == 5


@pytest.fixture
def linked(tmp_path):
    """The release of a chart whose parts are behind links."""
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
def test_digest_changes_with_files_behind_links(linked, tmp_path, name, change):
    before, file = release_digest(linked, {}, tmp_path), tmp_path / name
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
        # The link is broken now.
        assert release_digest(linked, {}, tmp_path) != before
        return

    beside = change == "add" and name == "shared/values.yaml"
    assert (release_digest(linked, {}, tmp_path) != before) is not beside, (
        "only the values file itself is part of the release"
    )


def test_digest_ignores_archives_of_local_dependencies(linked, tmp_path):
    before = release_digest(linked, {}, tmp_path)
    (tmp_path / "chart" / "charts" / "db-1.0.0.tgz").write_text("packed at another time")

    assert release_digest(linked, {}, tmp_path) == before


def test_digest_covers_broken_links_and_stops_at_loops(linked, tmp_path):
    chart = tmp_path / "chart"
    seen = {release_digest(linked, {}, tmp_path)}
    (chart / "files" / "nowhere").symlink_to("/nowhere/at/all")
    seen.add(release_digest(linked, {}, tmp_path))
    (chart / "files" / "nowhere").unlink()
    (chart / "files" / "nowhere").symlink_to("/nowhere/else")
    seen.add(release_digest(linked, {}, tmp_path))
    (chart / "files" / "back").symlink_to("..")
    (chart / "files" / "self").symlink_to("self")
    os.mkfifo(chart / "files" / "pipe")
    (chart / "files" / os.fsdecode(b"caf\xe9")).write_text("1")
    seen.add(release_digest(linked, {}, tmp_path))
    (chart / "files" / os.fsdecode(b"caf\xe9")).write_text("2")
    seen.add(release_digest(linked, {}, tmp_path))

    assert len(seen) == 5


def test_digest_of_a_chart_in_the_project_root_ignores_run_directories(tmp_path):
    (tmp_path / "Chart.yaml").write_text("name: x\n")
    release = ReleaseSpec(name="x", chart=".")
    before = release_digest(release, {}, tmp_path)
    (tmp_path / ".seatrial" / "runs").mkdir(parents=True)
    (tmp_path / ".seatrial" / "runs" / "events.jsonl").write_text("{}")

    assert release_digest(release, {}, tmp_path) == before


def test_digest_differs_between_types_of_a_value(tmp_path):
    digests = {
        release_digest(ReleaseSpec(name="x", chart="oci://c", set={"a": value}), {}, tmp_path)
        for value in (1, "1", True, "true", 1.5)
    }

    assert len(digests) == 5


def test_unreadable_chart_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "secret.yaml").write_text("a: 1\n")
    real = Path.read_bytes

    def denied(path):
        if path.name == "secret.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(UsageError, match=r"cannot read .*/chart/secret\.yaml"):
        release_digest(ReleaseSpec(name="x", chart="chart"), {}, tmp_path)


def test_digest_changes_with_archives_and_remote_versions(tmp_path):
    archive = tmp_path / "x.tgz"
    archive.write_bytes(b"1")
    local = ReleaseSpec(name="x", chart="x.tgz")
    before = release_digest(local, {}, tmp_path)
    archive.write_bytes(b"2")

    assert release_digest(local, {}, tmp_path) != before
    remote = [ReleaseSpec(name="x", chart="oci://r/x", version=version) for version in ("1", "2")]
    assert len({release_digest(each, {}, tmp_path) for each in remote}) == 2
