"""Test on a real cluster that `up` and `diagnose` name the causes of what a chart does wrong."""

from __future__ import annotations

import json
import time
from typing import Any

from provocation import PORT, SERVE, deployment, obj, script, service
from shop_project import copy

CAUSES = {
    "pipeline": "CommandNotFound",
    "archive": "NodeSelector",
    "gateway": "RunAsNonRoot",
    "catalog": "NameNotResolved",
    "search": "ReadinessProbe",
    "data": "NoStorageClass",
}
SECONDS = 90


def broken() -> list[dict[str, Any]]:
    """Return objects, each with one mistake that no check before the installation finds."""
    url = {"name": "DATABASE_URL", "value": "postgresql://shop@databse:5432/shop"}
    connect = "import socket; socket.create_connection(('databse', 5432))"
    probe = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "fast",
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    return [
        deployment("pipeline", command=["/usr/bin/pipeline"]),
        deployment("archive", pod={"nodeSelector": {"disk": "tape"}}),
        deployment("gateway", securityContext={"runAsNonRoot": True}),
        deployment("catalog", env=[url], command=["python3", "-c", connect]),
        deployment("search", readinessProbe=probe, **script(SERVE)),
        service("search"),
        obj("PersistentVolumeClaim", "data", spec=claim),
        deployment("database", pod={"volumes": [volume]}),
    ]


def test_up_and_diagnose_name_six_mistakes_of_a_chart(tmp_path_factory):
    shop = copy(tmp_path_factory, "causes")
    text = "\n---\n".join(json.dumps(each) for each in broken())
    (shop.root / "chart" / "templates" / "broken.yaml").write_text(text)
    try:
        shop("up", code=10)
        fatal = {each["cause"] for each in shop.stage("ready")["findings"]}
        assert fatal
        assert fatal <= set(CAUSES.values())
        found: dict[str, str] = {}
        until = time.monotonic() + SECONDS
        while found != CAUSES and time.monotonic() < until:
            time.sleep(2)
            listed = json.loads(shop("diagnose", "--json", code=10).out)
            names = {each["subject"]["name"].split("-")[0]: each["cause"] for each in listed}
            found = {name: cause for name, cause in names.items() if name in CAUSES}
        assert found == CAUSES
    finally:
        shop("down")
