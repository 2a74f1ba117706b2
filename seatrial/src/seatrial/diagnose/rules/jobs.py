"""Find out why a Job failed. Pure."""

from __future__ import annotations

from typing import Final

from seatrial.diagnose.rules.objects import object_ref, short
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["job_failure"]

_HOOK: Final = "helm.sh/hook"


def job_failure(job: Object, condition: Object) -> Finding:
    """Return why a Job failed.

    Args:
        job: the Job.
        condition: its condition Failed.
    """
    meta, spec = job["metadata"], job["spec"]
    hook = (meta.get("annotations") or {}).get(_HOOK, "")
    reason, message = str(condition.get("reason") or "PodFailed"), str(condition.get("message", ""))
    failed = int((job.get("status") or {}).get("failed") or 0)
    if reason == "BackoffLimitExceeded":
        text = f"{failed} of its pods failed, and its backoffLimit is {spec.get('backoffLimit', 6)}"
    elif reason == "DeadlineExceeded":
        text = f"it ran longer than its activeDeadlineSeconds of {spec.get('activeDeadlineSeconds')}"
    else:
        text = short(message) or "it failed"
    return Finding(
        cause="HookFailed" if hook else reason,
        subject=object_ref(job),
        message=f"hook {hook} failed: {text}" if hook else text,
        evidence=(message,) if message else (),
        hint="read the log of its last pod",
        brief="failed",
    )
