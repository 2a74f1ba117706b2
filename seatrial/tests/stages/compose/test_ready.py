from __future__ import annotations

import pytest
from compose.fake_compose import container
from seatrial.compose.startup import saved_start
from seatrial.model.errors import NotReady
from seatrial.model.event import ServiceSeen
from seatrial.model.result import Outcome
from seatrial.stages.compose import install, preflight, ready


def run(world):
    ctx = world.ctx()
    return ready.run(ctx, install.run(ctx, preflight.run(ctx).result, world.built).result)


def test_services_are_probed_from_the_runner_and_the_start_is_saved(world):
    report = run(world)

    assert report.facts == {"containers": "3", "services": "1"}
    assert world.compose.pod.asked[0][1].endswith("probes.py")
    assert "web" in {seen.name for seen in world.recorded.of(ServiceSeen)}
    assert saved_start(world.root / "env").containers.keys() == {
        "shop-aa-test-runner-1",
        "shop-aa-test-runner-keeper-1",
        "shop-aa-web-1",
    }


def test_unchanged_project_is_not_probed_again(world):
    run(world)
    world.keep()
    world.compose.pod.asked.clear()

    assert run(world).outcome is Outcome.UNCHANGED
    assert world.compose.pod.asked == []


def test_service_that_does_not_answer_is_an_error_and_the_start_is_not_saved(world):
    world.compose.pod.chunks = [b'{"name": "web", "message": "Connection refused"}\n']

    with pytest.raises(NotReady, match="web not ready") as caught:
        run(world)
    assert saved_start(world.root / "env").digest == ""
    assert [finding.hint for finding in caught.value.findings] == [
        "seatrial logs web; if its name or port differs in Compose, set SEATRIAL_SERVICE_WEB in [compose.env]"
    ]


def test_failed_container_is_an_error(world):
    world.compose.present = [*world.compose.present, container("job", Running=False, Status="exited", ExitCode=2)]

    with pytest.raises(NotReady, match="job not ready"):
        run(world)
