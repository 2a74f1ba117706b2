"""Commands in a debug pod."""

from __future__ import annotations

import subprocess

import pytest
from seatrial.app.debug_command import with_clients_on_path


def test_clients_are_appended_to_path():
    assert 'PATH="$PATH:/seatrial/clients/bin"' in with_clients_on_path(["http", "x"])[2]


def test_command_waits_until_the_clients_are_written(tmp_path, monkeypatch):
    bin_ = tmp_path / "bin"
    monkeypatch.setattr("seatrial.app.debug_command.CLIENTS_DIRECTORY", str(bin_))
    asking = subprocess.Popen(with_clients_on_path(["greet", "you"]), stdout=subprocess.PIPE, text=True)
    new = tmp_path / "bin.new"
    new.mkdir()
    (new / "greet").write_text('#!/bin/sh\necho "hello $1"\n')
    (new / "greet").chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        asking.wait(0.3)
    new.rename(bin_)
    assert asking.communicate(timeout=10)[0] == "hello you\n"
    assert asking.returncode == 0
