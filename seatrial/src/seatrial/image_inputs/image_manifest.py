"""The inputs of an image as values that can be compared and saved. Pure."""

from __future__ import annotations

import hashlib

import msgspec

from seatrial.image_inputs.working_tree import Entry, Files, digest, shown

__all__ = ["Cause", "ImageManifest", "changes", "differences"]


class Cause(msgspec.Struct, frozen=True):
    """A changed input and its consequence, for `--explain`.

    Attributes:
        path: path of the file, or a name such as `build argument A`.
        what: new, changed or deleted.
        reason: the consequence.
    """

    path: str
    what: str
    reason: str

    def __str__(self) -> str:
        """Return one line for `--explain`."""
        return f"{shown(self.path)}: {self.what}, {self.reason}"


class ImageManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of an image.

    Attributes:
        dockerfile: SHA-256 of its text.
        target: the stage to build; empty: the last one.
        args: build argument -> SHA-256 of its value, which may be a secret.
        secrets: build secret, as configured -> SHA-256 of its content.
        bases: reference of an image that it starts or copies from -> image id; empty if it is not on the engine.
        files: the files of the context that the Dockerfile can copy.
    """

    dockerfile: str
    target: str = ""
    args: dict[str, str] = {}
    secrets: dict[str, str] = {}
    bases: dict[str, str] = {}
    files: dict[str, Entry] = {}

    @property
    def digest(self) -> str:
        """The SHA-256 of all inputs."""
        folders = sorted((path, entry.mode) for path, entry in self.files.items() if entry.kind == "d")
        parts = (
            self.dockerfile,
            repr(self.target),
            repr(sorted(self.args.items())),
            repr(sorted(self.secrets.items())),
            repr(sorted(self.bases.items())),
            digest(self.files),
            repr(folders),
        )
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def differences(before: ImageManifest, now: ImageManifest) -> list[Cause]:
    """Return the changed inputs other than files. Each of them rebuilds the image."""
    causes = []
    if before.dockerfile != now.dockerfile:
        causes.append(Cause("Dockerfile", "changed", "which rebuilds the image"))
    if before.target != now.target:
        causes.append(Cause("target", "changed", "which rebuilds the image"))
    for what, old, new in (
        ("build argument", before.args, now.args),
        ("build secret", before.secrets, now.secrets),
        ("base image", before.bases, now.bases),
    ):
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                state = "new" if name not in old else "deleted" if name not in new else "changed"
                causes.append(Cause(f"{what} {name.partition(',')[0]}", state, "which rebuilds the image"))
    return causes


def changes(before: Files, after: Files) -> list[tuple[str, str]]:
    """Return (path, new | changed | deleted) of the files that differ, sorted."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            found.append((path, "deleted"))
        elif path not in before:
            found.append((path, "new"))
        elif before[path] != after[path]:
            found.append((path, "changed"))
    return found
