"""Test that foundry leaves the user's image names and folders untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundry import marker
from foundry.artifacts import Artifact
from foundry.engine import Engine
from foundry.errors import CommandFailedError, UsageError
from foundry.registries import Registries

DIGEST = f"sha256:{'a' * 64}"
OLD, NEW = "sha256:old", "sha256:new"


class FakeDocker(Engine):
    """An engine that removes names as the real one does: the last digest of a repository also removes its tags."""

    def __init__(self, names: dict[str, str]) -> None:
        super().__init__("")
        object.__setattr__(self, "names", dict(names))

    def run(self, *words, **more):
        del more
        if words[:2] == ("image", "inspect"):
            identifier = self.names.get(words[2], words[2] if words[2] in self.names.values() else "")
            if not identifier:
                raise CommandFailedError(words, 1, "No such image")
            its = [name for name, image in self.names.items() if image == identifier]
            tags, digests = [n for n in its if "@" not in n], [n for n in its if "@" in n]
            entry = {"Id": identifier, "Architecture": "amd64", "RepoTags": tags, "RepoDigests": digests}
            return json.dumps([entry])
        if words[0] == "tag":
            self.names[words[2]] = self.names.get(words[1], words[1])
        elif words[:2] == ("image", "rm"):
            identifier, repository = self.names.pop(words[2]), words[2].partition("@")[0]
            if "@" in words[2]:
                for name in [n for n, image in self.names.items() if image == identifier]:
                    if name.rpartition(":")[0] == repository:
                        del self.names[name]
        return ""

    def pull(self, ref, **more):
        del more
        self.names[ref] = NEW


def pulled(engine: FakeDocker, **more: object) -> dict[str, str]:
    """Pull PostgreSQL for foundry and return all names afterwards."""
    wanted = Artifact(**{"name": "postgresql", "kind": "image", "version": "17", "upstream": "postgres:17", **more})
    found = Registries(engine, "amd64", print, private="").pull(wanted, "", print)
    assert found is not None
    return {name: image for name, image in engine.names.items() if name != wanted.ref}


BY_DIGEST = {"digests": {"amd64": DIGEST}}


@pytest.mark.parametrize("more", [{}, BY_DIGEST])
def test_pull_leaves_only_foundry_name(more):
    assert pulled(FakeDocker({}), **more) == {}


@pytest.mark.parametrize("name", ["postgres:17", "postgres:mine"])
def test_pull_by_digest_keeps_user_tags_in_repository(name):
    assert pulled(FakeDocker({name: NEW}), **BY_DIGEST)[name] == NEW


def test_pull_by_digest_keeps_user_digest():
    name = f"postgres@{DIGEST}"

    assert pulled(FakeDocker({name: NEW}), **BY_DIGEST) == {name: NEW}


@pytest.mark.parametrize("image", [OLD, NEW])
def test_pull_by_tag_restores_user_tag(image):
    assert pulled(FakeDocker({"postgres:17": image})) == {"postgres:17": image}


def test_remove_images_digest_without_user_tag_is_removed():
    engine = FakeDocker({f"a/b@{DIGEST}": NEW, "other:1": NEW})
    engine.remove_images([f"a/b@{DIGEST}"])
    assert engine.names == {"other:1": NEW}

    theirs = FakeDocker({f"docker.io/library/postgres@{DIGEST}": NEW, "postgres:17": NEW})
    theirs.remove_images([f"docker.io/library/postgres@{DIGEST}"])
    assert "postgres:17" in theirs.names


FILES = """
[artifact.base]
kind = "files"
version = "1"
setup = true
"""
BASE = '(b.out / "a").write_text("a")'


@pytest.mark.parametrize("words", [["up"], ["clean"], ["build", "base"], ["clean", "base"]])
@pytest.mark.parametrize("names", [["thesis.tex"], ["bin", "notes"], ["store"], [".bashrc"]])
def test_cache_folder_with_other_files_is_refused(project, words, names):
    project.write(FILES, base=BASE)
    project.cache.mkdir(parents=True)
    for name in names:
        (project.cache / name).write_text("precious")
    told = project.run(*words, status=4).stderr

    assert "is not a foundry cache" in told
    assert "set FOUNDRY_CACHE to a new or empty folder" in told
    assert sorted(path.name for path in project.cache.iterdir()) == sorted(names)
    assert {path.read_text() for path in project.cache.iterdir()} == {"precious"}


def test_clean_removes_only_foundry_files(project):
    project.write(FILES, base=BASE).run("up")
    (project.cache / "notes").write_text("precious")
    project.run("clean")

    assert sorted(path.name for path in project.cache.iterdir()) == [marker.MARKER, "lock", "notes"]


@pytest.mark.parametrize("names", [["lock", "store", "state.json"], ["lock"], ["engine"], []])
def test_claim_cache_of_earlier_version_is_marked(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    marker.claim(tmp_path)
    marker.claim(tmp_path)

    assert (tmp_path / marker.MARKER).is_file()


def test_claim_folder_without_lock_is_refused(tmp_path):
    (tmp_path / "bin").mkdir()
    with pytest.raises(UsageError):
        marker.claim(tmp_path)
    assert [path.name for path in Path(tmp_path).iterdir()] == ["bin"]
