"""The plugin on the host: pytest in a separate process, with a fake cluster in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

NAMES = """
import http.client, os, socket, urllib.request

NAMES = ("web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "WEB.shop.svc.cluster.local.")

def test_names_and_real_ports():
    for name in NAMES:
        with urllib.request.urlopen(f"http://{name}:18090/ready", timeout=5) as answer:
            assert answer.read() == b"ok"
        assert socket.gethostbyname(name) == socket.gethostbyname_ex(name)[2][0]

def test_other_ways_to_connect():
    with socket.socket() as one, socket.socket() as other:
        one.settimeout(5)
        one.connect(("web", 18090))
        other.settimeout(5)
        assert other.connect_ex(("web", 18090)) == 0
        assert one.getpeername()[0].startswith("127.")
        assert one.getpeername() == other.getpeername()
    found = socket.getaddrinfo("web", "18090", socket.AF_INET, socket.SOCK_STREAM)
    assert [entry[4] for entry in found] == [one_of for one_of in [found[0][4]]]

def test_each_service_has_another_address():
    assert socket.gethostbyname("web") != socket.gethostbyname("pg.data")

def test_other_ports_are_refused():
    with socket.socket() as one:
        assert one.connect_ex(("web", 18091)) != 0

def test_other_names_are_unchanged():
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    for name in ("pg", "web.data", "web.invalid"):
        try:
            socket.getaddrinfo(name, 80)
        except socket.gaierror as error:
            assert "seatrial" not in str(error)
        else:
            raise AssertionError(name)
"""

SERVICES = """
import os, urllib.request
import pytest

def test_service(service):
    web = service("web")
    assert (web.port, web.scheme, web.location.where) == (18090, "http", "host")
    assert web.host.startswith("127.")
    with urllib.request.urlopen(web.url + "/ready", timeout=5) as answer:
        assert answer.status == 200

def test_missing(service):
    service("db")

def test_other_probe(service):
    assert service.probe("web", http="/no") == "HTTP status 404"
    assert service.probe("web", tcp=True) == ""

def test_unknown_port(service):
    service("web", port=1)
"""


@pytest.fixture
def web(pods):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            good = self.path == "/ready"
            self.send_response(200 if good else 404)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok" if good else b"no")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        it.daemon_threads = True
        threading.Thread(target=it.serve_forever, args=(0.02,), daemon=True).start()
        pods.servers["web-1", 8080] = it.server_address[1]
        yield
        it.shutdown()


def test_import_of_the_plugin_loads_no_slow_modules():
    costly = {"msgspec", "yaml", "rich", "ssl", "http", "subprocess", "tomllib"}
    code = (
        "import sys, pytest; before = set(sys.modules); import seatrial.pytest_plugin;"
        f"sys.exit(bool({costly} & set(sys.modules) - before))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_plugin_does_nothing_without_a_configuration(project):
    (project.root / "seatrial.toml").unlink()
    project.write("""
import os, socket

def test_it(request):
    assert socket.getaddrinfo.__module__ == "socket"
    assert "connect" not in vars(socket.socket)
    assert not request.config.pluginmanager.has_plugin("seatrial-fixtures")
    assert "STATIC" not in os.environ
""")
    assert "seatrial:" not in project.pytest()


def test_service_names_resolve_to_local_addresses(project, web):
    project.write(NAMES)
    assert "seatrial: tests run on the host and use cluster shop" in project.pytest()


def test_service_names_resolve_in_xdist_workers(project, web):
    project.write(NAMES)
    assert "5 passed" in project.pytest("-n2")


def test_resolve_option_disables_service_names(project, web):
    project.write("""
import socket, pytest

def test_it(service):
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("web.shop.svc", 18090)
    assert service("web").host.startswith("127.")
""")
    project.pytest("--seatrial-resolve=off")


def test_service_fixture_fails_with_reason(project, web):
    project.write(SERVICES)
    said = project.pytest("-rN", code=1)

    assert "2 failed, 2 passed" in said
    assert "service db is not ready: pod pg-1 refuses connections to port 8080: dial tcp4" in said
    assert "Service shop/web has no port 1; its ports: 18090" in said


def test_missing_service_has_a_hint(project, web, api):
    api.on("GET", "/api/v1/namespaces/data/services/pg", (404, {"message": "no"}))
    project.write("""
import socket, pytest

def test_db(service):
    with pytest.raises(socket.gaierror, match="Service data/pg not found in the cluster; hint: seatrial up"):
        socket.getaddrinfo("pg.data", 1)
    service("db")
""")
    assert "service db is not available: Service data/pg not found in the cluster; hint: seatrial up" in project.pytest(
        code=1
    )


def test_variable_and_option_set_the_address_of_a_service(project, web):
    project.write("""
def test_it(service):
    web, db = service("web", check=False), service("db", check=False)
    assert (web.url, web.location.reason) == ("https://w:1", "SEATRIAL_SERVICE_WEB is set")
    assert (db.url, db.location.reason) == ("postgresql://d:2", "--seatrial-service is set")
""")
    project.pytest("--seatrial-service=db=d:2", SEATRIAL_SERVICE_WEB="https://w:1")
    assert "service 'wbe' is not configured; known: web, db" in project.pytest("--seatrial-service=wbe=d:2", code=1)


def test_runner_variables_are_set_before_conftest_files(project, web):
    project.write(
        "import os\nSEEN = {name: os.environ.get(name) for name in ('STATIC', 'PASSWORD', 'PLAIN', 'WHERE')}\n",
        "conftest.py",
    )
    project.write("""
import conftest

def test_it():
    assert conftest.SEEN == {"STATIC": "mine", "PASSWORD": "sesame", "PLAIN": "plain", "WHERE": "shop"}
""")
    said = project.pytest(STATIC="mine")

    assert "seatrial: MISSING: secret shop/web has no nothing" in said


@pytest.mark.parametrize("mine", ["", "/my/own"])
def test_kubeconfig_is_that_of_the_environment_unless_set(project, web, mine):
    project.write("import os\nSEEN = os.environ['KUBECONFIG']\n", "conftest.py")
    project.write("""
import conftest, json, pathlib

def test_it():
    print("kubeconfig:", conftest.SEEN)
    assert conftest.SEEN == "/my/own" or json.loads(pathlib.Path(conftest.SEEN).read_text())["contexts"]
""")
    said = project.pytest("-s", **({"KUBECONFIG": mine} if mine else {}))

    assert f"kubeconfig: {mine or project.state}" in said


def test_service_names_are_exempt_from_the_proxy(project, web):
    project.write("import os\nSEEN = os.environ['no_proxy'].split(',')\n", "conftest.py")
    project.write("""
import conftest

def test_it():
    assert {"mine.example", "127.0.0.1", "web.shop", "web.shop.svc.cluster.local"} <= set(conftest.SEEN)
""")

    project.pytest(HTTP_PROXY="http://proxy.invalid:3128", NO_PROXY="mine.example")


def test_tests_without_an_environment_get_a_hint(project):
    project.write("""
import os, socket, pytest

def test_names():
    with pytest.raises(socket.gaierror, match="web.shop is a service in seatrial.toml, but this project has"):
        socket.getaddrinfo("web.shop", 80)

def test_no_variables():
    assert "STATIC" not in os.environ

def test_service(service):
    service("web")

def test_namespace(isolated_namespace):
    pass
""")
    said = project.pytest("-rN", code=1)

    assert "2 passed, 1 failed, 1 error" in said or "1 failed, 2 passed, 1 error" in said
    assert "this project has no environment; hint: seatrial up" in said


def test_guest_environment_is_selected_by_its_name(project, web, api):
    """By default, the environment in the configured namespaces is used, even if another one is newer."""
    old = next((project.state / "seatrial" / "sessions").iterdir())
    new = old.with_name("ffffffff")
    new.mkdir()
    session = (old / "session.json").read_text().replace("0a1b2c3d", "ffffffff").replace("2026-01-01", "2026-02-01")
    (new / "session.json").write_text(session.replace('"kept": true', '"kept": true, "namespace": "pr-42"'))
    api.on("GET", "/api/v1/namespaces/pr-42/services/web", (200, {"spec": {"ports": [{"port": 777}]}}))
    project.write("""
def test_it(service):
    import os
    assert service("web", port=int(os.environ["WANTED"]), check=False)
""")
    project.pytest(WANTED="18090")
    project.pytest(WANTED="777", SEATRIAL_NAMESPACE="pr-42")
    project.pytest("--seatrial-namespace=pr-42", WANTED="777")


def test_compose_uses_service_names_of_compose(project):
    project.write("""
def test_it(service):
    assert service("db", check=False).address == "pg:15432"
    assert service.location == ("compose", "--seatrial-location is set")
""")
    assert "seatrial: tests run in a compose" in project.pytest("--seatrial-location=compose")


def test_compose_uses_addresses_of_the_compose_file(project):
    with (project.root / "seatrial.toml").open("a") as file:
        file.write('[compose]\nfile = "compose.yaml"\nenv = { SEATRIAL_SERVICE_DB = "postgresql:5433" }\n')
    (project.root / "compose.yaml").write_text("services: {}\n")
    project.write("""
def test_it(service):
    assert service("db", check=False).address == "postgresql:5433"
""")
    assert "1 passed" in project.pytest("--seatrial-location=compose")


def test_invalid_configuration_is_reported_in_one_line(project, web):
    (project.root / "seatrial.toml").write_text("[runner]\nimage = 3\n")
    project.write("def test_it():\n    pass\n")
    line = "seatrial.toml:2: runner.image: is 3, should be a string"
    assert f"seatrial: {line}" in project.pytest()

    project.write("def test_it(service):\n    pass\n")
    said = project.pytest(code=1)
    assert line in said
    assert "Traceback" not in said


def test_session_restores_sockets_and_threads(project, web):
    project.write(NAMES)
    project.write(
        """
import socket, subprocess, sys, threading, pytest

before = set(threading.enumerate())
code = pytest.main(["-q", "-p", "no:cacheprovider", "test_it.py"])
assert code == 0, code
assert socket.getaddrinfo.__module__ == "socket"
assert "connect" not in vars(socket.socket)
assert not [thread for thread in set(threading.enumerate()) - before if "seatrial" in thread.name]
""",
        "outer.py",
    )
    env = {"XDG_STATE_HOME": str(project.state), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "outer.py"],
        cwd=project.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_isolated_namespaces_are_created_and_deleted(project, web, api, monkeypatch):
    made = []
    original = type(api).answer

    def answer(self, method, path):
        if "/namespaces" in path and method in ("POST", "DELETE"):
            made.append((method, path))
            return (201, {})
        if path == "/api/v1/namespaces":
            old = {"name": "test-old", "labels": {"seatrial.dev/isolated": "true", "seatrial.dev/expires": "1"}}
            return (200, {"items": [{"metadata": old}]})
        return original(self, method, path)

    monkeypatch.setattr(type(api), "answer", answer)
    project.write("""
import pytest

def test_one(isolated_namespace):
    assert isolated_namespace.startswith("test-it-one-")
    assert isinstance(isolated_namespace, str)
    isolated_namespace.copy_secret("web")

@pytest.mark.isolated_namespace(default_deny=True, quota={}, secrets=["web"])
def test_two(isolated_namespace):
    pass

class TestClass:
    def test_a(self, isolated_namespace_class, isolated_namespace_worker):
        type(self).seen = isolated_namespace_class
        assert isolated_namespace_worker.startswith("test-run-")

    def test_b(self, isolated_namespace_class):
        assert self.seen == isolated_namespace_class
        assert self.seen.startswith("test-it-testclass-")

@pytest.mark.isolated_namespace(qouta={})
def test_slip(isolated_namespace):
    pass
""")
    said = project.pytest("-rN", "--strict-markers", code=1)

    assert "4 passed, 1 error" in said
    assert "isolated_namespace has no option qouta; known: quota, limits, default_deny, secrets" in said
    kinds = [path.split("/")[-1] for method, path in made if method == "POST"]
    assert kinds.count("namespaces") == 4
    assert kinds.count("secrets") == 2
    assert kinds.count("resourcequotas") == 3
    assert kinds.count("networkpolicies") == 1
    deleted = [path.split("/")[-1] for method, path in made if method == "DELETE"]
    assert deleted[0] == "test-old"
    assert len(deleted) == 5


def test_install_keeps_the_types_of_values(project, web, api, monkeypatch, tmp_path):
    original = type(api).answer

    def answer(self, method, path):
        made = "/namespaces" in path and method in ("POST", "DELETE")
        return (
            (201, {})
            if made
            else (200, {"items": []})
            if path == "/api/v1/namespaces"
            else original(self, method, path)
        )

    monkeypatch.setattr(type(api), "answer", answer)
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > said\n[ "$2" != bad ] || { echo "no such chart" >&2; exit 1; }\n')
    helm.chmod(0o755)
    project.write("""
import pathlib, pytest

def test_one(isolated_namespace):
    assert isolated_namespace.install("charts/web:1", set={"a.b": "1,2{}", "on": True, "ports": [1, 2]}) == "web"
    said = pathlib.Path("said").read_text().splitlines()
    assert said[:3] == ["install", "web", "charts/web:1"]
    at = said.index("--set-string")
    assert said[at:at + 6] == [
        "--set-string", r"a.b=1\\,2\\{\\}", "--set-json", "on=true", "--set-json", "ports=[1, 2]"
    ]
    assert isolated_namespace in said

    with pytest.raises(Exception, match="helm install bad charts/web failed: no such chart"):
        isolated_namespace.install("charts/web", release="bad")
""")

    assert "1 passed" in project.pytest(PATH=f"{helm.parent}:{os.environ['PATH']}")
