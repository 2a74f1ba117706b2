from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from seatrial.compose.collector import collect, without_values
from seatrial.model.redaction import SECRETS
from seatrial.report.log_lines import TimedLog
from seatrial.report.run_files import RunFiles

from compose.fake_compose import STAMP, FakeCompose, container


def test_log_of_each_service_is_written(tmp_path):
    compose = FakeCompose(container("web"), container("db"), container("quiet"))
    compose.texts = {"shop-aa-web-1": b"hello\n", "shop-aa-db-1": b"ready\n"}
    count = collect(compose, compose.containers(), tmp_path, since=None, bundle=None)

    assert count == {"shop-aa-web-1": len(STAMP) + 6, "shop-aa-db-1": len(STAMP) + 6, "shop-aa-quiet-1": 0}
    assert (tmp_path / "logs/compose/web.log").read_bytes() == STAMP + b"hello\n"
    assert sorted(each.name for each in (tmp_path / "logs/compose").iterdir()) == ["db.log", "web.log"]


def test_report_reads_the_times_of_the_lines(tmp_path):
    compose = FakeCompose(container("web"))
    compose.texts = {"shop-aa-web-1": b"no time of its own\n"}
    collect(compose, compose.containers(), tmp_path, since=None, bundle=None)
    files = RunFiles(tmp_path)
    (log,) = files.pod_logs()
    (line,) = TimedLog.read(files.log(log), datetime(2026, 1, 31, 15, 45, tzinfo=UTC)).between(2, 3)

    assert log.container == "web"
    assert line.text == "no time of its own"
    assert line.at == pytest.approx(2.123456789)


def test_log_that_cannot_be_read_is_left_out(tmp_path):
    compose = FakeCompose(container("web"), container("db"))
    compose.texts, compose.unreadable = {"shop-aa-db-1": b"ready\n"}, {"shop-aa-web-1"}
    count = collect(compose, compose.containers(), tmp_path, since=None, bundle=None)

    assert list(count) == ["shop-aa-db-1"]
    assert [each.name for each in (tmp_path / "logs/compose").iterdir()] == ["db.log"]


def test_replicas_have_logs_of_their_own(tmp_path):
    compose = FakeCompose(container("web"), container("web", number=2))
    compose.texts = {"shop-aa-web-1": b"1", "shop-aa-web-2": b"2"}
    collect(compose, compose.containers(), tmp_path, since=None, bundle=None)

    assert (tmp_path / "logs/compose/web-2.log").read_bytes() == STAMP + b"2"


def test_bundle_has_containers_without_values_of_variables(tmp_path):
    compose = FakeCompose(container("web", env=["A=secret", "B="]))
    collect(compose, compose.containers(), tmp_path, since=5, bundle=tmp_path / "bundle")
    (found,) = json.loads((tmp_path / "bundle/containers.json").read_text())

    assert found["Config"]["Env"] == ["A=***", "B=***"]


def test_known_secrets_are_hidden_in_logs(tmp_path):
    SECRETS.learn(["hunter2hunter2"])
    compose = FakeCompose(container("web"))
    compose.texts = {"shop-aa-web-1": b"password hunter2hunter2"}
    collect(compose, compose.containers(), tmp_path, since=None, bundle=None)
    SECRETS.forget()

    assert b"hunter2" not in (tmp_path / "logs/compose/web.log").read_bytes()


def test_without_values_keeps_everything_else():
    before = container("web", env=["A=1"])

    assert without_values(before)["State"] == before["State"]
    assert without_values({"Id": "1"}) == {"Id": "1", "Config": {"Env": []}}
