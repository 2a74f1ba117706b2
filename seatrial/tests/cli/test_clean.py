from __future__ import annotations

import pytest
from seatrial.cli.clean import numbers
from seatrial.model.errors import UsageError


def test_numbers_parses_pull_requests_and_refuses_other_texts():
    assert numbers("41, #42,") == {41, 42}
    assert numbers("") == frozenset()
    with pytest.raises(UsageError, match="'x' is not the number"):
        numbers("41,x")


@pytest.fixture
def cleaned(monkeypatch):
    """The arguments of each clean-up."""
    calls = []

    def clean_up(this, project, say, **settings):
        calls.append((project.root if project else None, settings))
        return ["it", "pr-41"]

    monkeypatch.setattr("seatrial.app.clean_up.clean_up", clean_up)
    return calls


def test_clean_prints_the_removed_environments(seatrial, project, cleaned):
    printed = seatrial("clean", "--all", "--cache", "--keep-prs", "42")

    assert printed.out == "removed: it, pr-41\n"
    assert cleaned == [(project, {"everything": True, "cache": True, "keep": frozenset({42})})]


def test_clean_needs_a_project_only_for_keep_prs(seatrial, state, cleaned):
    assert seatrial("clean").code == 0
    assert cleaned == [(None, {"everything": False, "cache": False, "keep": None})]
    assert seatrial("clean", "--keep-prs", "1").code == 4
    assert len(cleaned) == 1
