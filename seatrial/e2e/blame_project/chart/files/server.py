"""A web server that uses an upstream, and breaks when it is told to: GET /break?what=leak."""

from __future__ import annotations

import http.server
import os
import pathlib
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

UPSTREAM = os.environ.get("UPSTREAM_URL", "")
broken: set[str] = set()
hoard: list[bytearray] = []


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=1) as answer:
        return str(answer.read().decode())


def leak() -> None:
    while True:
        hoard.append(bytearray(b"x" * (1 << 20)))


def do_break(what: str) -> None:
    if what == "leak":
        threading.Thread(target=leak).start()
    elif what.startswith("exit"):
        threading.Timer(0.05, lambda: os._exit(int(what[4:]))).start()
    elif what == "spool":
        pathlib.Path("/spool/file").write_bytes(b"x" * (64 << 20))
    elif what == "abort":
        threading.Timer(0.05, os.abort).start()
    else:
        broken.add(what)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path)
        what = urllib.parse.parse_qs(path.query).get("what", [""])[0]
        if path.path == "/break":
            do_break(what)
            self.answer(200, "broken")
        elif path.path == "/heal":
            broken.clear()
            self.answer(200, "healed")
        elif path.path == "/repaired":
            # This server, or the one that it uses: the test knows by it that the repair is done.
            self.answer(200, str("repaired" in broken) if what != "db" else fetch(f"{UPSTREAM}repaired"))
        elif path.path in ("/ready", "/live"):
            self.answer(500 if path.path[1:] in broken else 200, path.path)
        else:
            self.work()

    def work(self) -> None:
        if "busy" in broken:
            until = time.process_time() + 0.08
            while time.process_time() < until:
                pass
        if "auth" in broken:
            print('FATAL: password authentication failed for user "shop"', file=sys.stderr, flush=True)
            self.answer(401, "wrong password")
        elif "500" in broken:
            print("ERROR: unhandled exception: KeyError: 'stock'", file=sys.stderr, flush=True)
            self.answer(500, "internal error")
        elif "fill" in broken:
            try:
                pathlib.Path("/data/file").write_bytes(b"x" * (4 << 20))
                self.answer(200, "written")
            except OSError as error:
                print(f"ERROR: cannot write /data/file: {error}", file=sys.stderr, flush=True)
                self.answer(507, "full")
        elif UPSTREAM:
            try:
                self.answer(200, fetch(UPSTREAM))
            except (OSError, urllib.error.URLError) as error:
                print(f"ERROR: {UPSTREAM}: {error}", file=sys.stderr, flush=True)
                self.answer(503, f"upstream: {error}")
        else:
            self.answer(200, "ok")


http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
