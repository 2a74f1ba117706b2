"""The artefact list: what is read, what is refused and how it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundry import artefacts
from foundry.errors import UsageError

REAL = Path(__file__).parents[1] / "artefacts.toml"


def load(folder: Path, text: str) -> artefacts.Catalogue:
    file = folder / "artefacts.toml"
    file.write_text(text)
    return artefacts.load(file)


def table(**facts: str) -> str:
    lines = "\n".join(f"{name} = {value}" for name, value in {"kind": '"files"', "version": '"1"', **facts}.items())
    return f"schema = 1\n[artefact.thing]\n{lines}\n"


def test_an_image_is_named_after_its_artefact(tmp_path):
    catalogue = load(tmp_path, table(kind='"image"', version='"17"'))

    assert catalogue["thing"].ref == "foundry.invalid/thing:17"


def test_a_recipe_has_the_artefacts_name_with_underscores(tmp_path):
    catalogue = load(tmp_path, 'schema = 1\n[artefact.local-path]\nkind = "files"\nversion = "1"\n')

    assert catalogue["local-path"].recipe == "local_path"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2\n", "schema 2"),
        ("schema = ", "no valid TOML"),
        (table(kind='"wheel"'), "kind is 'wheel'"),
        (table(colour='"red"'), "unknown key 'colour'"),
        (table(inputs='"a"'), "inputs has the wrong type"),
        (table(inputs='["other"]'), "names 'other'"),
        (table(inputs='["thing"]'), "in a circle"),
        (table(recipe="false"), "neither a recipe nor an upstream"),
        (table(digests='{ amd64 = "latest" }'), "no sha256 digest"),
        (table(release='{ link = "x" }'), "release is wrong"),
        ('schema = 1\n[artefact.Thing]\nkind = "files"\nversion = "1"\n', "lower case"),
        ('schema = 1\n[artefact.thing]\nkind = "files"\n', "lacks a version"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)

    assert said in refused.value.what
    assert "artefacts.toml" in refused.value.what


def test_one_digest_is_that_of_an_index_for_all_processors(tmp_path):
    digest = f"sha256:{'a' * 64}"
    found = load(tmp_path, table(kind='"image"', upstream='"up:1"', digest=f'"{digest}"'))["thing"]

    assert found.digests == {"amd64": digest, "arm64": digest}


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    catalogue = load(tmp_path, table())

    with pytest.raises(UsageError) as refused:
        catalogue["thign"]

    assert "thing" in refused.value.why


def test_the_list_is_found_from_below(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "foundry").mkdir()
    (tmp_path / "foundry" / "artefacts.toml").touch()

    assert artefacts.find(below) == tmp_path / "foundry" / "artefacts.toml"


def test_the_projects_own_list_is_right_and_every_recipe_is_there():
    catalogue = artefacts.load(REAL)

    assert [a.name for a in catalogue.artefacts.values() if a.recipe and not catalogue.recipe(a.recipe).is_file()] == []
    assert all(a.seconds for a in catalogue.artefacts.values() if a.recipe)
