from __future__ import annotations

from typing import Any

import msgspec
import pytest
from seatrial.image_inputs.image_manifest import Cause, ImageManifest, changes, differences
from seatrial.image_inputs.working_tree import Entry

FILE = Entry("f", 0o644, 1, "1")
MANIFEST = ImageManifest(
    dockerfile="d",
    target="t",
    args={"A": "1"},
    secrets={"id=s,src=/x": "1"},
    bases={"python:3": "1"},
    files={"a": FILE},
)


@pytest.mark.parametrize(
    "changed",
    [
        {"dockerfile": "other"},
        {"target": ""},
        {"args": {"A": "2"}},
        {"secrets": {}},
        {"bases": {"python:3": "2"}},
        {"files": {"a": Entry("f", 0o755, 1, "1")}},
        {"files": {"a": FILE, "b": Entry("d", 0o755, 0, "")}},
    ],
)
def test_digest_changes_with_every_input(changed: dict[str, Any]) -> None:
    assert msgspec.structs.replace(MANIFEST, **changed).digest != MANIFEST.digest


def test_digest_does_not_depend_on_order() -> None:
    one = ImageManifest(dockerfile="d", args={"A": "1", "B": "2"}, files={"a": FILE, "b": FILE})
    other = ImageManifest(dockerfile="d", args={"B": "2", "A": "1"}, files={"b": FILE, "a": FILE})

    assert one.digest == other.digest


def test_differences_name_changed_new_and_deleted_inputs() -> None:
    now = msgspec.structs.replace(MANIFEST, dockerfile="other", args={"A": "2", "B": "1"}, secrets={})

    assert [str(cause) for cause in differences(MANIFEST, now)] == [
        "Dockerfile: changed, which rebuilds the image",
        "build argument A: changed, which rebuilds the image",
        "build argument B: new, which rebuilds the image",
        "build secret id=s: deleted, which rebuilds the image",
    ]
    assert differences(MANIFEST, MANIFEST) == []


def test_changes_are_sorted_by_path() -> None:
    before = {"c": FILE, "b": FILE, "same": FILE}
    after = {"b": Entry("f", 0o644, 1, "2"), "a": FILE, "same": FILE}

    assert changes(before, after) == [("a", "new"), ("b", "changed"), ("c", "deleted")]


def test_cause_escapes_the_path() -> None:
    assert str(Cause("a\udcff", "new", "sent")) == "a\\xff: new, sent"
