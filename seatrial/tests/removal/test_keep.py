"""An environment is kept, removed or left by one rule."""

from __future__ import annotations

import pytest
from fakes import World
from seatrial.removal.keep import Fate, fate_of


def record(tmp_path, **more):
    return World(tmp_path, **more).record


@pytest.mark.parametrize(
    ("keep", "failed", "fate"),
    [
        ("never", False, Fate.REMOVED),
        ("never", True, Fate.REMOVED),
        ("on-failure", False, Fate.REMOVED),
        ("on-failure", True, Fate.KEPT),
        ("always", False, Fate.KEPT),
        ("always", True, Fate.KEPT),
    ],
)
@pytest.mark.parametrize("provider", ["kind", "existing"])
def test_new_environment_is_kept_as_the_user_asked(tmp_path, provider, keep, failed, fate):
    given = keep.encode().decode()  # as from a variable: equal to a constant of the module, and not the same object
    assert fate_of(record(tmp_path, provider=provider), keep=given, usable=True, failed=failed) is fate


@pytest.mark.parametrize("keep", ["never", "on-failure", "always"])
def test_new_cluster_that_did_not_become_ready_is_removed(tmp_path, keep):
    assert fate_of(record(tmp_path), keep=keep, usable=False, failed=True) is Fate.REMOVED


@pytest.mark.parametrize("keep", ["on-failure", "always"])
def test_environment_in_a_shared_cluster_that_did_not_become_usable_is_left(tmp_path, keep):
    assert fate_of(record(tmp_path, provider="existing"), keep=keep, usable=False, failed=True) is Fate.LEFT


@pytest.mark.parametrize("keep", ["never", "on-failure", "always"])
@pytest.mark.parametrize("failed", [True, False])
@pytest.mark.parametrize(("usable", "fate"), [(True, Fate.KEPT), (False, Fate.LEFT)])
def test_environment_that_an_earlier_command_kept_is_never_removed(tmp_path, keep, failed, usable, fate):
    assert fate_of(record(tmp_path, kept=True), keep=keep, usable=usable, failed=failed) is fate
