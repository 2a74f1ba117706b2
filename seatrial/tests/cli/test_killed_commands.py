"""Commands that are killed during cluster creation, and clusters that another user creates meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest
from seatrial.adapters.process import LocalProcesses

from .fake_machine import FakeMachine


@pytest.mark.parametrize(
    ("command", "delay", "late"), [("up", 0.0, 0.0), ("run", 0.2, 0.0), ("up", 0.7, 1.0), ("run", 0.7, 1.5)]
)
def test_clean_after_sigkill_during_cluster_creation_leaves_nothing(tmp_path, command, delay, late):
    machine = FakeMachine.make(tmp_path, nodes=3, between=0.3, late=late)
    with machine.start(command) as process:
        machine.wait_for_kind(process)
        time.sleep(delay)
        process.kill()
        process.communicate()
    (listed,) = json.loads(machine.run("list", "--json").stdout)
    assert listed["state"].startswith("left by a killed command")

    cleaned = machine.run("clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert machine.programs("kind") == [], "it would continue to create containers"
    time.sleep(late)
    assert (machine.containers, machine.environments) == ([], [])


@pytest.mark.parametrize("moment", [0.1, 0.3, 0.6])
def test_clean_after_sigkill_at_any_moment_leaves_nothing(tmp_path, moment):
    machine = FakeMachine.make(tmp_path, nodes=2, late=0.3)
    with machine.start("up") as process:
        time.sleep(moment)
        process.kill()
        process.communicate()
    machine.run("clean")

    assert (machine.programs("kind"), machine.containers, machine.environments) == ([], [], [])


def test_container_created_after_clean_is_listed_and_removed_by_the_next_clean(tmp_path):
    machine = FakeMachine.make(tmp_path, late=25)
    with machine.start("up") as process:
        machine.wait_for_kind(process)
        process.kill()
        process.communicate()
    machine.run("clean")
    assert (machine.containers, machine.environments) == ([], []), "the engine has not created it yet"
    until = time.monotonic() + 40
    while not machine.containers and time.monotonic() < until:
        time.sleep(0.1)

    (listed,) = json.loads(machine.run("list", "--json").stdout)
    assert (listed["cluster"], listed["state"].partition(":")[0]) == ("it", "left by a killed command")
    assert json.loads(machine.run("clean", "--json").stdout) == ["it"]
    assert machine.containers == []


def test_up_after_a_killed_up_replaces_its_cluster(tmp_path):
    machine = FakeMachine.make(tmp_path, late=1)
    with machine.start("up") as process:
        machine.wait_for_kind(process)
        process.kill()
        process.communicate()
    (tmp_path / "fake" / "kind.json").write_text(json.dumps({"fails": True}))
    done = machine.run("up")

    assert b"was not created by seatrial" not in done.stderr
    assert b"it, which was left by a killed command" in done.stderr
    assert (machine.containers, machine.environments) == ([], [])


@pytest.mark.parametrize("nodes", [0, 2])
def test_cluster_that_another_user_creates_meanwhile_is_not_deleted(tmp_path, nodes):
    machine = FakeMachine.make(tmp_path, nodes=nodes, foreign=True, fails=True)
    done = machine.run("run")

    assert done.returncode == 10
    assert b"node(s) already exist" in done.stderr
    assert machine.containers == ["theirs"], "only the containers of this run are deleted"
    assert machine.environments == []


def test_cluster_of_another_user_survives_a_killed_run(tmp_path):
    machine = FakeMachine.make(tmp_path, nodes=2, foreign=True)
    with machine.start("run") as process:
        machine.wait_for_kind(process)
        time.sleep(1)
        process.kill()
        process.communicate()
    for words in (["clean"], ["down"], ["clean", "--all"]):
        machine.run(*words)

    assert machine.containers == ["theirs"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_nothing(tmp_path, number):
    machine = FakeMachine.make(tmp_path, nodes=2, between=0.2, late=0.5)
    with machine.start("run") as process:
        machine.wait_for_kind(process)
        time.sleep(0.3)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 128 + number, err
    assert (machine.programs("kind"), machine.containers, machine.environments) == ([], [], [])


def test_programs_of_the_user_on_the_same_cluster_are_not_stopped(tmp_path):
    mark = str(tmp_path / "kubeconfig")
    sleeper = tmp_path / "kubectl"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    with subprocess.Popen([str(sleeper), "--kubeconfig", mark], start_new_session=True) as user:
        try:
            assert not LocalProcesses().end_orphans("kind", mark)
            assert user.poll() is None
        finally:
            user.kill()
