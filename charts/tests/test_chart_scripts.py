"""Test the scripts in ConfigMaps as pods run them, with real sockets and an imitated management API."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from chart_rendering import CHART, find, render

FILES = CHART / "files"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(condition, seconds: float = 10.0):
    """Return the first true result of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError("timed out")


COLLECT = """
async def collect():
    import gc

    while True:
        gc.collect()
        await asyncio.sleep(0.01)
"""


class Echo:
    """A server that returns its input in capitals some seconds after the client has sent everything."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection, self.seconds), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket, seconds: float = 0.0) -> None:
        with connection:
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            time.sleep(seconds)
            connection.sendall(received.upper())


def talk(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def health_port(tmp_path):
    """Return the proxy's script with another health port, because 8080 may be in use."""
    port = free_port()
    text = (FILES / "proxy.py").read_text()
    assert "HEALTH_PORT = 8080\n" in text
    (tmp_path / "proxy.py").write_text(text.replace("HEALTH_PORT = 8080\n", f"HEALTH_PORT = {port}\n"))
    return port


@pytest.fixture
def start_proxy(tmp_path, health_port):
    with contextlib.ExitStack() as stack:

        def start(*routes: str) -> subprocess.Popen[str]:
            argv = [sys.executable, str(tmp_path / "proxy.py"), *routes]
            process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class TestProxy:
    def test_proxy_forwards_both_directions_and_closes_half(self, start_proxy, health_port):
        echo, port = Echo(), free_port()
        start_proxy(f"{port}=localhost:{echo.port}")
        wait_for(lambda: listening(health_port))

        assert talk(port, b"hello") == b"HELLO"
        large = os.urandom(3_000_000).hex().encode()
        assert talk(port, large) == large.upper()

    def test_proxy_handles_concurrent_connections(self, start_proxy, health_port):
        echo, port = Echo(), free_port()
        start_proxy(f"{port}=localhost:{echo.port}")
        wait_for(lambda: listening(health_port))

        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append(talk(port, f"number {n}".encode()))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == sorted(f"NUMBER {n}".encode() for n in range(20))

    def test_proxy_keeps_connections_over_garbage_collections(self, start_proxy, health_port, tmp_path):
        """No callback of the event loop refers to a half-closed connection that waits for its answer."""
        script = tmp_path / "proxy.py"
        start = "    stop = asyncio.Event()\n"
        assert start in script.read_text()
        script.write_text(script.read_text().replace(start, f"{start}    collector = asyncio.create_task(collect())\n"))
        script.write_text(script.read_text().replace("async def main", f"{COLLECT}\n\nasync def main"))
        echo, port = Echo(seconds=0.5), free_port()
        start_proxy(f"{port}=localhost:{echo.port}")
        wait_for(lambda: listening(health_port))

        assert talk(port, b"hello") == b"HELLO"

    def test_proxy_resets_connection_without_target(self, start_proxy, health_port):
        port, nobody = free_port(), free_port()
        process = start_proxy(f"{port}=localhost:{nobody}")
        wait_for(lambda: listening(health_port))

        with pytest.raises(OSError):
            talk(port, b"hello")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=5)
        assert f"port {port}: no connection to localhost:{nobody}" in output

    def test_proxy_finds_target_that_starts_later(self, start_proxy, health_port):
        echo, port = Echo(), free_port()
        target = free_port()
        start_proxy(f"{port}=localhost:{target}")
        wait_for(lambda: listening(health_port))
        with pytest.raises(OSError):
            talk(port, b"hello")

        echo.listener.close()
        later = socket.create_server(("127.0.0.1", target))
        threading.Thread(target=lambda: Echo._answer(later.accept()[0]), daemon=True).start()
        assert talk(port, b"hello") == b"HELLO"
        later.close()

    def test_proxy_ready_if_names_resolve(self, start_proxy, health_port):
        start_proxy(f"{free_port()}=localhost:1")
        wait_for(lambda: listening(health_port))

        assert get(f"http://127.0.0.1:{health_port}/live") == (200, "ok")
        assert get(f"http://127.0.0.1:{health_port}/ready") == (200, "ok")

    def test_proxy_reports_unresolvable_name(self, start_proxy, health_port):
        start_proxy(f"{free_port()}=no-such-service.invalid:1")
        wait_for(lambda: listening(health_port))

        assert get(f"http://127.0.0.1:{health_port}/live")[0] == 200
        status, text = get(f"http://127.0.0.1:{health_port}/ready")
        assert status == 503
        assert text.startswith("no-such-service.invalid: ")

    def test_proxy_stops_on_sigterm(self, start_proxy, health_port):
        process = start_proxy(f"{free_port()}=localhost:1")
        wait_for(lambda: listening(health_port))

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=3) == 0

    def test_proxy_port_in_use_is_an_error(self, start_proxy):
        with socket.create_server(("0.0.0.0", 0)) as taken:
            process = start_proxy(f"{taken.getsockname()[1]}=localhost:1")
            output, _ = process.communicate(timeout=5)
        assert process.returncode != 0
        assert "address already in use" in output


class CatalogServer:
    """An imitated Iceberg REST catalog, with Polaris's management API if `catalogs` is given.

    It answers first with the status codes in `refuse`.
    """

    def __init__(self, *, prefix: str = "", catalogs: dict[str, Any] | None = None) -> None:
        self.prefix = prefix
        self.catalogs = catalogs
        self.namespaces: list[list[str]] = []
        self.refuse: list[int] = []
        self.asked: list[str] = []
        self.grants: list[dict[str, Any]] = []
        answer_for = self.answer_for

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                token = self.headers.get("Authorization", "")
                status, answer = answer_for(self.command, self.path, body, token)
                data = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer_for(self, method: str, target: str, body: str, token: str) -> tuple[int, Any]:
        path = urlsplit(target).path
        self.asked.append(f"{method} {path}")
        if self.refuse:
            return self.refuse.pop(0), {"error": {"message": "not now"}}
        if path == "/api/catalog/v1/oauth/tokens":
            form = {key: value for key, (value,) in parse_qs(body).items()}
            if (form["client_id"], form["client_secret"]) != ("root", "secret"):
                return 401, {"error": "unauthorized_client"}
            return 200, {"access_token": "the-token", "token_type": "bearer"}
        if token != "Bearer the-token":
            return 401, {"error": {"message": "no token"}}
        namespaces = "/".join(["/api/catalog/v1", *([self.prefix] if self.prefix else []), "namespaces"])
        if path == "/api/catalog/v1/config":
            return 200, {"defaults": {}, "overrides": {"prefix": self.prefix} if self.prefix else {}}
        if path == namespaces and method == "POST":
            name = json.loads(body)["namespace"]
            if name in self.namespaces:
                return 409, {"error": {"message": "exists"}}
            self.namespaces.append(name)
            return 200, {"namespace": name}
        if path == namespaces:
            return 200, {"namespaces": self.namespaces}
        if self.catalogs is not None and path.startswith("/api/management/v1/catalogs"):
            return self._manage(method, path, body)
        return 404, {"error": {"message": f"nothing at {path}"}}

    def _manage(self, method: str, path: str, body: str) -> tuple[int, Any]:
        assert self.catalogs is not None
        name = path.removeprefix("/api/management/v1/catalogs").strip("/").partition("/")[0]
        if method == "POST":
            catalog = json.loads(body)["catalog"]
            if catalog["name"] in self.catalogs:
                return 409, {"error": {"message": "exists"}}
            self.catalogs[catalog["name"]] = catalog
            return 201, None
        if method == "PUT":
            self.grants.append(json.loads(body)["grant"])
            return 201, None
        return 200, self.catalogs[name]


@pytest.fixture
def server() -> Iterator[CatalogServer]:
    catalog = CatalogServer()
    yield catalog
    catalog.server.shutdown()
    catalog.server.server_close()


@pytest.fixture
def polaris() -> Iterator[CatalogServer]:
    catalog = CatalogServer(prefix="floe", catalogs={})
    yield catalog
    catalog.server.shutdown()
    catalog.server.server_close()


def bootstrap(url: str, *, timeout: float = 180.0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script with the Job's environment, but a shorter timeout."""
    environment = {
        "CATALOG_URL": url,
        "WAREHOUSE": "floe",
        "NAMESPACES": "default",
        "CLIENT_ID": "root",
        "CLIENT_SECRET": "secret",
    }
    text = (FILES / "bootstrap.py").read_text()
    assert "TIMEOUT_SECONDS = 180.0\n" in text
    text = text.replace("TIMEOUT_SECONDS = 180.0\n", f"TIMEOUT_SECONDS = {timeout}\n")
    return subprocess.run(
        [sys.executable, "-"],
        input=text,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def catalog_of_the_chart() -> str:
    (container,) = find(render(), "Job/polaris-bootstrap-1")["spec"]["template"]["spec"]["containers"]
    (text,) = [variable["value"] for variable in container["env"] if variable["name"] == "CATALOG"]
    return text


class TestBootstrap:
    def test_bootstrap_creates_namespace(self, server):
        done = bootstrap(server.url)

        assert (done.returncode, done.stderr) == (0, "")
        assert server.namespaces == [["default"]]
        assert not [path for path in server.asked if "management" in path]

    def test_bootstrap_repeated_changes_nothing(self, server):
        bootstrap(server.url)
        done = bootstrap(server.url, NAMESPACES="default,more")

        assert done.returncode == 0
        assert done.stdout.splitlines() == ["namespace default already exists", "namespace more created"]
        assert server.namespaces == [["default"], ["more"]]

    def test_bootstrap_waits_for_server(self, server):
        server.refuse = [503, 500, 404]
        done = bootstrap(server.url)

        assert done.returncode == 0
        assert "waiting: POST " in done.stdout
        assert "503" in done.stdout

    def test_bootstrap_timeout_names_failed_request(self):
        url = f"http://127.0.0.1:{free_port()}"
        done = bootstrap(url, timeout=0.5)

        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"bootstrap failed: POST {url}/api/catalog/v1/oauth/tokens: no answer: ")

    def test_bootstrap_wrong_credentials_fail_immediately(self, server):
        done = bootstrap(server.url, CLIENT_SECRET="wrong")

        assert done.returncode == 1
        assert "401" in done.stderr
        assert len(server.asked) == 1

    def test_bootstrap_creates_polaris_catalog(self, polaris):
        done = bootstrap(polaris.url, CATALOG=catalog_of_the_chart())

        assert (done.returncode, done.stderr) == (0, "")
        assert polaris.catalogs["floe"]["properties"] == {"default-base-location": "s3://warehouse/"}
        assert polaris.catalogs["floe"]["storageConfigInfo"] == {
            "storageType": "S3",
            "allowedLocations": ["s3://warehouse/"],
            "roleArn": "arn:aws:iam::000000000000:role/floe-warehouse",
            "region": "us-east-1",
            "endpoint": "http://localstack:4566",
            "stsEndpoint": "http://localstack:4566",
            "stsUnavailable": False,
            "pathStyleAccess": True,
        }
        assert polaris.grants == [{"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}]
        assert polaris.namespaces == [["default"]]
        assert "POST /api/catalog/v1/floe/namespaces" in polaris.asked

    def test_bootstrap_keeps_existing_catalog(self, polaris):
        bootstrap(polaris.url, CATALOG=catalog_of_the_chart())
        done = bootstrap(polaris.url, CATALOG=catalog_of_the_chart())

        assert done.returncode == 0
        assert done.stdout.splitlines() == ["catalog floe already exists", "namespace default already exists"]

    def test_bootstrap_catalog_at_other_location_is_an_error(self, polaris):
        bootstrap(polaris.url, CATALOG=catalog_of_the_chart())
        elsewhere = json.loads(catalog_of_the_chart()) | {"properties": {"default-base-location": "s3://other/"}}
        done = bootstrap(polaris.url, CATALOG=json.dumps(elsewhere))

        assert done.returncode == 1
        assert "catalog floe already exists with its data at s3://warehouse/, expected s3://other/" in done.stderr

    def test_bootstrap_missing_management_api_is_reported(self, server):
        done = bootstrap(server.url, CATALOG=catalog_of_the_chart())

        assert done.returncode == 1
        assert "/api/management/v1/catalogs: 404" in done.stderr


class TestWaitForPort:
    def run(self, port: int, seconds: str = "240") -> subprocess.Popen[str]:
        text = (FILES / "wait_for_port.py").read_text()
        assert "SECONDS = 240\n" in text
        text = text.replace("SECONDS = 240\n", f"SECONDS = {seconds}\n")
        return subprocess.Popen(
            [sys.executable, "-c", text, "127.0.0.1", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_wait_for_port_ends_once_port_accepts(self):
        port = free_port()
        process = self.run(port)
        assert process.stdout.readline().startswith(f"waiting for 127.0.0.1:{port}: ")
        with socket.create_server(("127.0.0.1", port)):
            process.communicate(timeout=5)

        assert process.returncode == 0

    def test_wait_for_port_times_out(self):
        process = self.run(free_port(), seconds="0.3")
        output, _ = process.communicate(timeout=5)

        assert process.returncode == 1
        assert output.count("waiting") == 1


def test_configmaps_contain_files_unchanged():
    manifests = render({"hostPorts": {"enabled": True}})
    carried = {
        ("localstack-init", "resources.py"): "localstack_resources.py",
        ("polaris-bootstrap", "bootstrap.py"): "bootstrap.py",
        ("polaris-bootstrap", "wait_for_port.py"): "wait_for_port.py",
        ("polaris-schema", "polaris_schema.sh"): "polaris_schema.sh",
        ("hostports", "proxy.py"): "proxy.py",
        ("postgresql-access", "pg_hba.conf"): "pg_hba.conf",
        ("postgresql-init", "databases.sh"): "postgresql_databases.sh",
        ("test-services", "services.py"): "helm_test.py",
        ("migrations", "wait_for_database.sh"): "wait_for_database.sh",
        ("migrations", "migrate.sh"): "migrate.sh",
        ("migrations", "seed_data.sql"): "seed_data.sql",
        ("migrations", "wait_for_port.py"): "wait_for_port.py",
        ("migrations", "001_datasets.sql"): "migrations/001_datasets.sql",
        ("migrations", "002_retention.sql"): "migrations/002_retention.sql",
    }

    there = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    assert {name for name in there if "__pycache__" not in name} == set(carried.values())
    for (name, key), file in carried.items():
        text = find(manifests, f"ConfigMap/{name}")["data"][key]
        assert text.rstrip("\n") == (FILES / file).read_text().rstrip("\n")
