"""Why a Job failed."""

from __future__ import annotations

from seatrial.diagnose.rules.jobs import job_failure


def test_failure_without_a_known_reason_shows_its_message():
    job = {"kind": "Job", "metadata": {"name": "m", "namespace": "shop"}, "spec": {}}

    found = job_failure(job, {"reason": "PodFailurePolicy", "message": "exit code 3 is not retried"})
    assert (found.cause, found.message) == ("PodFailurePolicy", "exit code 3 is not retried")
    assert job_failure(job, {}).message == "it failed"
