"""Find out why a container cannot be created or started. Pure.

Reasons are those of the kubelet: pkg/kubelet/container/sync_result.go and
pkg/kubelet/kuberuntime/kuberuntime_container.go of https://github.com/kubernetes/kubernetes/tree/v1.34.0
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seatrial.diagnose.rules.objects import container_spec, pod_ref, probe_text, short
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["START_REASONS", "cannot_start", "start_error"]

START_REASONS: Final = frozenset(
    ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError")
)
"""Reasons of a waiting container that cannot start."""

_KEY: Final = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) \S+?/(?P<name>\S+)")
_OBJECT: Final = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found')
_KINDS: Final = {"secret": "Secret", "configmap": "ConfigMap", "Secret": "Secret", "ConfigMap": "ConfigMap"}
_EXEC: Final = re.compile(r'exec: "(?P<command>[^"]*)"')
_MOUNT: Final = re.compile(r'error mounting "[^"]*" to rootfs at "(?P<path>[^"]+)".*: (?P<why>[^:]+)$', re.DOTALL)
_ABSENT: Final = re.compile(r"no such file or directory|executable file not found")
_RUNTIME: Final = re.compile(r"^.*(?:runc create failed|unable to start container process): ", re.DOTALL)
_POD: Final = re.compile(r" \(pod: .*\)$")
_COMMAND_HINT: Final = "compare its command with the image"


def cannot_start(pod: Object, container: str, reason: str, message: str) -> Finding:
    """Return why a waiting container cannot start. RunContainerError and StartError alternate, so both have one cause.

    Args:
        pod: the pod.
        container: name of the container.
        reason: one of `START_REASONS`.
        message: message of the kubelet.
    """
    ref, evidence = pod_ref(pod, container), (message,) if message else ()
    if reason == "CreateContainerConfigError":
        if "runAsNonRoot" in message or "non-numeric user" in message:
            return Finding(
                cause="RunAsNonRoot",
                subject=ref,
                message=f"container {container} must not run as root: {short(_POD.sub('', message))}",
                evidence=evidence,
                hint="set runAsUser in its securityContext, or a numeric USER in the Dockerfile of its image",
                brief="runs as root",
            )
        return Finding(
            cause=reason,
            subject=ref,
            message=f"container {container} cannot be configured: {_missing(pod, container, message)}",
            evidence=evidence,
            hint=_creation(pod, message),
            brief="lacks a setting",
        )
    if reason == "RunContainerError":
        return start_error(pod, container, message)
    if reason == "PostStartHookError":
        # The kubelet writes exit code and output of the hook to its own log alone.
        handler = (container_spec(pod, container).get("lifecycle") or {}).get("postStart") or {}
        return Finding(
            cause=reason,
            subject=ref,
            message=f"the postStart hook of container {container} failed"
            + (f": {probe_text(handler)}" if handler else ""),
            evidence=evidence,
            hint="run the hook's command in the image; the kubelet kills a container whose hook fails",
            brief="failed its postStart hook",
        )
    return Finding(
        cause=reason,
        subject=ref,
        message=f"container {container} cannot start: {short(_inner(message))}",
        evidence=evidence,
        hint="compare command, volumes and securityContext with the image",
        brief="cannot start",
    )


def start_error(pod: Object, container: str, message: str) -> Finding:
    """Return why the runtime could not start the process of a container: reason StartError or ContainerCannotRun."""
    command = found["command"] if (found := _EXEC.search(message)) else ""
    if "exec format error" in message:
        cause, detail = "ExecFormatError", f"{command} is no program for this CPU, or a script without #!"
        hint = "build the image for the platform of the nodes, or start the script with a #! line"
    elif command and _ABSENT.search(message):
        cause, detail, hint = "CommandNotFound", f"its image has no program {command}", _COMMAND_HINT
    elif command and "permission denied" in message:
        cause, detail, hint = (
            "CommandNotFound",
            f"{command} is not executable",
            f"{_COMMAND_HINT}, or chmod +x the file",
        )
    else:
        mount = _MOUNT.search(message)
        detail = f"its volume cannot be mounted at {mount['path']}: {mount['why']}" if mount else short(_inner(message))
        cause, hint = "StartError", "compare its command and volumes with the image"
    return Finding(
        cause=cause,
        subject=pod_ref(pod, container),
        message=f"container {container} cannot start: {detail}",
        evidence=(message,) if message else (),
        hint=hint,
        brief="cannot start",
    )


def _inner(message: str) -> str:
    """Return a message of the runtime without the steps that led to it."""
    return _RUNTIME.sub("", message)


def _missing(pod: Object, container: str, message: str) -> str:
    """Return which key or object is missing and which variable needs it."""
    if found := _KEY.search(message):
        kind, name, key = found["kind"], found["name"], found["key"]
        return f"{kind} {name} has no key {key}{_needed_by(pod, container, name, key)}"
    if found := _OBJECT.search(message):
        name = found["name"]
        return f"{_KINDS[found['kind']]} {name} does not exist{_needed_by(pod, container, name, '')}"
    return short(message)


def _needed_by(pod: Object, container: str, name: str, key: str) -> str:
    needs = list(_variables(container_spec(pod, container), name, key))
    return f" (needed by {', '.join(needs)})" if needs else ""


def _variables(spec: Object, name: str, key: str) -> Iterator[str]:
    for variable in spec.get("env") or ():
        source = variable.get("valueFrom") or {}
        reference = source.get("secretKeyRef") or source.get("configMapKeyRef") or {}
        if reference.get("name") == name and key in ("", reference.get("key")):
            yield f"variable {variable['name']}"
    for source in spec.get("envFrom") or ():
        if name == (source.get("secretRef") or source.get("configMapRef") or {}).get("name"):
            yield "envFrom"


def _creation(pod: Object, message: str) -> str:
    """Return how to create the missing object."""
    namespace = pod["metadata"].get("namespace", "")
    found = _KEY.search(message) or _OBJECT.search(message)
    if not found:
        return "create the Secret or ConfigMap with that key before the pod"
    kind = _KINDS[found["kind"]]
    listing = f"kubectl -n {namespace} describe {kind.lower()} {found['name']}"
    if "key" in found.groupdict():
        return f"add the key to {kind} {found['name']}, or correct the reference; its keys: {listing}"
    return f"create {kind} {found['name']} before the pod, or correct its name"
