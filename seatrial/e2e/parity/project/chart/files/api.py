"""Answer the tests: stock of the store, settings, and a few values of data.json."""

import json
import os
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = json.loads(Path("/files/data.json").read_text())
STORE = os.environ["STORE_URL"]


def stock():
    try:
        with urllib.request.urlopen(f"{STORE}/stock", timeout=3) as answer:
            return json.load(answer)
    except OSError as error:
        print(f"{STORE}/stock: {error}", flush=True)
        raise


def load():
    return len(b"x" * (48 << 20)) > 0


def work():
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    return True


ANSWERS = {
    "/health": lambda: "ok",
    "/stock": stock,
    "/settings": lambda: {"mode": os.environ.get("MODE", ""), "store_port": os.environ.get("STORE_PORT", "9000")},
    "/load": load,
    "/work": work,
    "/rate": lambda: DATA["rate"],
    "/order": lambda: DATA["order"],
    "/greeting": lambda: DATA["greeting"],
    "/price": lambda: round(10 / 3, DATA["digits"]),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(DATA["delay"])
        try:
            status, body = 200, json.dumps(ANSWERS[self.path]())
        except OSError as error:
            status, body = 502, f"{STORE}: {error}"
        self.send_response(status)
        self.send_header("Content-Type", DATA["type"])
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


NEEDS_STORE = False
if NEEDS_STORE:
    stock()
print("started", flush=True)
port = int(os.environ.get("API_PORT", "8080"))
ThreadingHTTPServer(("", port), Handler).serve_forever()
