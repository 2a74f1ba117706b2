from __future__ import annotations

from seatrial.app import shared_environments
from seatrial.app.take_down import take_down


def test_take_down_removes_the_kept_environment_with_its_guests(machines):
    host = machines.kept()
    machines.guest(host, "pr-1")
    machines.guest(host, "pr-2")

    take_down(machines.machine(), machines.project, "", machines.said.append)

    assert machines.this.ledger.records() == []
    assert machines.said[-1] == "removed cluster it and the environments in it: pr-1, pr-2"
    assert machines.removed() == ["it"]


def test_take_down_of_a_guest_keeps_its_host(machines):
    host = machines.kept()
    machines.guest(host, "pr-1")

    take_down(machines.machine(), machines.project, "pr-1", machines.said.append)

    assert [record.id for record in machines.this.ledger.records()] == [host.id]
    assert machines.said[-1] == "removed environment pr-1 in cluster it"


def test_take_down_without_an_environment_says_so(machines):
    take_down(machines.machine(), machines.project, "", machines.said.append)
    take_down(machines.machine(), machines.project, "pr-1", machines.said.append)

    assert machines.said == [
        "there is no environment of this project",
        "there is no environment pr-1 of this project",
    ]


def test_take_down_removes_leftovers_of_killed_commands(machines):
    dead = machines.machine()
    record = machines.new(dead)
    dead.ledger.release(record.id)

    take_down(machines.machine(), machines.project, "", machines.said.append)

    assert machines.this.ledger.records() == []
    assert "left by a killed command" in machines.said[-1]


def test_take_down_removes_an_environment_of_another_machine(machines, monkeypatch):
    removed = []
    monkeypatch.setattr(
        shared_environments, "remove", lambda this, project, names, say: removed.extend(names) or list(names)
    )

    take_down(machines.machine(), machines.project, "pr-42", machines.said.append)

    assert removed == ["pr-42"]
    assert machines.said == []
