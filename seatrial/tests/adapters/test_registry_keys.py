"""Credentials of the local registry: files that only this user can read."""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from seatrial.adapters.registry_keys import Keys, client_config, keys_in, password_file
from seatrial.model.errors import UsageError

KEYS = Keys(id="3f2a9c1b", write="w" * 64, read="r" * 64)


def test_keys_are_generated_once_in_private_files(tmp_path):
    home = tmp_path / "state" / "registry"
    first = keys_in(home)

    assert keys_in(home) == first
    assert (home / "keys.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert len({first.write, first.read, *(keys_in(tmp_path / "other"),)}) == 3
    assert len(first.write) == len(first.read) == 64


def test_concurrent_commands_get_the_same_keys(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keys_in(tmp_path), range(32)))

    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("text", ["", "{", '{"id": "a"}', '{"id": "a", "write": 1, "read": "b"}'])
def test_damaged_keys_are_a_usage_error(tmp_path, text):
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        keys_in(tmp_path)
    assert str(tmp_path / "keys.json") in caught.value.message
    assert "rm " in caught.value.hint


def test_keys_that_cannot_be_written_are_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot read or write"):
        keys_in(tmp_path / "file")


def test_password_file_has_the_hash_of_one_user():
    with tarfile.open(fileobj=io.BytesIO(password_file("node", "secret"))) as archive:
        (member,) = archive.getmembers()
        user, _, hashed = archive.extractfile(member).read().decode().strip().partition(":")

    assert (member.name, user) == ("seatrial-htpasswd", "node")
    assert bcrypt.checkpw(b"secret", hashed.encode())
    assert not bcrypt.checkpw(b"other", hashed.encode())


def test_client_config_follows_the_port_and_the_context_of_the_user(tmp_path):
    client_config(tmp_path / "docker", "localhost:5001", KEYS, {"DOCKER_CONFIG": str(tmp_path / "one")})
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "config.json").write_text("{")
    client_config(tmp_path / "docker", "localhost:5002", KEYS, {"DOCKER_CONFIG": str(tmp_path / "two")})

    assert list(json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]) == ["localhost:5002"]
    assert (tmp_path / "docker" / "contexts").readlink() == tmp_path / "two" / "contexts"


def test_client_config_can_be_written_by_several_commands_at_once(tmp_path):
    def write(number):
        for turn in range(40):
            environ = {"DOCKER_CONFIG": str(tmp_path / f"user-{(number + turn) % 3}")}
            directory = client_config(tmp_path / "docker", f"localhost:{5000 + (number + turn) % 3}", KEYS, environ)
            assert json.loads((directory / "config.json").read_text())["auths"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert sorted(each.name for each in (tmp_path / "docker").iterdir()) == ["config.json", "contexts"]
