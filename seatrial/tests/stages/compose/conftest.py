from __future__ import annotations

import io
import threading
from contextlib import ExitStack

import pytest
from compose.fake_compose import FakeCompose, container
from fakes import FakeImages
from seatrial.doubles import Answer, FakeClock, FakeProcesses, Recorded
from seatrial.environments.compose import Compose
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.spec import ComposeSpec, Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.ports import EngineInfo
from seatrial.removal.resources import Resources
from seatrial.stages.build import BuiltImages
from seatrial.stages.context import ComposeCtx


class ComposeWorld:
    """Everything that a run in Compose is made of."""

    def __init__(self, root):
        self.root = root
        self.compose = FakeCompose(container("test-runner"), container("test-runner-keeper"), container("web"))
        self.compose.read = {"services": {"web": {"image": "web:1"}}}
        self.compose.pod.chunks = [b'{"name": "web", "message": ""}\n']
        self.images = FakeImages(runner__1="sha256:r", web__1="sha256:w")
        self.processes = FakeProcesses({"docker": Answer()})
        self.recorded = Recorded()
        self.written = []
        self.clock = FakeClock()
        self.ends = ExitStack()
        self.project = Project(
            root=root,
            runner=RunnerSpec(image="runner:1"),
            service={"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))},
            compose=ComposeSpec(file=root / "compose.yaml", profiles=("all",)),
            environment="compose",
        )
        self.built = BuiltImages(references={}, local={}, runner=None, places=())
        now = self.clock.now()
        self.record = EnvironmentRecord(
            id=EnvironmentId("aa"),
            project=str(root),
            command="up",
            provider="compose",
            cluster="shop-aa",
            created=now,
            expires=now,
        )

    def keep(self):
        """Let the next run find an environment of an earlier one."""
        self.record = self.record.with_resource(Created(kind="compose", name="shop-aa", identity="aa"))

    def ctx(self, **more):
        env = Compose(
            compose=self.compose,
            images=self.images,
            processes=self.processes,
            clock=self.clock,
            directory=self.root / "env",
            shared=self.root / "shared",
            engine_info=lambda: EngineInfo(version="28.1"),
        )
        given = {
            "project": self.project,
            "env": env,
            "resources": Resources(self.record, self.written.append),
            "run": RunId("r1"),
            "run_dir": self.root / "run",
            "command": ("run",),
            "started": self.clock.now(),
            "emit": self.recorded,
            "deadline": Deadline.after(60),
            "keep": "never",
            "pytest_args": (),
            "out": io.StringIO(),
            "color": False,
            "at_end": self.ends,
            "canceled": threading.Event(),
        }
        return ComposeCtx(**{**given, **more})


@pytest.fixture
def world(tmp_path):
    it = ComposeWorld(tmp_path)
    yield it
    it.ends.close()
