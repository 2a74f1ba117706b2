"""Write container images without a container engine, as one OCI archive for containerd to import.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Blob:
    """A file in the archive, with its digest and media type."""

    path: Path
    digest: str
    size: int
    media_type: str
    diff_id: str = ""  # of a layer: the digest of its uncompressed bytes

    @property
    def descriptor(self) -> dict[str, Any]:
        """The blob's descriptor in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class Archive:
    """An archive of one or more images. Images share a layer by using the same `Blob`."""

    def __init__(self, folder: Path, arch: str) -> None:
        self._folder = folder
        self._arch = arch
        self._blobs: dict[str, Blob] = {}
        self._manifests: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def layer(self, root: Path, *, level: int = 0) -> Blob:
        """Create a layer from a folder, owned by root; gzip `level` 0 means uncompressed."""
        raw = self._folder / "layer"
        subprocess.run(
            [
                "tar",
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--mtime=@0",
                "-C",
                root,
                "-cf",
                raw,
                ".",
            ],
            check=True,
        )
        diff_id = _digest(raw)
        media_type = _LAYER
        if level:
            packed = self._folder / "layer.gz"
            with raw.open("rb") as source, packed.open("wb") as sink, gzip.GzipFile("", "wb", level, sink, 0) as pack:
                while chunk := source.read(1 << 20):
                    pack.write(chunk)
            packed.replace(raw)
            media_type += "+gzip"
        digest = _digest(raw)
        blob = Blob(self._folder / digest.removeprefix("sha256:"), digest, raw.stat().st_size, media_type, diff_id)
        raw.replace(blob.path)
        self._blobs[digest] = blob
        return blob

    def image(self, names: Sequence[str], layers: Sequence[Blob], config: Mapping[str, Any]) -> None:
        """Add an image under one or more full names (registry, repository, tag)."""
        document = {
            "architecture": self._arch,
            "os": "linux",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created_by": "foundry"} for _ in layers],
        }
        blob = self._document(document, _CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": blob.descriptor,
            "layers": [layer.descriptor for layer in layers],
        }
        described = self._document(manifest, _MANIFEST).descriptor
        for name in names:
            note = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
            self._manifests.append({**described, "annotations": note})

    def write(self, target: Path) -> Path:
        """Write the archive to `target`."""
        with tarfile.open(target, "w") as tar:
            _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": self._manifests}).encode())
            for blob in self._blobs.values():
                tar.add(blob.path, f"blobs/sha256/{blob.path.name}")
        return target

    def _document(self, content: Mapping[str, Any], media_type: str) -> Blob:
        data = json.dumps(content, sort_keys=True).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        path = self._folder / digest.removeprefix("sha256:")
        path.write_bytes(data)
        self._blobs[digest] = Blob(path, digest, len(data), media_type)
        return self._blobs[digest]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
