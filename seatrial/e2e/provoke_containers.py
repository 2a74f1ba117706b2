"""Provoke images that cannot be pulled, containers that cannot start or crash, probes that fail, and failed Jobs."""

from __future__ import annotations

from typing import Any, Final

from provocation import LOOP, PORT, SERVE, WAIT, Obj, Provocation, deployment, job, obj, pod, script, secret, service

__all__ = ["CONTAINERS"]

_ALLOCATE: Final = "x = bytearray(200 << 20)"


def _limited(memory: str) -> Obj:
    return {"resources": {"limits": {"memory": memory}}}


def _probe(kind: str, probe: Obj, text: str = SERVE) -> Obj:
    return deployment(**{f"{kind}Probe": {"periodSeconds": 1, "failureThreshold": 2, **probe}}, **script(text))


def _http(path: str, port: int = PORT) -> Obj:
    return {"httpGet": {"path": path, "port": port}}


def _variable(name: str, source: str, key: str, at: str) -> dict[str, Any]:
    return {"env": [{"name": name, "valueFrom": {source: {"name": at, "key": key}}}]}


def _files(name: str, **files: str) -> Obj:
    return obj("ConfigMap", name, data=files)


def _mounted(config_map: str, path: str, **more: Any) -> Obj:
    """Return fields of a pod with a ConfigMap as a folder of executable files."""
    volume = {"name": "files", "configMap": {"name": config_map, "defaultMode": 0o755}}
    return {"pod": {"volumes": [volume]}, "volumeMounts": [{"name": "files", "mountPath": path, **more}]}


_IMAGES: Final = (
    Provocation("image-not-found", r'"reason": "ImagePullBackOff"', (deployment(image="localhost:5000/shop/api:2"),)),
    Provocation("image-unauthorized", r'"reason": "ImagePullBackOff"', (deployment(image="localhost:5001/api:2"),)),
    Provocation(
        "registry-refuses-connections", r'"reason": "ImagePullBackOff"', (deployment(image="localhost:5009/api:2"),)
    ),
    Provocation(
        "registry-name-not-resolved", r'"reason": "ImagePullBackOff"', (deployment(image="registry.invalid/api:2"),)
    ),
    Provocation(
        "image-never-pull", r'"reason": "ErrImageNeverPull"',
        (deployment(image="shop/api:2", imagePullPolicy="Never"),), settle=5,
    ),
    Provocation("invalid-image-name", r'"reason": "InvalidImageName"', (deployment(image="shop/API:2"),)),
)  # fmt: skip

_STARTS: Final = (
    Provocation(
        "secret-key-missing", "couldn't find key",
        (secret("database", username="shop"),
         deployment(**_variable("PASSWORD", "secretKeyRef", "password", "database"))),
    ),
    Provocation(
        "config-map-missing", r'configmap \\"settings\\" not found',
        (deployment(**_variable("REGION", "configMapKeyRef", "region", "settings")),),
    ),
    Provocation(
        "run-as-non-root", "runAsNonRoot and image will run as root",
        (deployment(securityContext={"runAsNonRoot": True}),),
    ),
    Provocation(
        "seccomp-profile-missing", r'"reason": "CreateContainerError"',
        (deployment(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "none.json"}}),),
    ),
    Provocation("command-not-found", LOOP, (deployment(command=["/usr/bin/shop-api", "--port", "8080"]),)),
    Provocation(
        "command-not-executable", LOOP,
        (_files("files", start="#!/bin/sh\n"), deployment(command=["/etc/passwd"])),
    ),
    Provocation(
        "mount-over-file", LOOP,
        (_files("files", conf="x\n"), deployment(**_mounted("files", "/etc/passwd"))),
    ),
    Provocation(
        "exec-format-error", LOOP,
        (_files("files", start="echo started without a shebang\n"),
         deployment(**_mounted("files", "/files"), command=["/files/start"])),
    ),
    Provocation(
        "post-start-hook", "PostStartHookError",
        (deployment(lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo no schema >&2; exit 9"]}}}),),
    ),
)  # fmt: skip

_CRASHES: Final = (
    Provocation(
        "crash", LOOP, (deployment(command=["python3", "-c", "import os; os.environ['DATABASE_URL']"]), service())
    ),
    Provocation("exited", LOOP, (deployment(**script("echo done; exit 0")),)),
    Provocation("oom-killed", LOOP, (deployment(command=["python3", "-c", _ALLOCATE], **_limited("32Mi")),)),
    Provocation(
        "child-oom-killed", LOOP,
        (deployment(**script(f"python3 -c '{_ALLOCATE}' || {{ echo worker died; exit 4; }}"), **_limited("32Mi")),),
    ),
    Provocation(
        "restarted", r'"restartCount": 1.*"ready": true|"ready": true.*"restartCount": 1',
        (deployment(
            pod={"volumes": [{"name": "state", "emptyDir": {}}]},
            volumeMounts=[{"name": "state", "mountPath": "/state"}],
            **script(f"if [ -e /state/ran ]; then {WAIT}; fi; touch /state/ran; echo cache is corrupt; exit 5")),),
        settle=5,
    ),
    Provocation(
        "init-container-failed", r'"reason": "CrashLoopBackOff"',
        (deployment(pod={"initContainers": [
            {"name": "migrate", "image": "foundry.invalid/python:3.13",
             **script("echo 'migration 17: column price does not exist'; exit 2")}]}),),
    ),
    Provocation(
        "init-container-stuck", r'"startedAt"',
        (deployment(pod={"initContainers": [
            {"name": "wait", "image": "foundry.invalid/python:3.13",
             **script("while sleep 1; do echo waiting for the license server; done")}]}),),
        settle=40,
    ),
)  # fmt: skip

_PROBES: Final = (
    Provocation(
        "readiness-probe-status", "statuscode: 404", (_probe("readiness", _http("/health")), service()), settle=5
    ),
    Provocation(
        "readiness-probe-refused", "connection refused",
        (_probe("readiness", {"tcpSocket": {"port": 9090}}), service()), settle=5,
    ),
    Provocation(
        "readiness-probe-command", "Readiness probe failed",
        (_probe("readiness", {"exec": {"command": ["sh", "-c", "echo replica lags 40 s; exit 1"]}}),), settle=5,
    ),
    Provocation(
        "readiness-probe-timeout", "Readiness probe failed.*(deadline|timed out|Timeout)",
        (_probe("readiness", {**_http("/"), "timeoutSeconds": 1},
                "exec python3 -c \"import socket, time; s = socket.create_server(('', 8080)); time.sleep(3600)\""),),
        settle=5,
    ),
    Provocation("liveness-probe", LOOP, (_probe("liveness", _http("/live")),)),
    Provocation("startup-probe", LOOP, (_probe("startup", _http("/started")),)),
    Provocation(
        "readiness-gate", r'"reason": "ReadinessGatesNotReady"',
        (deployment(pod={"readinessGates": [{"conditionType": "example.invalid/load-balancer"}]}),), settle=3,
    ),
)  # fmt: skip

_JOBS: Final = (
    Provocation(
        "job-backoff-limit", "BackoffLimitExceeded",
        (job(limits={"backoffLimit": 1}, **script("echo 'cannot read s3 bucket'; exit 6")),),
    ),
    Provocation(
        "job-deadline", '"reason": "DeadlineExceeded"',
        (job(limits={"activeDeadlineSeconds": 5}, **script("echo importing row 1; exec sleep 3600")),),
    ),
    Provocation(
        "hook-failed", "BackoffLimitExceeded",
        (job(limits={"backoffLimit": 0}, annotations={"helm.sh/hook": "pre-install"},
             **script("echo 'migration 3 failed: table exists'; exit 1")),),
    ),
    Provocation("pod-deadline", '"reason": "DeadlineExceeded"', (pod(pod={"activeDeadlineSeconds": 5}),)),
)  # fmt: skip

CONTAINERS: Final = (*_IMAGES, *_STARTS, *_CRASHES, *_PROBES, *_JOBS)
