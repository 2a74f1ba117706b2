"""What is decided from what is there."""

from __future__ import annotations

from pathlib import Path

from foundry import plan
from foundry.artefacts import Artefact, Catalogue
from foundry.engine import KEY_LABEL, Image
from foundry.plan import Status
from foundry.state import PulledImage


def artefact(name: str, *inputs: str, **more: object) -> Artefact:
    return Artefact(**{"name": name, "kind": "image", "version": "1", "recipe": name, "inputs": inputs, **more})


def catalogue(*artefacts: Artefact) -> Catalogue:
    return Catalogue(Path("artefacts.toml"), {a.name: a for a in artefacts})


def image(key: str = "", identity: str = "sha256:1") -> Image:
    return Image(identity, 10, "amd64", {KEY_LABEL: key} if key else {})


def test_an_image_built_for_the_key_is_ready():
    status = plan.image_status(artefact("a"), "k", image("k"), None, "")

    assert (status.ready, status.origin) == (True, "recipe")


def test_an_image_built_for_another_key_is_stale():
    status = plan.image_status(artefact("a"), "k", image("old"), None, "")

    assert (status.ready, status.origin) == (False, "stale")


def test_a_pulled_image_is_ready_while_the_list_asks_for_the_same():
    pulled = PulledImage("sha256:1", "up:1@", "docker.io/up@sha256:2")

    assert plan.image_status(artefact("a"), "k", image(), pulled, "up:1@").origin == "docker.io/up@sha256:2"
    assert not plan.image_status(artefact("a"), "k", image(), pulled, "up:2@").ready


def test_a_pulled_image_that_somebody_replaced_is_not_ready():
    pulled = PulledImage("sha256:1", "up:1@", "docker.io/up@sha256:2")

    assert not plan.image_status(artefact("a"), "k", image(identity="sha256:9"), pulled, "up:1@").ready


def test_an_unknown_image_of_the_same_name_is_not_ready():
    assert not plan.image_status(artefact("a", recipe=""), "", image(), None, "up:1@").ready


def test_inputs_come_first_and_ready_ones_are_left_out():
    found = catalogue(artefact("app", "lib", "base"), artefact("lib", "go"), artefact("base"), artefact("go"))

    assert plan.closure(found, ["app"], set()) == ["go", "lib", "base", "app"]
    assert plan.closure(found, ["app"], {"lib"}) == ["base", "app"]


def test_steps_start_when_their_inputs_are_done_longest_chain_first():
    found = catalogue(artefact("short", seconds=5), artefact("long", seconds=1), artefact("after", "long", seconds=100))
    order = ["short", "long", "after"]

    assert plan.next_steps(found, order, set(), set()) == ["long", "short"]
    assert plan.next_steps(found, order, {"long"}, {"short"}) == ["after"]


def test_what_needs_a_failed_step_is_doomed_and_the_rest_is_not():
    found = catalogue(artefact("a"), artefact("b", "a"), artefact("c", "b"), artefact("d"))

    assert plan.doomed(found, ["a", "b", "c", "d"], {"a"}) == {"b", "c"}


REAL = artefact("real", recipe="", upstream="real:1", stand_in="double", setup=True, values=("catalog.image",))
TOOL = artefact("real-tool", recipe="", upstream="tool:1", stand_in="double", setup=True, values=("catalog.tool",))
DOUBLE = artefact("double", values=("catalog.image",), flags={"catalog.standIn": True})


def statuses(*ready: str) -> dict[str, Status]:
    return {a.name: Status(a, ready=a.name in ready, origin="recipe") for a in (REAL, TOOL, DOUBLE)}


def test_a_stand_in_that_is_there_makes_what_it_stands_for_ready():
    found = plan.with_stand_ins(statuses("double"))

    assert {name: s.stood_in_by for name, s in found.items()} == {"real": "double", "real-tool": "double", "double": ""}


def test_half_of_the_real_thing_is_replaced_as_a_whole():
    found = plan.with_stand_ins(statuses("real", "double"))

    assert found["real"].stood_in_by == "double"


def test_the_real_thing_is_preferred_when_all_of_it_is_there():
    found = plan.with_stand_ins(statuses("real", "real-tool", "double"))

    assert not any(status.stood_in_by for status in found.values())


def test_chart_values_name_the_stand_in_and_say_so():
    found = catalogue(REAL, TOOL, DOUBLE)

    assert plan.values(found, plan.with_stand_ins(statuses("double"))) == {
        "catalog": {"image": {"repository": "foundry.invalid/double", "tag": "1"}, "standIn": True}
    }


def test_chart_values_name_the_real_thing_where_it_is():
    found = catalogue(REAL, TOOL, DOUBLE)

    assert plan.values(found, plan.with_stand_ins(statuses("real", "real-tool"))) == {
        "catalog": {
            "image": {"repository": "foundry.invalid/real", "tag": "1"},
            "tool": {"repository": "foundry.invalid/real-tool", "tag": "1"},
        }
    }
