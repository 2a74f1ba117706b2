"""Parts of stages that only compute."""

from __future__ import annotations

from seatrial.stages import gate


def test_dns_question_has_no_line_feed():
    question = gate.dns_question(gate._NAME)

    assert question.startswith(r"\x00\x03\x01\x00\x00\x01")
    assert question.endswith(r"\x00\x00\x01\x00\x01")
    assert r"\x0a" not in question, "bash would send what stands before it on its own"


def test_pause_image():
    node = {"status": {"images": [{"names": ["k8s/etcd:3"]}, {"names": ["sha256:a", "mirror/pause:3.10.1"]}]}}

    assert gate.pause_image([{}, node]) == "mirror/pause:3.10.1"
    assert gate.pause_image([]) == "registry.k8s.io/pause:3.10"
