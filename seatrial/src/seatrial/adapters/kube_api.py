"""The Kubernetes API: objects as the JSON that it speaks, watches, logs, commands in pods.

On the standard library's HTTP client: the two libraries we tried cost each `seatrial test` 0.25 s and more to import,
and neither forwards ports. https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

from seatrial.adapters.api_resources import Kinds
from seatrial.adapters.kubeconfig import Access
from seatrial.adapters.pod_exec import ApiPodExec
from seatrial.adapters.pod_logs import ApiLines, log_query
from seatrial.adapters.websocket import WebSocket
from seatrial.model.errors import AccessDenied, EnvironmentFailed, NotServed
from seatrial.ports import Change, Object, PodExec

__all__ = ["KubeApi", "open_connection"]

_MANAGER: Final = "seatrial"
_TIMEOUT: Final = 30.0
_HANDSHAKE: Final = 10.0
"""Seconds for a connection to stand: a machine that sleeps takes it and says nothing."""

_PAUSES: Final = (0.1, 0.5, 2.0)
"""Seconds between the tries of a request that found nobody, or a server that is starting or busy."""

_BUSY: Final = (429, 500, 502, 503, 504)
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_GONE: Final = 410
_ERROR: Final = 400


class KubeApi:
    """One cluster's API. Safe for threads: each has its own connection."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._kinds = Kinds(lambda path: self._json("GET", path, missing_ok=True))

    def version(self) -> str:
        """Return the server's version: `v1.34.4`."""
        return str(self._found("GET", "/version")["gitVersion"])

    def answers(self, seconds: float) -> bool:
        """Say whether the server answers within some seconds, asked once."""
        connection = self._connection(timeout=seconds)
        try:
            _send(connection, "GET", self._target("/version", {}), self._headers())
            return connection.getresponse().status < _ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, None if there is none."""
        return self._json("GET", self._kinds.path(kind, namespace, name), missing_ok=True)

    def objects(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        """Return all objects of a kind in a namespace, or in all, that a label selector selects."""
        query = {"labelSelector": labels} if labels else {}
        return self._listed(kind, self._found("GET", self._kinds.path(kind, namespace), query=query))

    def watch(self, kind: str, namespace: str = "") -> ApiWatch:
        """Return what happens to the objects of a kind from now on."""
        return ApiWatch(self, kind, self._kinds.path(kind, namespace))

    def apply(self, obj: Object) -> Object:
        """Make an object so, whoever changed it before (server-side apply), and return it as it is then."""
        meta = obj["metadata"]
        kind = f"{obj['apiVersion']}/{obj['kind']}"
        path = self._kinds.path(kind, meta.get("namespace", ""), meta["name"])
        query = {"fieldManager": _MANAGER, "force": "true"}
        return self._found("PATCH", path, query=query, body=obj, content_type="application/apply-patch+yaml")

    def rehearse(self, obj: Object, *, user: str, groups: Sequence[str]) -> str:
        """Return why the API refuses to create an object as another user, empty if it does not; create nothing."""
        meta = obj["metadata"]
        path = self._kinds.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""))
        as_them = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        status, answer = self._request(
            "POST", path, {"dryRun": "All"}, json.dumps(obj).encode(), "application/json", impersonation=as_them
        )
        return _reason(status, answer) if status >= _ERROR else ""

    def create(self, obj: Object) -> bool:
        """Make an object; False: there is one of its name."""
        meta = obj["metadata"]
        path = self._kinds.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""))
        return self._unless_conflict("POST", path, obj)

    def replace(self, obj: Object) -> bool:
        """Write an object that was read before; False: somebody else wrote it in between, or removed it."""
        meta = obj["metadata"]
        path = self._kinds.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""), meta["name"])
        return self._unless_conflict("PUT", path, obj)

    def _unless_conflict(self, method: str, path: str, obj: Object) -> bool:
        status, answer = self._request(method, path, {}, json.dumps(obj).encode(), "application/json")
        if status in (_CONFLICT, _NOT_FOUND):
            return False
        if status >= _ERROR:
            raise EnvironmentFailed(f"the cluster refuses {method} {path}", reason=_reason(status, answer))
        return True

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool:
        """Delete an object and what it owns, without waiting; say whether it was there."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        path = self._kinds.path(kind, namespace, name)
        return self._json("DELETE", path, body=options, missing_ok=True) is not None

    def logs(
        self,
        pod: str,
        namespace: str,
        container: str,
        *,
        tail: int | None = None,
        since: int | None = None,
        previous: bool = False,
    ) -> bytes:
        """Return what a container printed, its last `tail` lines or all that is kept; empty if it never ran."""
        query = log_query(container, tail=tail, since=since, previous=previous)
        path = self._kinds.path("v1/Pod", namespace, pod) + "/log"
        status, body = self._request("GET", path, query)
        return body if status < _ERROR else b""

    def follow(
        self, pod: str, namespace: str, container: str, *, tail: int | None = None, since: int | None = None
    ) -> ApiLines:
        """Return the lines that a container prints, until it ends."""
        path = self._kinds.path("v1/Pod", namespace, pod) + "/log"
        return ApiLines(self.stream, path, log_query(container, tail=tail, since=since))

    def exec(self, pod: str, namespace: str) -> PodExec:
        """Return a way to run commands in a pod."""
        return ApiPodExec(self.websocket, self._kinds.path("v1/Pod", namespace, pod))

    def websocket(self, target: str, subprotocols: tuple[str, ...], *, silence: float) -> WebSocket:
        """Open a WebSocket to a path of the API.

        Raises:
            HandshakeRefused: the server says no.
            StreamBroken: there is no connection.
            EnvironmentFailed: nobody answers there.
        """
        connection = self._connection()
        try:
            connection.connect()
        except OSError as error:
            raise self._silent(error) from error
        web = WebSocket(connection.sock, silence=silence)
        host = f"{self._access.host}:{self._access.port}"
        try:
            web.open(host, self._access.path + target, self._headers(accept="*/*"), subprotocols)
        except BaseException:
            web.close()
            raise
        return web

    def close(self) -> None:
        """Close all connections; watches end."""
        with self._lock:
            connections, self._open = tuple(self._open), set()
        for connection in connections:
            _hang_up(connection)

    def stream(
        self, path: str, query: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a GET and return its open response, with the connection that the caller hangs up."""
        connection = self._connection(timeout=None)
        try:
            _send(connection, "GET", self._target(path, query), self._headers())
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            _hang_up(connection)
            raise
        with self._lock:
            self._open.add(connection)
        return connection, response

    def listing(self, kind: str, path: str) -> tuple[list[Object], str]:
        """Return all objects of a path, and the version of the list, from which a watch can go on."""
        found = self._found("GET", path)
        return self._listed(kind, found), str(found["metadata"].get("resourceVersion", ""))

    @staticmethod
    def _listed(kind: str, found: Object) -> list[Object]:
        # The items of a list carry neither apiVersion nor kind.
        api, _, bare = kind.rpartition("/")
        return [{"apiVersion": api, "kind": bare, **item} for item in found.get("items") or ()]

    def _found(self, *args: Any, **kwargs: Any) -> Object:
        found = self._json(*args, **kwargs)
        if found is None:
            raise EnvironmentFailed(f"the cluster has no {args[1]}")
        return found

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        missing_ok: bool = False,
    ) -> Object | None:
        data = json.dumps(body).encode() if body is not None else None
        status, answer = self._request(method, path, query or {}, data, content_type)
        if status == _NOT_FOUND and missing_ok:
            return None
        if status >= _ERROR:
            failed = {_FORBIDDEN: AccessDenied, _NOT_FOUND: NotServed}.get(status, EnvironmentFailed)
            raise failed(f"the cluster refuses {method} {path}", reason=_reason(status, answer))
        result: Object = json.loads(answer)
        return result

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        data: bytes | None = None,
        content_type: str = "",
        *,
        impersonation: tuple[tuple[str, str], ...] = (),
    ) -> tuple[int, bytes]:
        """Send a request and return status and body. All our requests may be sent twice, so broken ones are."""
        headers = self._headers(impersonation)
        if data is not None:
            headers.append(("Content-Type", content_type))
        target = self._target(path, query)
        for pause in (*_PAUSES, None):
            connection = self._pooled()
            try:
                _send(connection, method, target, headers, data)
                response = connection.getresponse()
                status, body = response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                self._drop(connection)
                # Who was silent for all that time is not between two starts.
                if pause is None or isinstance(error, TimeoutError):
                    raise self._silent(error) from error
            else:
                if status not in _BUSY or pause is None:
                    return status, body
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _headers(
        self, impersonation: tuple[tuple[str, str], ...] = (), *, accept: str = "application/json"
    ) -> list[tuple[str, str]]:
        """Return the headers of a request; a user is impersonated with several groups."""
        authorization = self._access.authorization()
        return [
            ("Accept", accept),
            ("User-Agent", _MANAGER),
            *([("Authorization", authorization)] if authorization else []),
            *(impersonation or self._access.impersonation),
        ]

    def _target(self, path: str, query: Mapping[str, str]) -> str:
        return self._access.path + path + (f"?{urlencode(query)}" if query else "")

    def _connection(self, *, timeout: float | None = _TIMEOUT) -> http.client.HTTPConnection:
        return open_connection(self._access, timeout)

    def _pooled(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._connection()
            with self._lock:
                self._open.add(connection)
        return connection

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        self._mine.connection = None
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _silent(self, error: Exception) -> EnvironmentFailed:
        where = f"{self._access.host}:{self._access.port}"
        return EnvironmentFailed(
            f"the cluster's API at {where} does not answer",
            reason=str(error) or type(error).__name__,
            hint="seatrial status",
        )


def open_connection(access: Access, timeout: float | None) -> http.client.HTTPConnection:
    """Return a connection to an API server that is not open yet."""
    if access.tls is None:
        return http.client.HTTPConnection(access.host, access.port, timeout=timeout)
    return _NamedConnection(access, timeout)


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes | None = None,
) -> None:
    """Send a request whose headers may repeat, which `http.client` takes from no dictionary."""
    connection.putrequest(method, target)
    for name, value in headers:
        connection.putheader(name, value.encode())
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)


class ApiWatch:
    """Changes of the objects of one path, through gaps and restarts of the server, until it is closed."""

    def __init__(self, api: KubeApi, kind: str, path: str) -> None:
        self._api = api
        self._kind = kind
        self._path = path
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = threading.Event()
        self._version = ""
        """Where to go on; empty: list anew."""

    def __iter__(self) -> Iterator[Change]:
        while not self._closed.is_set():
            if not self._version:
                objects, self._version = self._api.listing(self._kind, self._path)
                yield Change(type="synced", objects=tuple(objects))
            try:
                yield from self._changes()
            except (OSError, ValueError, http.client.HTTPException):
                if not self._closed.is_set():
                    time.sleep(_PAUSES[0])

    def close(self) -> None:
        """End the iteration, from whatever thread."""
        with self._lock:
            self._closed.set()
            if self._connection:
                # The iterating thread closes it: http.client takes no close in the middle of a read.
                _wake(self._connection)

    def _changes(self) -> Iterator[Change]:
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._version}
        connection, response = self._api.stream(self._path, query)
        with self._lock:
            self._connection = connection
        try:
            if self._closed.is_set():
                return
            if response.status >= _ERROR and response.status != _GONE:
                raise OSError(f"HTTP status {response.status}")
            for line in response if response.status < _ERROR else ():
                if self._closed.is_set():
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                self._version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield Change(type=event["type"].lower(), objects=(event["object"],))
            else:
                if response.status < _ERROR:
                    # The server ends each watch after some minutes.
                    return
            # Mostly 410 Gone: too much happened in between.
            self._version = ""
        finally:
            _hang_up(connection)


class _NamedConnection(http.client.HTTPSConnection):
    """HTTPS whose certificate may carry another name than the host, and without Nagle's delay."""

    def __init__(self, access: Access, timeout: float | None) -> None:
        super().__init__(access.host, access.port, timeout=timeout, context=access.tls)
        self._access = access

    def connect(self) -> None:
        patience = min(_HANDSHAKE, self.timeout or _HANDSHAKE)
        plain = socket.create_connection((self._access.host, self._access.port), patience)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert self._access.tls is not None  # noqa: S101 - for the type checker
        self.sock = self._access.tls.wrap_socket(plain, server_hostname=self._access.server_name)
        self.sock.settimeout(self.timeout)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """Close a connection so that a thread that reads from it wakes."""
    _wake(connection)
    with suppress(OSError):
        connection.close()


def _wake(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _reason(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {status}: {body[:200].decode(errors='replace')}"
