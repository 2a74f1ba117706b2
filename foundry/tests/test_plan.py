"""Test decisions about artifact statuses, build order and chart values."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundry import plan
from foundry.artifacts import Artifact, Catalog
from foundry.engine import KEY_LABEL, Image
from foundry.plan import Status
from foundry.state import PulledImage


def artifact(name: str, *inputs: str, **more: object) -> Artifact:
    return Artifact(**{"name": name, "kind": "image", "version": "1", "recipe": name, "inputs": inputs, **more})


def catalog(*artifacts: Artifact) -> Catalog:
    return Catalog(Path("artifacts.toml"), {a.name: a for a in artifacts})


def image(key: str = "", identity: str = "sha256:1") -> Image:
    return Image(identity, 10, "amd64", {KEY_LABEL: key} if key else {})


def test_image_status_built_for_key_is_ready():
    status = plan.image_status(artifact("a"), "k", image("k"), None, "")

    assert (status.ready, status.origin) == (True, "recipe")


def test_image_status_built_for_other_key_is_stale():
    status = plan.image_status(artifact("a"), "k", image("old"), None, "")

    assert (status.ready, status.origin) == (False, "stale")


def test_image_status_pulled_is_ready_if_list_is_unchanged():
    pulled = PulledImage("sha256:1", "up:1@", "docker.io/up@sha256:2")

    assert plan.image_status(artifact("a"), "k", image(), pulled, "up:1@").origin == "docker.io/up@sha256:2"
    assert not plan.image_status(artifact("a"), "k", image(), pulled, "up:2@").ready


def test_image_status_replaced_pull_is_not_ready():
    pulled = PulledImage("sha256:1", "up:1@", "docker.io/up@sha256:2")

    assert not plan.image_status(artifact("a"), "k", image(identity="sha256:9"), pulled, "up:1@").ready


def test_image_status_foreign_image_is_not_ready():
    assert not plan.image_status(artifact("a", recipe=""), "", image(), None, "up:1@").ready


def test_closure_orders_inputs_first_and_omits_ready():
    found = catalog(artifact("app", "lib", "base"), artifact("lib", "go"), artifact("base"), artifact("go"))

    assert plan.closure(found, ["app"], set()) == ["go", "lib", "base", "app"]
    assert plan.closure(found, ["app"], {"lib"}) == ["base", "app"]


def test_next_steps_starts_longest_chain_first():
    found = catalog(artifact("short", seconds=5), artifact("long", seconds=1), artifact("after", "long", seconds=100))
    order = ["short", "long", "after"]

    assert plan.next_steps(found, order, set(), set()) == ["long", "short"]
    assert plan.next_steps(found, order, {"long"}, {"short"}) == ["after"]


def test_blocked_returns_dependents_of_failed_steps():
    found = catalog(artifact("a"), artifact("b", "a"), artifact("c", "b"), artifact("d"))

    assert plan.blocked(found, ["a", "b", "c", "d"], {"a"}) == {"b", "c"}


REAL = artifact(
    "real",
    recipe="",
    upstream="real:1",
    stand_in="double",
    setup=True,
    values=("catalog.image",),
    variables={"CATALOG": "{ref}", "REAL": "yes"},
)
TOOL = artifact("real-tool", recipe="", upstream="tool:1", stand_in="double", setup=True, values=("catalog.tool",))
DOUBLE = artifact(
    "double", values=("catalog.image",), flags={"catalog.standIn": True}, variables={"CATALOG": "{ref}", "REAL": ""}
)


def statuses(*ready: str) -> dict[str, Status]:
    return {a.name: Status(a, ready=a.name in ready, origin="recipe") for a in (REAL, TOOL, DOUBLE)}


def test_with_stand_ins_missing_artifact_is_ready():
    found = plan.with_stand_ins(statuses("double"))

    assert {name: s.stood_in_by for name, s in found.items()} == {"real": "double", "real-tool": "double", "double": ""}


def test_with_stand_ins_partial_group_is_replaced_as_a_whole():
    found = plan.with_stand_ins(statuses("real", "double"))

    assert found["real"].stood_in_by == "double"


def test_with_stand_ins_complete_group_is_kept():
    found = plan.with_stand_ins(statuses("real", "real-tool", "double"))

    assert not any(status.stood_in_by for status in found.values())


def test_values_with_stand_in_set_its_image_and_flag():
    found = catalog(REAL, TOOL, DOUBLE)

    assert plan.values(found, plan.with_stand_ins(statuses("double"))) == {
        "catalog": {"image": {"repository": "foundry.invalid/double", "tag": "1"}, "standIn": True}
    }


def test_values_without_stand_in_set_real_image():
    found = catalog(REAL, TOOL, DOUBLE)

    assert plan.values(found, plan.with_stand_ins(statuses("real", "real-tool"))) == {
        "catalog": {
            "image": {"repository": "foundry.invalid/real", "tag": "1"},
            "tool": {"repository": "foundry.invalid/real-tool", "tag": "1"},
        }
    }


@pytest.mark.parametrize(
    ("ready", "wanted"),
    [
        (["double"], {"CATALOG": "foundry.invalid/double:1", "REAL": ""}),
        (["real", "real-tool"], {"CATALOG": "foundry.invalid/real:1", "REAL": "yes"}),
        ([], {}),
    ],
)
def test_variables_name_the_images_in_use(ready, wanted):
    found = catalog(REAL, TOOL, DOUBLE)

    assert plan.variables(found, plan.with_stand_ins(statuses(*ready))) == wanted
