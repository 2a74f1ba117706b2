"""Find out why a running pod is not ready: a probe, an init container, or a readiness gate. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.diagnose.rules.objects import container_spec, pod_ref, probe_text, short
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["gate_closed", "init_running", "probe_failing"]


def probe_failing(pod: Object, status: Object, warnings: Sequence[Object]) -> Finding | None:
    """Return the probe that fails while a container runs; None if no event shows one.

    Args:
        pod: the pod.
        status: status of the running container.
        warnings: Warning events of the pod, the latest last.
    """
    name = status["name"]
    spec = container_spec(pod, name)
    for event in reversed(warnings):
        message = str(event.get("message", ""))
        for kind, cause in (
            ("readiness", "ReadinessProbe"),
            ("startup", "StartupProbe"),
            ("liveness", "LivenessProbe"),
        ):
            about = str((event.get("involvedObject") or {}).get("fieldPath") or f"spec.containers{{{name}}}")
            mine = about.endswith(f"{{{name}}}") and event.get("reason") == "Unhealthy"
            if not mine or not message.startswith(f"{kind.capitalize()} probe") or not spec.get(f"{kind}Probe"):
                continue
            asked = probe_text(spec[f"{kind}Probe"])
            got = message.partition(": ")[2] or message
            return Finding(
                cause=cause,
                subject=pod_ref(pod, name),
                message=f"the {kind} probe of container {name} ({asked}) fails: {short(got)}",
                evidence=(message,),
                hint="correct the probe's path, port or time-out, or read the log of the container",
                brief=f"failed its {kind} probe",
            )
    return None


def init_running(pod: Object, status: Object) -> Finding:
    """Return that an init container has not ended: it waits for something, or is slow."""
    since = ((status.get("state") or {}).get("running") or {}).get("startedAt", "")
    return Finding(
        cause="InitContainerStuck",
        subject=pod_ref(pod, status["name"]),
        message=f"init container {status['name']} has not ended" + (f" since {since}" if since else ""),
        hint="its log says what it waits for",
        brief=f"waits for init container {status['name']}",
    )


def gate_closed(pod: Object) -> Finding | None:
    """Return the readiness gates of a pod that are not true; None if there are none."""
    conditions = {each["type"]: each["status"] for each in (pod.get("status") or {}).get("conditions") or ()}
    gates = [str(each["conditionType"]) for each in pod["spec"].get("readinessGates") or ()]
    missing = [gate for gate in gates if conditions.get(gate) != "True"]
    if not missing:
        return None
    return Finding(
        cause="ReadinessGate",
        subject=pod_ref(pod),
        message=f"its containers are ready, but no controller has set its condition {', '.join(missing)} to true",
        hint="install the controller that sets it, or remove readinessGates from the pod",
        brief="waits for a readiness gate",
    )
