"""Where a cluster's API is and who we are there, out of a kubeconfig file.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.ports import Processes

__all__ = ["Access", "contexts", "extract", "load_access"]

_PLUGIN_SECONDS = 60.0
_EARLY: Final = timedelta(seconds=10)
"""A credential that expires within this time is asked for again."""

_PLUGIN_CONFIG: Final = "client.authentication.k8s.io/exec"
"""Name of the cluster's extension that a credential plugin gets as its own configuration."""

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one cluster.

    Attributes:
        host: name or address of the API server.
        port: its port.
        path: prefix of all its paths, without a slash at the end.
        tls: None: plain HTTP.
        server_name: name that its certificate must carry, if that is not `host`.
        authorization: returns the value of the Authorization header, empty if there is none; may run a plugin.
        namespace: the context's own.
        impersonation: headers that let us act as another user: `as`, `as-uid`, `as-groups`, `as-user-extra`.
    """

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    server_name: str
    authorization: Callable[[], str]
    namespace: str
    impersonation: tuple[tuple[str, str], ...] = ()


def contexts(path: Path) -> tuple[str, ...]:
    """Return the names of the contexts in a kubeconfig file, none if there is no such file."""
    return tuple(str(entry["name"]) for entry in _read(path).get("contexts") or ()) if path.is_file() else ()


def load_access(path: Path, context: str, processes: Processes) -> Access:
    """Return the access that a context of a kubeconfig file gives.

    Args:
        path: the file.
        context: name of the context; never its current one, which another terminal may change.
        processes: runs the credential plugin, if the user has one.

    Raises:
        UsageError: the file or what it names is not there or not understood.
    """
    config = _read(path)
    chosen = _named(config, "contexts", "context", context, path)
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster", ""), path)
    user = _named(config, "users", "user", chosen["user"], path) if chosen.get("user") else {}
    if cluster.get("proxy-url"):
        raise UsageError(
            f"{path}: the cluster of context {context!r} has a proxy-url, which seatrial does not support",
            reason="it would talk to the API server directly, while Helm would use the proxy",
            hint="a context without proxy-url, for example by a tunnel to the API server",
        )
    if user.get("auth-provider"):
        raise UsageError(
            f"{path}: the user of context {context!r} has an auth-provider, which Kubernetes 1.26 removed",
            hint="a credential plugin: exec",
        )
    server = urlsplit(str(cluster.get("server", "")))
    if server.scheme not in ("http", "https") or not server.hostname:
        raise UsageError(f"{path}: cluster of context {context!r} has no server URL")
    plugin = _Plugin(user["exec"], cluster, path, processes) if user.get("exec") else None
    tls = _tls(cluster, user, plugin, path.parent) if server.scheme == "https" else None
    return Access(
        host=server.hostname,
        port=server.port or (443 if tls else 80),
        path=server.path.rstrip("/"),
        tls=tls,
        server_name=str(cluster.get("tls-server-name") or server.hostname),
        authorization=_authorization(user, plugin, path.parent),
        namespace=str(chosen.get("namespace") or "default"),
        impersonation=_impersonation(user, path),
    )


def extract(path: Path, context: str, *, namespace: str) -> dict[str, Any]:
    """Return a kubeconfig that has one context of another one, and that as its current one.

    Args:
        path: the other one.
        context: name of the context.
        namespace: what the context is to have as its own.

    Raises:
        UsageError: the file or what it names is not there or not understood.
    """
    config, base = _read(path), path.parent.resolve()
    chosen = _named(config, "contexts", "context", context, path)
    cluster = _absolute(_named(config, "clusters", "cluster", chosen.get("cluster", ""), path), base)
    name = chosen.get("user") or ""
    user = _absolute(_named(config, "users", "user", name, path), base) if name else {}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {**chosen, "namespace": namespace}}],
        "clusters": [{"name": chosen.get("cluster", ""), "cluster": cluster}],
        "users": [{"name": name, "user": user}] if name else [],
    }


def _absolute(section: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return a section whose files are found from everywhere."""
    found: dict[str, Any] = {
        key: str(base / value) if key in _FILES and value else value for key, value in section.items()
    }
    if found.get("exec"):
        found["exec"] = {**found["exec"], "command": _command(found["exec"], base)}
    return found


def _command(plugin: Mapping[str, Any], base: Path) -> str:
    """Return the command of a credential plugin: a path is relative to the kubeconfig file, a bare name is on PATH."""
    command = str(plugin.get("command") or "")
    return str(base / command) if "/" in command else command


def _impersonation(user: Mapping[str, Any], path: Path) -> tuple[tuple[str, str], ...]:
    """Return the headers of a user that acts as another one.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

    Raises:
        UsageError: the section is not understood.
    """
    pairs = tuple(_impersonated(user, path))
    if pairs and pairs[0][0] != "Impersonate-User":
        raise UsageError(
            f"{path}: {', '.join(key for key in user if key.startswith('as-'))} without as",
            reason="groups, a uid and extra values belong to a user that is impersonated",
            hint="add as: NAME to the user",
        )
    for _, value in pairs:
        if not value.isprintable():
            raise UsageError(f"{path}: cannot impersonate {value!r}: it has characters that are not printable")
    return pairs


def _impersonated(user: Mapping[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    def listed(key: str, values: object) -> list[str]:
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise UsageError(f"{path}: {key} is not a list of texts: {values!r}")
        return values

    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if value := user.get(key):
            if not isinstance(value, str):
                raise UsageError(f"{path}: {key} is not a text: {value!r}", hint=f'{key}: "{value}"')
            yield header, value
    for group in listed("as-groups", user.get("as-groups") or []):
        yield "Impersonate-Group", group
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise UsageError(f"{path}: as-user-extra is not a mapping of lists: {extra!r}")
    for key, values in extra.items():
        for value in listed(f"as-user-extra.{key}", values):
            yield f"Impersonate-Extra-{quote(str(key), safe='')}", value


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(f"cannot read kubeconfig {path}", reason=str(error.strerror)) from error
    if text.lstrip().startswith("{"):
        # Our own copies are JSON, which needs no YAML parser: 50 ms of each `seatrial test`.
        config = json.loads(text)
    else:
        import yaml  # noqa: PLC0415

        try:
            config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
        except yaml.YAMLError as error:
            raise UsageError(f"{path} is not YAML", reason=" ".join(str(error).split())) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} is not a kubeconfig file")
    return config


def _named(config: dict[str, Any], section: str, key: str, name: str, path: Path) -> dict[str, Any]:
    entries = {entry.get("name"): entry.get(key) or {} for entry in config.get(section) or ()}
    if name not in entries:
        there = ", ".join(sorted(str(name) for name in entries)) or "none"
        raise UsageError(f"{path} has no {key} {name!r}", reason=f"it has: {there}", hint="kubectl config get-contexts")
    found: dict[str, Any] = entries[name]
    return found


def _pem(section: dict[str, Any], key: str, base: Path) -> str:
    """Return the PEM text of `key`, from `key-data` or the file that `key` names; empty if there is neither."""
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"]).decode()
    return (base / section[key]).read_text() if section.get(key) else ""


def _tls(cluster: dict[str, Any], user: dict[str, Any], plugin: _Plugin | None, base: Path) -> ssl.SSLContext:
    # Not create_default_context: since Python 3.13 it refuses certificates without an Authority Key Identifier,
    # among them those of many a kubeadm cluster.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority := _pem(cluster, "certificate-authority", base):
        context.load_verify_locations(cadata=authority)
    else:
        context.load_default_certs()
    certificate, key = _pem(user, "client-certificate", base), _pem(user, "client-key", base)
    if plugin and not certificate:
        certificate, key = plugin.certificate()
    if certificate:
        # ssl reads certificates from files only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(certificate + "\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _authorization(user: dict[str, Any], plugin: _Plugin | None, base: Path) -> Callable[[], str]:
    if token_file := user.get("tokenFile"):
        # Read each time: such tokens are rotated.
        return lambda: f"Bearer {(base / token_file).read_text().strip()}"
    if token := user.get("token"):
        return lambda: f"Bearer {token}"
    if user.get("username"):
        basic = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
        return lambda: f"Basic {basic}"
    if plugin:
        return plugin.authorization
    return lambda: ""


class _Plugin:
    """A credential plugin: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins."""

    def __init__(self, spec: dict[str, Any], cluster: Mapping[str, Any], path: Path, processes: Processes) -> None:
        self._spec = spec
        self._cluster = cluster
        self._path = path
        self._processes = processes
        self._status: dict[str, Any] | None = None
        if spec.get("interactiveMode") == "Always":
            raise UsageError(
                f"{path}: credential plugin {spec.get('command')} asks for input, which seatrial cannot give it",
                hint="interactiveMode: IfAvailable, and log in beforehand",
            )
        if not spec.get("command"):
            raise UsageError(f"{path}: a credential plugin (exec) has no command")

    def authorization(self) -> str:
        token = self._credential().get("token")
        return f"Bearer {token}" if token else ""

    def certificate(self) -> tuple[str, str]:
        status = self._credential()
        return status.get("clientCertificateData", ""), status.get("clientKeyData", "")

    def _credential(self) -> dict[str, Any]:
        if self._status is None or _expired(self._status):
            argv = [_command(self._spec, self._path.parent), *(self._spec.get("args") or ())]
            version = self._spec.get("apiVersion", "client.authentication.k8s.io/v1")
            asked: dict[str, Any] = {"interactive": False}
            if self._spec.get("provideClusterInfo"):
                asked["cluster"] = self._cluster_info()
            info = {"apiVersion": version, "kind": "ExecCredential", "spec": asked}
            env = {entry["name"]: entry["value"] for entry in self._spec.get("env") or ()}
            env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
            if not self._processes.find(argv[0]):
                raise UsageError(
                    f"{self._path}: credential plugin {argv[0]} is not on PATH",
                    reason=" ".join(str(self._spec.get("installHint") or "").split()),
                )
            done = self._processes.run(argv, deadline=Deadline.after(_PLUGIN_SECONDS), env=env)
            try:
                self._status = dict(json.loads(done.stdout)["status"])
            except (ValueError, KeyError, TypeError) as error:
                raise EnvironmentFailed(f"{argv[0]} gave no credential for the cluster") from error
        return self._status

    def _cluster_info(self) -> dict[str, Any]:
        names = ("server", "tls-server-name", "insecure-skip-tls-verify")
        found = {name: self._cluster[name] for name in names if self._cluster.get(name)}
        if authority := _pem(dict(self._cluster), "certificate-authority", self._path.parent):
            found["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
        for entry in self._cluster.get("extensions") or ():
            if entry.get("name") == _PLUGIN_CONFIG:
                found["config"] = entry.get("extension")
        return found


def _expired(status: Mapping[str, Any]) -> bool:
    """Whether a credential has to be asked for again."""
    try:
        until = datetime.fromisoformat(str(status["expirationTimestamp"]))
    except (KeyError, ValueError):
        return False
    return until.astimezone(UTC) - _EARLY <= datetime.now(UTC)
