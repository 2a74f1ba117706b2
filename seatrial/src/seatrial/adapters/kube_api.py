"""Access the Kubernetes API: requests with retries, watches, logs and commands in pods.

Objects are the JSON of the API: https://kubernetes.io/docs/reference/using-api/api-concepts/. The client uses
`http.client`, because the two client libraries that were tried take at least 0.25 s to import.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from seatrial.adapters.api_resources import ApiResources
from seatrial.adapters.api_streams import ApiStreams
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
"""Seconds to connect, including TLS: a suspended machine accepts the connection and sends nothing."""

_PAUSES: Final = (0.1, 0.5, 2.0)
"""Seconds between attempts if the server is unreachable, starting or busy."""

_BUSY: Final = (429, 500, 502, 503, 504)
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_GONE: Final = 410
_ERROR: Final = 400


class KubeApi:
    """The API of one cluster. Thread-safe: each thread has its own connection.

    Args:
        access: how to reach the API.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._resources = ApiResources(lambda path: self._json("GET", path, missing_ok=True))

    def version(self) -> str:
        """Return the server's version: `v1.34.4`."""
        return str(self._found("GET", "/version")["gitVersion"])

    def answers(self, seconds: float) -> bool:
        """Return whether the server answers one request within some seconds."""
        connection = self._connection(timeout=seconds)
        try:
            _send(connection, "GET", self._target("/version", {}), self._headers())
            return connection.getresponse().status < _ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object; None if it does not exist."""
        return self._json("GET", self._resources.path(kind, namespace, name), missing_ok=True)

    def objects(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        """Return the objects of a kind that match a label selector, in one namespace or in all."""
        query = {"labelSelector": labels} if labels else {}
        return self._listed(kind, self._found("GET", self._resources.path(kind, namespace), query=query))

    def watch(self, kind: str, namespace: str = "") -> ApiWatch:
        """Return a watch on the objects of a kind."""
        return ApiWatch(self, kind, self._resources.path(kind, namespace))

    def streams(self) -> ApiStreams:
        """Return a reader of many watches and logs in one thread; the caller closes it."""
        return ApiStreams(_StreamRequests(self._access, self._resources.path, self._target, self._headers))

    def apply(self, obj: Object) -> Object:
        """Apply an object (server-side apply, with force); return the result."""
        meta = obj["metadata"]
        kind = f"{obj['apiVersion']}/{obj['kind']}"
        path = self._resources.path(kind, meta.get("namespace", ""), meta["name"])
        query = {"fieldManager": _MANAGER, "force": "true"}
        return self._found("PATCH", path, query=query, body=obj, content_type="application/apply-patch+yaml")

    def dry_run_create(self, obj: Object, *, user: str, groups: Sequence[str]) -> str:
        """Create an object as another user in a dry run; return why the API refuses it, empty if it accepts."""
        meta = obj["metadata"]
        path = self._resources.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""))
        impersonation = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        status, answer = self._request(
            "POST", path, {"dryRun": "All"}, json.dumps(obj).encode(), "application/json", impersonation=impersonation
        )
        return _reason(status, answer) if status >= _ERROR else ""

    def create(self, obj: Object) -> bool:
        """Create an object; return False if it already exists."""
        meta = obj["metadata"]
        path = self._resources.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""))
        return self._unless_conflict("POST", path, obj)

    def replace(self, obj: Object) -> bool:
        """Replace an object that was read before; return False if another client changed or deleted it since."""
        meta = obj["metadata"]
        path = self._resources.path(f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""), meta["name"])
        return self._unless_conflict("PUT", path, obj)

    def _unless_conflict(self, method: str, path: str, obj: Object) -> bool:
        status, answer = self._request(method, path, {}, json.dumps(obj).encode(), "application/json")
        if status in (_CONFLICT, _NOT_FOUND):
            return False
        if status >= _ERROR:
            raise EnvironmentFailed(f"the Kubernetes API refuses {method} {path}", reason=_reason(status, answer))
        return True

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool:
        """Delete an object and its dependents, without waiting; return whether it existed."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        path = self._resources.path(kind, namespace, name)
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
        timestamps: bool = False,
    ) -> bytes:
        """Return the log of a container, its last `tail` lines or all of it; empty if it never ran."""
        query = log_query(container, tail=tail, since=since, previous=previous, timestamps=timestamps)
        path = self._resources.path("v1/Pod", namespace, pod) + "/log"
        status, body = self._request("GET", path, query)
        return body if status < _ERROR else b""

    def follow(
        self, pod: str, namespace: str, container: str, *, tail: int | None = None, since: int | None = None
    ) -> ApiLines:
        """Return the lines that a container prints until it terminates."""
        path = self._resources.path("v1/Pod", namespace, pod) + "/log"
        return ApiLines(self.stream, path, log_query(container, tail=tail, since=since))

    def exec(self, pod: str, namespace: str) -> PodExec:
        """Return a way to run commands in a pod."""
        return ApiPodExec(self.websocket, self._resources.path("v1/Pod", namespace, pod))

    def websocket(self, target: str, subprotocols: tuple[str, ...], *, silence: float) -> WebSocket:
        """Open a WebSocket to a path of the API.

        Raises:
            HandshakeRefused: the server does not upgrade the connection.
            StreamBroken: the connection was lost.
            EnvironmentFailed: the server does not answer.
        """
        connection = self._connection()
        try:
            connection.connect()
        except OSError as error:
            raise self._no_answer(error) from error
        web = WebSocket(connection.sock, silence=silence)
        host = f"{self._access.host}:{self._access.port}"
        try:
            web.open(host, self._access.path + target, self._headers(accept="*/*"), subprotocols)
        except BaseException:
            web.close()
            raise
        return web

    def close(self) -> None:
        """Close all connections, which ends all watches."""
        with self._lock:
            connections, self._open = tuple(self._open), set()
        for connection in connections:
            _disconnect(connection)

    def stream(
        self, path: str, query: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a GET; return the connection, which the caller closes, and the open response."""
        connection = self._connection(timeout=None)
        try:
            _send(connection, "GET", self._target(path, query), self._headers())
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            _disconnect(connection)
            raise
        with self._lock:
            self._open.add(connection)
        return connection, response

    def listing(self, kind: str, path: str) -> tuple[list[Object], str]:
        """Return the objects of a path, and the resource version from which a watch continues."""
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
            raise EnvironmentFailed(f"{args[1]} not found in the cluster")
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
            raise failed(f"the Kubernetes API refuses {method} {path}", reason=_reason(status, answer))
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
        """Send a request; return status and body. Every request is idempotent, so failed ones are retried."""
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
                # After a timeout the server is not just restarting.
                if pause is None or isinstance(error, TimeoutError):
                    raise self._no_answer(error) from error
            else:
                if status not in _BUSY or pause is None:
                    return status, body
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _headers(
        self, impersonation: tuple[tuple[str, str], ...] = (), *, accept: str = "application/json"
    ) -> list[tuple[str, str]]:
        """Return the headers of a request. Impersonate-Group may occur several times."""
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
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connection()
            with self._lock:
                self._open.add(connection)
        return connection

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        self._local.connection = None
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _no_answer(self, error: Exception) -> EnvironmentFailed:
        where = f"{self._access.host}:{self._access.port}"
        return EnvironmentFailed(
            f"the Kubernetes API at {where} does not answer",
            reason=str(error) or type(error).__name__,
            hint="seatrial status",
        )


def open_connection(access: Access, timeout: float | None) -> http.client.HTTPConnection:
    """Return a connection to an API server, not opened yet."""
    if access.tls is None:
        return http.client.HTTPConnection(access.host, access.port, timeout=timeout)
    return _TlsConnection(access, timeout)


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes | None = None,
) -> None:
    """Send a request with headers that may repeat, which `http.client.request` does not support."""
    connection.putrequest(method, target)
    for name, value in headers:
        connection.putheader(name, value.encode())
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)


class ApiWatch:
    """Changes of the objects of one path until `close`; survives gaps and restarts of the server."""

    def __init__(self, api: KubeApi, kind: str, path: str) -> None:
        self._api = api
        self._kind = kind
        self._path = path
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = threading.Event()
        self._version = ""
        """Resource version to continue from; empty: list again."""

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
        """End the iteration, from any thread."""
        with self._lock:
            self._closed.set()
            if self._connection:
                # The iterating thread closes the connection: http.client does not allow it during a read.
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
                    # The server closes each watch after some minutes.
                    return
            # Usually 410 Gone: the resource version is too old.
            self._version = ""
        finally:
            _disconnect(connection)


@dataclass(frozen=True, slots=True)
class _StreamRequests:
    """What the streams of a client need of it."""

    access: Access
    path: Callable[..., str]
    target: Callable[[str, Mapping[str, str]], str]
    header_list: Callable[[], list[tuple[str, str]]]

    def connect(self) -> socket.socket:
        """Return a new connection to the server."""
        connection = open_connection(self.access, _HANDSHAKE)
        connection.connect()
        return connection.sock

    def headers(self) -> bytes:
        """Return the headers of a request."""
        host = ("Host", f"{self.access.host}:{self.access.port}")
        return "".join(f"{name}: {value}\r\n" for name, value in (host, *self.header_list())).encode() + b"\r\n"


class _TlsConnection(http.client.HTTPSConnection):
    """An HTTPS connection that verifies the configured server name and disables Nagle's algorithm."""

    def __init__(self, access: Access, timeout: float | None) -> None:
        super().__init__(access.host, access.port, timeout=timeout, context=access.tls)
        self._access = access

    def connect(self) -> None:
        timeout = min(_HANDSHAKE, self.timeout or _HANDSHAKE)
        plain = socket.create_connection((self._access.host, self._access.port), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert self._access.tls is not None  # noqa: S101 - for the type checker
        self.sock = self._access.tls.wrap_socket(plain, server_hostname=self._access.server_name)
        self.sock.settimeout(self.timeout)


def _disconnect(connection: http.client.HTTPConnection) -> None:
    """Close a connection and wake the thread that reads from it."""
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
