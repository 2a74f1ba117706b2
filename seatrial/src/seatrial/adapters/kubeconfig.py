"""Read the address and the credentials of a cluster from a kubeconfig file.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import json
import shlex
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
"""A credential that expires within this time is requested again."""

_PLUGIN_CONFIG: Final = "client.authentication.k8s.io/exec"
"""Name of the cluster extension that is the configuration of a credential plugin."""

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one cluster.

    Attributes:
        host: name or address of the API server.
        port: its port.
        path: prefix of all API paths, without a trailing slash.
        tls: None: plain HTTP.
        server_name: expected name in the certificate.
        authorization: returns the value of the Authorization header, empty for none; may run a credential plugin.
        impersonation: headers from `as`, `as-uid`, `as-groups` and `as-user-extra`.
    """

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    server_name: str
    authorization: Callable[[], str]
    impersonation: tuple[tuple[str, str], ...] = ()


def contexts(path: Path) -> tuple[str, ...]:
    """Return the names of the contexts in a kubeconfig file; empty if the file does not exist."""
    return tuple(str(entry["name"]) for entry in _read(path).get("contexts") or ()) if path.is_file() else ()


def load_access(path: Path, context: str, processes: Processes) -> Access:
    """Return how to reach the cluster of a kubeconfig context.

    Args:
        path: the kubeconfig file.
        context: name of the context. The current context is never used: another terminal may change it.
        processes: runs the credential plugin.

    Raises:
        UsageError: the file, or a file that it names, cannot be read or is not valid.
    """
    config = _read(path)
    chosen = _named(config, "contexts", "context", context, path)
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster", ""), path)
    user = _named(config, "users", "user", chosen["user"], path) if chosen.get("user") else {}
    if cluster.get("proxy-url"):
        raise UsageError(
            f"context {context!r} in {path} has a proxy-url, which seatrial does not support",
            reason="seatrial would connect to the API server directly, while Helm would use the proxy",
            hint="use a context without proxy-url, for example through a tunnel to the API server",
        )
    if user.get("auth-provider"):
        raise UsageError(
            f"the user of context {context!r} in {path} has an auth-provider, which Kubernetes 1.26 removed",
            hint="use a credential plugin (`exec`)",
        )
    server = urlsplit(str(cluster.get("server", "")))
    if server.scheme not in ("http", "https") or not server.hostname:
        raise UsageError(
            f"the cluster of context {context!r} in {path} has no valid server URL",
            reason=f"server is {cluster.get('server')!r}, should be http:// or https:// and a host",
            hint=f"kubectl --kubeconfig {path} config set-cluster NAME --server URL",
        )
    plugin = _CredentialPlugin(user["exec"], cluster, path, processes) if user.get("exec") else None
    tls = _tls(cluster, user, plugin, path.parent) if server.scheme == "https" else None
    return Access(
        host=server.hostname,
        port=server.port or (443 if tls else 80),
        path=server.path.rstrip("/"),
        tls=tls,
        server_name=str(cluster.get("tls-server-name") or server.hostname),
        authorization=_authorization(user, plugin, path.parent),
        impersonation=_impersonation(user, path),
    )


def extract(path: Path, context: str, *, namespace: str) -> dict[str, Any]:
    """Return a kubeconfig with a single context of another kubeconfig, as its current context.

    Args:
        path: the other kubeconfig file.
        context: name of the context.
        namespace: default namespace of the context in the result.

    Raises:
        UsageError: the file cannot be read or is not valid.
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
    """Return a section with absolute file paths."""
    found: dict[str, Any] = {
        key: str(base / value) if key in _FILES and value else value for key, value in section.items()
    }
    if found.get("exec"):
        found["exec"] = {**found["exec"], "command": _command(found["exec"], base)}
    return found


def _command(plugin: Mapping[str, Any], base: Path) -> str:
    """Return the command of a credential plugin: a path relative to the kubeconfig file, or a name on PATH."""
    command = str(plugin.get("command") or "")
    return str(base / command) if "/" in command else command


def _impersonation(user: Mapping[str, Any], path: Path) -> tuple[tuple[str, str], ...]:
    """Return the impersonation headers of a user.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

    Raises:
        UsageError: a value has the wrong type.
    """
    pairs = tuple(_impersonated(user, path))
    if pairs and pairs[0][0] != "Impersonate-User":
        raise UsageError(
            f"a user in {path} has {', '.join(key for key in user if key.startswith('as-'))} without `as`",
            reason="groups, a uid and extra values require an impersonated user",
            hint="add `as: NAME` to the user",
        )
    for _, value in pairs:
        if not value.isprintable():
            raise UsageError(
                f"cannot impersonate {value!r} of {path}",
                reason="the value has characters that are not printable",
                hint="remove them from the user in the kubeconfig",
            )
    return pairs


def _impersonated(user: Mapping[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    def listed(key: str, values: object) -> list[str]:
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise UsageError(f"{path}: {key} is {values!r}, should be a list of strings", hint=f"{key}: [VALUE]")
        return values

    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if value := user.get(key):
            if not isinstance(value, str):
                raise UsageError(f"{path}: {key} is {value!r}, should be a string", hint=f'{key}: "{value}"')
            yield header, value
    for group in listed("as-groups", user.get("as-groups") or []):
        yield "Impersonate-Group", group
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise UsageError(
            f"{path}: as-user-extra is {extra!r}, should be a mapping of lists", hint="as-user-extra: {KEY: [VALUE]}"
        )
    for key, values in extra.items():
        for value in listed(f"as-user-extra.{key}", values):
            yield f"Impersonate-Extra-{quote(str(key), safe='')}", value


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(f"cannot read kubeconfig {path}", reason=str(error.strerror)) from error
    if text.lstrip().startswith("{"):
        # kubeconfigs that seatrial writes are JSON: the YAML parser would take 50 ms of each `seatrial test`.
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
        known = ", ".join(sorted(str(name) for name in entries)) or "none"
        raise UsageError(
            f"kubeconfig {path} has no {key} {name!r}",
            reason=f"its {section}: {known}",
            hint=f"kubectl --kubeconfig {path} config get-{section}",
        )
    found: dict[str, Any] = entries[name]
    return found


def _pem(section: dict[str, Any], key: str, base: Path) -> str:
    """Return the PEM text from `key-data` or the file in `key`; empty if neither is set."""
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"]).decode()
    return (base / section[key]).read_text() if section.get(key) else ""


def _tls(cluster: dict[str, Any], user: dict[str, Any], plugin: _CredentialPlugin | None, base: Path) -> ssl.SSLContext:
    # Not create_default_context: since Python 3.13 it refuses certificates without an Authority Key Identifier, which
    # many kubeadm clusters use.
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
        # The ssl module reads certificates from files only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(certificate + "\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _authorization(user: dict[str, Any], plugin: _CredentialPlugin | None, base: Path) -> Callable[[], str]:
    if token_file := user.get("tokenFile"):
        # Read each time, because such tokens are rotated.
        return lambda: f"Bearer {(base / token_file).read_text().strip()}"
    if token := user.get("token"):
        return lambda: f"Bearer {token}"
    if user.get("username"):
        basic = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
        return lambda: f"Basic {basic}"
    if plugin:
        return plugin.authorization
    return lambda: ""


class _CredentialPlugin:
    """A credential plugin: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins."""

    def __init__(self, spec: dict[str, Any], cluster: Mapping[str, Any], path: Path, processes: Processes) -> None:
        self._spec = spec
        self._cluster = cluster
        self._path = path
        self._processes = processes
        self._status: dict[str, Any] | None = None
        if spec.get("interactiveMode") == "Always":
            raise UsageError(
                f"credential plugin {spec.get('command')} of {path} requires input, which seatrial does not support",
                hint="set interactiveMode: IfAvailable, and log in before you run seatrial",
            )
        if not spec.get("command"):
            raise UsageError(f"a credential plugin (`exec`) in {path} has no command", hint="exec: {command: PROGRAM}")

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
            request: dict[str, Any] = {"interactive": False}
            if self._spec.get("provideClusterInfo"):
                request["cluster"] = self._cluster_info()
            info = {"apiVersion": version, "kind": "ExecCredential", "spec": request}
            env = {entry["name"]: entry["value"] for entry in self._spec.get("env") or ()}
            env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
            if not self._processes.find(argv[0]):
                raise UsageError(
                    f"credential plugin {argv[0]} of {self._path} is not on PATH",
                    reason=" ".join(str(self._spec.get("installHint") or "").split()),
                    hint=f"install {argv[0]}",
                )
            done = self._processes.run(argv, deadline=Deadline.after(_PLUGIN_SECONDS), env=env)
            try:
                self._status = dict(json.loads(done.stdout)["status"])
            except (ValueError, KeyError, TypeError) as error:
                raise EnvironmentFailed(
                    f"credential plugin {argv[0]} printed no credential",
                    reason="its output is not an ExecCredential with a status",
                    hint=f"run it by hand: {shlex.join(argv)}",
                ) from error
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
    """Whether a credential has expired, or will within `_EARLY`."""
    try:
        until = datetime.fromisoformat(str(status["expirationTimestamp"]))
    except (KeyError, ValueError):
        return False
    return until.astimezone(UTC) - _EARLY <= datetime.now(UTC)
