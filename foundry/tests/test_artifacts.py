"""Test loading and validation of the artifact list."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundry import artifacts
from foundry.errors import UsageError

REAL = Path(__file__).parents[1] / "artifacts.toml"


def load(folder: Path, text: str) -> artifacts.Catalog:
    file = folder / "artifacts.toml"
    file.write_text(text)
    return artifacts.load(file)


def table(**facts: str) -> str:
    lines = "\n".join(f"{name} = {value}" for name, value in {"kind": '"files"', "version": '"1"', **facts}.items())
    return f"schema = 1\n[artifact.thing]\n{lines}\n"


def test_image_ref_contains_artifact_name_and_version(tmp_path):
    catalog = load(tmp_path, table(kind='"image"', version='"17"'))

    assert catalog["thing"].ref == "foundry.invalid/thing:17"


def test_recipe_name_replaces_dashes_with_underscores(tmp_path):
    catalog = load(tmp_path, 'schema = 1\n[artifact.local-path]\nkind = "files"\nversion = "1"\n')

    assert catalog["local-path"].recipe == "local_path"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2\n", "schema 2"),
        ("schema = ", "is not valid TOML"),
        (table(kind='"wheel"'), "kind is 'wheel'"),
        (table(color='"red"'), "unknown key 'color'"),
        (table(inputs='"a"'), "inputs has the wrong type"),
        (table(inputs='["other"]'), "refers to 'other'"),
        (table(inputs='["thing"]'), "form a cycle"),
        (table(recipe="false"), "needs a recipe or an upstream image"),
        (table(digests='{ amd64 = "latest" }'), "is not a sha256 digest"),
        (table(release='{ link = "x" }'), "release is invalid"),
        ('schema = 1\n[artifact.Thing]\nkind = "files"\nversion = "1"\n', "lower case"),
        ('schema = 1\n[artifact.thing]\nkind = "files"\n', "lacks a version"),
    ],
)
def test_load_invalid_list_names_the_table(tmp_path, text, said):
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)

    assert said in refused.value.message
    assert "artifacts.toml" in refused.value.message


def test_digest_applies_to_all_architectures(tmp_path):
    digest = f"sha256:{'a' * 64}"
    found = load(tmp_path, table(kind='"image"', upstream='"up:1"', digest=f'"{digest}"'))["thing"]

    assert found.digests == {"amd64": digest, "arm64": digest}


def test_catalog_unknown_name_lists_known_ones(tmp_path):
    catalog = load(tmp_path, table())

    with pytest.raises(UsageError) as refused:
        catalog["thign"]

    assert "thing" in refused.value.reason


def test_find_searches_parent_folders(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "foundry").mkdir()
    (tmp_path / "foundry" / "artifacts.toml").touch()

    assert artifacts.find(below) == tmp_path / "foundry" / "artifacts.toml"


def test_project_list_is_valid_and_every_recipe_exists():
    catalog = artifacts.load(REAL)

    assert [a.name for a in catalog.artifacts.values() if a.recipe and not catalog.recipe(a.recipe).is_file()] == []
    assert all(a.seconds for a in catalog.artifacts.values() if a.recipe)
