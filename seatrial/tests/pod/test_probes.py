"""The script that asks services from inside the pod, run here as it runs there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from seatrial.model.spec import ReadySpec, ServiceSpec
from seatrial.pod.fixtures import probes
from seatrial.runner_pod.service_probes import probes_of


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        statuses: list[int] = []  # noqa: RUF012

        def log_message(self, *args):
            pass

        def do_GET(self):
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            self.send_response(status)
            self.end_headers()

    it = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it.handler = Handler
    threading.Thread(target=it.serve_forever, args=(0.05,), daemon=True).start()
    yield it
    it.shutdown()
    it.server_close()


def question(port=1, **more):
    given = {"name": "web", "host": "127.0.0.1", "port": port, "scheme": "http", "http": None, "status": [200]}
    return {**given, "command": [], **more}


def test_http(server):
    server.handler.statuses = [200, 503, 401]
    it = question(server.server_address[1], http="/ready")

    assert [probes.answer(it), probes.answer(it), probes.answer(it)] == ["", "HTTP status 503", "HTTP status 401"]
    assert probes.answer({**it, "status": [401]}) == ""


def test_port(server):
    assert probes.answer(question(server.server_address[1])) == ""
    assert "refused" in probes.answer(question(1))


def test_nobody_at_http():
    assert "refused" in probes.answer(question(1, http="/"))


def test_command():
    assert probes.answer(question(command=["true"])) == ""
    assert probes.answer(question(command=["sh", "-c", "echo not yet >&2; exit 1"])) == "not yet"
    assert probes.answer(question(command=["false"])) == "exit code 1"
    assert "No such file" in probes.answer(question(command=["no-such-program"]))


def test_script_tells_changes_and_ends_when_all_is_well(server):
    server.handler.statuses = [503, 503, 503, 200]
    argv = [sys.executable, probes.__file__, json.dumps([question(server.server_address[1], http="/")]), "20"]
    done = subprocess.run(argv, capture_output=True, check=True)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"name": "web", "message": "HTTP status 503"},
        {"name": "web", "message": ""},
    ]


def test_script_ends_when_its_time_is_over(capsys):
    started = time.monotonic()
    probes.main([question(1), question(1, name="db")], 0.3)

    assert time.monotonic() - started < 5
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_probes_of():
    services = {
        "web": ServiceSpec(port=80),
        "db": ServiceSpec(port=5432, namespace="data", name="pg", scheme="postgresql", ready=ReadySpec(tcp=True)),
        "api": ServiceSpec(port=80, scheme="https", ready=ReadySpec(http="/ok", status=(204,), port=81)),
    }
    web, db, api = probes_of(services, "shop")

    assert (web["host"], web["port"], web["http"]) == ("web.shop.svc", 80, None)
    assert (db["host"], db["scheme"]) == ("pg.data.svc", "http")
    assert (api["port"], api["http"], api["status"], api["scheme"]) == (81, "/ok", [204], "https")
