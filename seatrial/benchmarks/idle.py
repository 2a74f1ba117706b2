"""Measure what the recorder costs while nothing happens, without a cluster: `python -m benchmarks.idle`.

A server on this machine answers like an API with many running pods that print nothing. The recorder watches them and
follows their logs.
"""

from __future__ import annotations

import http.server
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import Access
from seatrial.adapters.machine import SystemClock
from seatrial.watching.recorder import ClusterRecorder, Scope

__all__ = ["main"]

_PODS: Final = 400
_START: Final = 10.0
"""Seconds after which the recorder has started to watch and follow."""

_SECONDS: Final = 60.0
_GOAL: Final = 2.0
"""Percent of one core."""


def main() -> int:
    """Print the share of one core; return 1 if the goal is missed."""
    with _api(_PODS) as port, tempfile.TemporaryDirectory() as directory:
        access = Access(host="127.0.0.1", port=port, path="", tls=None, server_name="", authorization=lambda: "")
        before = _cpu()
        scope = Scope(namespaces=("shop",), whole_cluster=True)
        recorder = ClusterRecorder(KubeApi(access).streams(), Path(directory), scope, SystemClock(), is_new=True)
        time.sleep(_START)
        started = _cpu()
        time.sleep(_SECONDS)
        idle = 100 * (_cpu() - started) / _SECONDS
        threads = threading.active_count()
        recorder.stop()
    print(f"{_PODS} pods: start {started - before:.2f} s of CPU, then {idle:.2f} % of one core, {threads} threads")
    print(f"goal: {_GOAL:g} %: {'met' if idle <= _GOAL else 'missed'}")
    return 0 if idle <= _GOAL else 1


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def _api(pods: int) -> Iterator[int]:
    """Serve the API in another process; yield its port."""
    argv = [sys.executable, __file__, "--serve", str(pods)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def _serve(pods: int) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            if "watch" in query or "follow" in query:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                threading.Event().wait()
            elif url.path.endswith("/log"):
                self._answer(b"")
            else:
                items = [_pod(number) for number in range(pods)] if url.path.endswith("/pods") else []
                self._answer(json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


def _pod(number: int) -> dict[str, Any]:
    running = {"running": {"startedAt": "2026-01-31T12:00:00Z"}}
    status = {"name": "web", "ready": True, "restartCount": 0, "containerID": f"c{number}", "state": running}
    return {
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "resourceVersion": "1"},
        "spec": {"nodeName": "node", "containers": [{"name": "web", "image": "web:1"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(int(sys.argv[2]))
    else:
        raise SystemExit(main())
