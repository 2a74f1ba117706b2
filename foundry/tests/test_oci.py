"""Test that OCI archives have a valid layout."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from foundry import oci


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "hello").write_text("hello\n")
    return folder


def blobs(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]


@pytest.mark.parametrize("level", [0, 1])
def test_archive_blobs_and_layers_have_correct_digests(tmp_path, root, level):
    archive = oci.Archive(tmp_path / "work", "arm64")
    layer = archive.layer(root, level=level)
    archive.image(["registry.example/hello:1"], [layer], {"Entrypoint": ["/hello"]})
    found = blobs(archive.write(tmp_path / "images.tar"))

    for name, data in found.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]
    index = json.loads(found["index.json"])
    manifest = json.loads(found[f"blobs/sha256/{index['manifests'][0]['digest'][7:]}"])
    config = json.loads(found[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    packed = found[f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"]
    raw = gzip.decompress(packed) if level else packed

    assert config["architecture"] == "arm64"
    assert config["config"] == {"Entrypoint": ["/hello"]}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(raw).hexdigest()}"]
    assert manifest["layers"][0]["mediaType"].endswith("+gzip" if level else ".tar")


def test_archive_image_with_two_names_is_stored_once(tmp_path, root):
    archive = oci.Archive(tmp_path / "work", "amd64")
    archive.image(["r.example/a:1", "r.example/a:2"], [archive.layer(root)], {})
    index = json.loads(blobs(archive.write(tmp_path / "images.tar"))["index.json"])

    assert [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]] == [
        "r.example/a:1",
        "r.example/a:2",
    ]
    assert len({m["digest"] for m in index["manifests"]}) == 1


def test_archive_same_folder_gives_same_layer(tmp_path, root):
    first = oci.Archive(tmp_path / "one", "amd64").layer(root)
    (root / "hello").touch()
    second = oci.Archive(tmp_path / "two", "amd64").layer(root)

    assert first.digest == second.digest
