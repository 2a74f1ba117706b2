"""Everything that decides what an image is, as values that can be compared and kept. Pure."""

from __future__ import annotations

import hashlib

import msgspec

from seatrial.image_inputs.working_tree import Entry, Files, digest, shown

__all__ = ["Cause", "Manifest", "changes", "differences"]


class Cause(msgspec.Struct, frozen=True):
    """One input and what its change means, for `--explain`."""

    path: str
    what: str
    reason: str

    def __str__(self) -> str:
        """As a line for people."""
        return f"{shown(self.path)}: {self.what}, {self.reason}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of an image.

    Attributes:
        dockerfile: SHA-256 of its text.
        target: the stage that is built; empty: the last one.
        args: build argument to SHA-256 of its value: a value may be a secret.
        secrets: build secret, as configured, to SHA-256 of its content.
        bases: reference to image id of what it starts from or copies out of; empty for what is not on the engine.
        files: of its context, those that the Dockerfile can copy.
    """

    dockerfile: str
    target: str = ""
    args: dict[str, str] = {}
    secrets: dict[str, str] = {}
    bases: dict[str, str] = {}
    files: dict[str, Entry] = {}

    @property
    def digest(self) -> str:
        """The SHA-256 over all of it."""
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


def differences(before: Manifest, now: Manifest) -> list[Cause]:
    """Return what changed but files: each of it needs a build."""
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
                state = "new" if name not in old else "no longer there" if name not in new else "changed"
                causes.append(Cause(f"{what} {name.partition(',')[0]}", state, "which rebuilds the image"))
    return causes


def changes(before: Files, after: Files) -> list[tuple[str, str]]:
    """Return (path, new | changed | deleted) of what differs, sorted."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            found.append((path, "deleted"))
        elif path not in before:
            found.append((path, "new"))
        elif before[path] != after[path]:
            found.append((path, "changed"))
    return found
