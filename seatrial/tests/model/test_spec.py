from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from seatrial.model.spec import Project, Reference, RunnerSpec

RUNNER = RunnerSpec(
    image="t",
    namespace="shop",
    env={"A": "1"},
    env_from={"P": "secret/db/pass/word", "N": "namespace"},
)


def test_variables_are_split_by_where_their_values_are() -> None:
    assert RUNNER.values == {"A": "1", "N": "shop"}
    assert RUNNER.references == {"P": Reference("secret", "db", "pass/word")}


@pytest.mark.parametrize(
    ("changes", "has_rights"),
    [
        ({}, False),
        ({"rules": ({"apiGroups": ("",)},)}, True),
        ({"service_account": "own"}, True),
        ({"isolated_namespaces": True}, True),
    ],
)
def test_runner_has_rights_only_if_the_configuration_gives_some(changes: dict[str, object], has_rights: bool) -> None:
    assert msgspec.structs.replace(RUNNER, **changes).has_rights is has_rights


def test_identity_is_the_configured_id_or_derived_from_the_path() -> None:
    configured = Project(root=Path("/a/shop"), runner=RUNNER, id="shop-3f2a9c1b")
    one, other = (Project(root=Path(root), runner=RUNNER) for root in ("/a/shop", "/b/shop"))

    assert configured.identity == "shop-3f2a9c1b"
    assert one.identity != other.identity
    assert one.identity.startswith("shop-")
