"""Print facts about the container of the tests: user, variables, mounts, names, ports, limits and usage.

stdin is a line of JSON: `key`, hexadecimal, for the fingerprints of values, and `services`, each with name, host, port
and the HTTP path of its check. Values of variables never leave this process: it prints a keyed hash of each, and
properties such as "contains localhost". The host decodes the answer as `model.environment_facts.RunnerFacts`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from typing import Any

from .container import memory_limit

__all__ = ["collect", "facts", "fingerprint", "traits"]

_SECONDS = 1.0
"""Time for all names and ports together; those without an answer by then count as unreachable."""

_LONG = 4096
_OWN = ("SEATRIAL_", "PYTEST_")
_LINK = re.compile(r"(tcp|udp|sctp)://\d+\.\d+\.\d+\.\d+:\d+")
_LOOPBACK = re.compile(r"(?<![\w.-])(localhost|127\.0\.0\.1|\[::1\])(?![\w.-])", re.IGNORECASE)
_UNDERSCORE_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?|^)(?=[a-z0-9.-]*_)[a-z0-9._-]+:\d+", re.IGNORECASE
)


def facts() -> int:
    """Answer the question on stdin."""
    question = json.loads(sys.stdin.readline())
    answer = collect(bytes.fromhex(question["key"]), question["services"], dict(os.environ))
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def collect(key: bytes, services: list[dict[str, Any]], environ: dict[str, str]) -> dict[str, Any]:
    """Return the facts as JSON values."""
    search, ndots = _resolver(_read("/etc/resolv.conf"))
    mounts = _mounts(_read("/proc/self/mountinfo"))
    names, ports = _reach(services)
    return {
        "user": os.getuid(),
        "groups": sorted({os.getgid(), *os.getgroups()}),
        "hostname": socket.gethostname(),
        "time_zone": environ.get("TZ") or time.tzname[0],
        "python": ".".join(map(str, sys.version_info[:3])),
        "variables": {
            name[:1024]: {"fingerprint": fingerprint(key, name, value), "traits": traits(name, value)}
            for name, value in environ.items()
            if not name.startswith(_OWN)
        },
        "mounts": mounts,
        "read_only_root": any(each["path"] == "/" and each["read_only"] for each in mounts),
        "search": search,
        "ndots": ndots,
        "names": names,
        "ports": ports,
        "limits": {"memory": memory_limit(), "cpu": _cpu_limit()},
    }


def fingerprint(key: bytes, name: str, value: str) -> str:
    """Return a keyed hash of a variable. Without the key, not even a short value can be guessed from it."""
    from hashlib import blake2b

    data = name.encode(errors="surrogateescape") + b"\0" + value.encode(errors="surrogateescape")
    return blake2b(data, key=key[:64], digest_size=16).hexdigest()


def traits(name: str, value: str) -> list[str]:
    """Return properties of a value that do not reveal it."""
    found = []
    if not value:
        found.append("empty")
    if _LOOPBACK.search(value):
        found.append("loopback")
    if name.endswith(("_PORT", "_TCP", "_UDP")) and _LINK.fullmatch(value):
        found.append("service-link")
    if _UNDERSCORE_HOST.search(value):
        found.append("underscore-host")
    return found


def _reach(services: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Resolve and connect to all services at once."""
    names: dict[str, dict[str, Any]] = {
        name: {"name": name, "addresses": 0, "error": "no answer"} for each in services for name in each["names"]
    }
    ports: list[dict[str, Any]] = [
        {"service": each["name"], "host": each["host"], "port": each["port"], "error": "no answer"} for each in services
    ]
    threads = [threading.Thread(target=_resolve, args=(each,), daemon=True) for each in names.values()]
    threads += [
        threading.Thread(target=_connect, args=(answer, each.get("http")), daemon=True)
        for each, answer in zip(services, ports)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    # Copies: a thread that is late must not change what is printed.
    return [dict(each) for each in names.values()], [dict(each) for each in ports]


def _resolve(answer: dict[str, Any]) -> None:
    try:
        found = socket.getaddrinfo(answer["name"], None, type=socket.SOCK_STREAM)
        answer.update(addresses=len({each[4][0] for each in found}), error="")
    except (OSError, UnicodeError) as error:
        answer["error"] = str(error)[:_LONG]


def _connect(answer: dict[str, Any], path: str | None) -> None:
    host, port = answer["host"], answer["port"]
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_SECONDS / 4).close()
        answer["loopback"] = True
    except OSError:
        answer["loopback"] = False
    started = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            if path:
                request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                connection.sendall(request.encode("ascii", "replace"))
                connection.recv(1)
        answer.update(seconds=round(time.monotonic() - started, 6), error="")
    except (OSError, UnicodeError) as error:
        answer["error"] = (str(error) or type(error).__name__)[:_LONG]


def _resolver(text: str) -> tuple[list[str], int]:
    """Return the search path and ndots of a resolv.conf."""
    search: list[str] = []
    ndots = 1
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["search"]:
            search = words[1:]
        elif words[:1] == ["options"]:
            for word in words[1:]:
                if word.startswith("ndots:") and word[6:].isdigit():
                    ndots = int(word[6:])
    return search, ndots


def _mounts(text: str) -> list[dict[str, Any]]:
    """Return the mounts of a /proc/PID/mountinfo, without those that every container has."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 6 or not kind or fields[4].startswith(("/proc", "/sys", "/dev")):  # noqa: PLR2004
            continue
        options = [*fields[5].split(","), *(kind[2].split(",") if fields[4] == "/" and len(kind) > 2 else [])]  # noqa: PLR2004
        path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        found.append({"path": path, "kind": kind[0], "read_only": "ro" in options})
    return found


def _cpu_limit() -> float:
    """Return the CPU limit in cores; 0 without a limit."""
    quota, period = [*_read("/sys/fs/cgroup/cpu.max").split(), "", ""][:2]
    if not quota:
        quota, period = (_read(f"/sys/fs/cgroup/cpu/cpu.cfs_{each}_us").strip() for each in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else 0.0


def _read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
