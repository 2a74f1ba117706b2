from __future__ import annotations

import json
from types import SimpleNamespace


def test_env_prints_exports_for_a_shell(seatrial, project, monkeypatch):
    record = SimpleNamespace(cluster="it")
    cluster = SimpleNamespace(kubeconfig="/state/my config", context="kind-it")
    monkeypatch.setattr("seatrial.app.environments.require", lambda this, project, namespace: record)
    monkeypatch.setattr("seatrial.app.wiring.environment", lambda *_: SimpleNamespace(cluster=cluster))

    assert seatrial("env").out.splitlines() == [
        "export KUBECONFIG='/state/my config'",
        "export HELM_KUBECONTEXT=kind-it",
        "export HELM_NAMESPACE=default",
        "export SEATRIAL_CLUSTER=it",
        "export SEATRIAL_RUN_NAMESPACE=default",
    ]
    assert json.loads(seatrial("env", "--json").out)["KUBECONFIG"] == "/state/my config"


def test_env_without_an_environment_is_a_usage_error(seatrial, project):
    printed = seatrial("env")

    assert printed.code == 4
    assert "  hint: seatrial up" in printed.err
