"""What belongs to the user: image names on the engine, and folders that foundry did not make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundry import marker
from foundry.artefacts import Artefact
from foundry.engine import Engine
from foundry.errors import CommandFailedError, UsageError
from foundry.registries import Registries

DIGEST = f"sha256:{'a' * 64}"
OLD, NEW = "sha256:old", "sha256:new"


class FakeDocker(Engine):
    """An engine with names of images, which removes as the real one does: a repository's tags with its last digest."""

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
    """Pull PostgreSQL for foundry and return the names that are there then."""
    wanted = Artefact(**{"name": "postgresql", "kind": "image", "version": "17", "upstream": "postgres:17", **more})
    found = Registries(engine, "amd64", print, private="").pull(wanted, "", print)
    assert found is not None
    return {name: image for name, image in engine.names.items() if name != wanted.ref}


BY_DIGEST = {"digests": {"amd64": DIGEST}}


@pytest.mark.parametrize("more", [{}, BY_DIGEST])
def test_a_pull_leaves_no_name_but_foundrys_own(more):
    assert pulled(FakeDocker({}), **more) == {}


@pytest.mark.parametrize("name", ["postgres:17", "postgres:mine"])
def test_a_pull_by_digest_leaves_tags_of_the_user_in_the_same_repository(name):
    assert pulled(FakeDocker({name: NEW}), **BY_DIGEST)[name] == NEW


def test_a_pull_by_digest_leaves_a_digest_that_the_user_had():
    name = f"postgres@{DIGEST}"

    assert pulled(FakeDocker({name: NEW}), **BY_DIGEST) == {name: NEW}


@pytest.mark.parametrize("image", [OLD, NEW])
def test_a_pull_by_tag_gives_the_users_tag_back(image):
    assert pulled(FakeDocker({"postgres:17": image})) == {"postgres:17": image}


def test_digests_are_removed_where_no_tag_of_the_user_goes_with_them():
    engine = FakeDocker({f"a/b@{DIGEST}": NEW, "other:1": NEW})
    engine.remove_images([f"a/b@{DIGEST}"])
    assert engine.names == {"other:1": NEW}

    theirs = FakeDocker({f"docker.io/library/postgres@{DIGEST}": NEW, "postgres:17": NEW})
    theirs.remove_images([f"docker.io/library/postgres@{DIGEST}"])
    assert "postgres:17" in theirs.names


FILES = """
[artefact.base]
kind = "files"
version = "1"
setup = true
"""
BASE = '(b.out / "a").write_text("a")'


@pytest.mark.parametrize("words", [["up"], ["clean"], ["build", "base"], ["clean", "base"]])
@pytest.mark.parametrize("names", [["thesis.tex"], ["bin", "notes"], ["store"], [".bashrc"]])
def test_a_folder_with_something_else_in_it_is_neither_used_nor_emptied(project, words, names):
    project.write(FILES, base=BASE)
    project.cache.mkdir(parents=True)
    for name in names:
        (project.cache / name).write_text("precious")
    told = project.run(*words, status=4).stderr

    assert "is no cache of foundry's" in told
    assert "set FOUNDRY_CACHE to a new or empty folder" in told
    assert sorted(path.name for path in project.cache.iterdir()) == sorted(names)
    assert {path.read_text() for path in project.cache.iterdir()} == {"precious"}


def test_clean_removes_what_foundry_wrote_and_leaves_the_rest(project):
    project.write(FILES, base=BASE).run("up")
    (project.cache / "notes").write_text("precious")
    project.run("clean")

    assert sorted(path.name for path in project.cache.iterdir()) == [marker.MARKER, "lock", "notes"]


@pytest.mark.parametrize("names", [["lock", "store", "state.json"], ["lock"], ["engine"], []])
def test_a_cache_from_before_there_was_a_mark_is_taken_over(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    marker.claim(tmp_path)
    marker.claim(tmp_path)

    assert (tmp_path / marker.MARKER).is_file()


def test_a_folder_without_a_lock_is_nobodys_cache(tmp_path):
    (tmp_path / "bin").mkdir()
    with pytest.raises(UsageError):
        marker.claim(tmp_path)
    assert [path.name for path in Path(tmp_path).iterdir()] == ["bin"]
