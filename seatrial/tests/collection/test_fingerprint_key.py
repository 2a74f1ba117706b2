"""The key of the fingerprints is secret, lasting and shared on request only."""

from __future__ import annotations

import pytest
from seatrial.collection.fingerprint_key import KEY_VARIABLE, fingerprint_key, key_id
from seatrial.model.errors import UsageError


def test_key_is_created_once_and_only_its_user_can_read_it(tmp_path):
    directory = tmp_path / "shared"
    key = fingerprint_key(directory, {})

    assert len(key) == 32
    assert fingerprint_key(directory, {}) == key
    assert [(each.name, each.stat().st_mode & 0o777) for each in directory.iterdir()] == [("facts.key", 0o600)]


def test_other_directory_has_another_key(tmp_path):
    assert fingerprint_key(tmp_path / "a", {}) != fingerprint_key(tmp_path / "b", {})


def test_key_of_the_variable_is_the_same_on_all_machines(tmp_path):
    environ = {KEY_VARIABLE: "0123456789abcdef0123456789abcdef"}

    assert fingerprint_key(tmp_path / "a", environ) == fingerprint_key(tmp_path / "b", environ)
    assert not (tmp_path / "a").exists()


def test_key_that_could_be_guessed_is_refused(tmp_path):
    with pytest.raises(UsageError) as raised:
        fingerprint_key(tmp_path, {KEY_VARIABLE: "short"})

    assert raised.value.message == "SEATRIAL_FACTS_KEY is shorter than 32 characters"


def test_id_tells_keys_apart():
    assert key_id(b"a" * 32) != key_id(b"b" * 32)
