"""The fixtures in the pod: by the agent's files alone, in the run's own process and in xdist's workers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

TEST = """
import pytest

def test_web(service):
    web = service("web")
    assert (web.host, web.port, web.url) == ("127.0.0.1", {port}, "http://127.0.0.1:{port}")
    assert web.location.where == "pod"
    assert service.names == ("web", "gone")

def test_gone(service):
    service("gone")

def test_unknown(service):
    service("wbe")

def test_only_where(service):
    assert service("gone", check=False).address == "gone.invalid:1"
    assert service.probe("web", http="/nowhere", status=[418]) == "HTTP status 200"
"""


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        threading.Thread(target=it.serve_forever, args=(0.02,), daemon=True).start()
        yield it.server_address[1]
        it.shutdown()


def definition(port):
    common = {"namespace": "shop", "scheme": "http"}
    return {
        "namespace": "shop",
        "labels": {},
        "rights": None,
        "services": {
            "web": {**common, "service": "127.0.0.1", "port": port, "ready": {"http": "/ready"}},
            "gone": {**common, "service": "gone.invalid", "port": 1, "ready": None},
        },
    }


@pytest.mark.parametrize("more", [(), ("-n2",)], ids=["one process", "xdist"])
def test_fixtures(bench, server, monkeypatch, more):
    bench.write(tests__test_a_py=TEST.format(port=server))
    bench.build()
    outcome = bench.run(
        *more, fixtures=definition(server), env={"SEATRIAL_LOCATION": "pod", "SEATRIAL_SERVICE_X": "ignored"}
    )

    assert outcome.counts.passed == 2, bench.text
    assert outcome.counts.failed == 2
    assert "service gone is not ready: " in bench.text
    assert "service 'wbe' is not configured; known: web, gone" in bench.text
    assert "Traceback" not in bench.text


def test_isolated_namespaces_require_rights(bench):
    bench.write(tests__test_a_py="def test_a(isolated_namespace):\n    pass\n")
    bench.build()
    bench.run(fixtures=definition(1))

    assert "cannot create namespaces: no ServiceAccount is mounted in this pod" in bench.text
    assert "hint: isolated-namespaces = true under [runner]" in bench.text


def test_seatrial_options_are_known_in_the_pod(bench, server):
    bench.write(tests__test_a_py="def test_a(service):\n    assert service('gone').port == " + str(server) + "\n")
    bench.build()
    outcome = bench.run(f"--seatrial-service=gone=127.0.0.1:{server}", fixtures=definition(server))

    assert outcome.counts.passed == 1, bench.text


def test_names_of_the_files_do_not_collide():
    from importlib.resources import files  # noqa: PLC0415

    agent, fixtures = (
        {entry.name for entry in files(f"seatrial.pod.{package}").iterdir() if entry.name.endswith(".py")}
        for package in ("agent", "fixtures")
    )
    assert agent & fixtures == {"__init__.py"}
