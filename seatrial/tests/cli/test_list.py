from __future__ import annotations

import json

from seatrial.app.environment_list import ListedEnvironment

LISTED = [
    ListedEnvironment(cluster="it", project="/p", created_by="up", state="in use", environment="ab"),
    ListedEnvironment(cluster="it", namespace="pr-42", project="/p", created_by="another machine", state="kept"),
    ListedEnvironment(cluster="shop", kind="compose", project="/p", created_by="up", state="kept"),
]


def test_list_prints_a_table_or_json(seatrial, project, monkeypatch):
    projects = []
    monkeypatch.setattr(
        "seatrial.app.environment_list.list_environments", lambda this, found: projects.append(found) or LISTED
    )

    assert seatrial("list").out.splitlines() == [
        "KIND        NAME  NAMESPACE  CREATED BY       PROJECT  STATE",
        "kubernetes  it    -          up               /p       in use",
        "kubernetes  it    pr-42      another machine  /p       kept",
        "compose     shop  -          up               /p       kept",
    ]
    assert json.loads(seatrial("list", "--json").out)[0]["environment"] == "ab"
    assert [found.root for found in projects] == [project, project]


def test_list_needs_no_project(seatrial, state):
    printed = seatrial("list")

    assert (printed.code, printed.out) == (0, "no environments\n")
