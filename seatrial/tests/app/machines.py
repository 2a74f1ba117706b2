"""A machine with an empty ledger and a fake container engine."""

from __future__ import annotations

from msgspec.structs import replace
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.ledger import Ledger
from seatrial.app import environments
from seatrial.app.wiring import Machine
from seatrial.doubles import Answer, FakeClock, FakeProcesses
from seatrial.model.environment_record import Created
from seatrial.model.spec import ClusterSpec, Project, RunnerSpec


class Machines:
    """A project, and processes of this user on the same machine.

    Attributes:
        said: lines that were printed for the user.
    """

    def __init__(self, root):
        self.root = root
        self.said = []
        self.nodes = {}
        self.processes = FakeProcesses(
            {
                "docker ps": Answer(),
                "docker rm": Answer(),
                "docker container": Answer(code=1, stdout="[]"),
                "docker network": Answer(),
                "docker volume": Answer(),
                "docker image": Answer(),
                "docker rmi": Answer(),
            }
        )
        self.project = Project(root=root, cluster=ClusterSpec(name="it"), runner=RunnerSpec(image="t:1"))
        self.machines = []
        self.this = self.machine()

    def machine(self):
        """Return another process on the same machine."""
        machine = Machine(
            processes=self.processes,
            engine=DockerEngine(self.processes),
            ledger=Ledger(self.root / "state"),
            clock=FakeClock(),
        )
        self.machines.append(machine)
        return machine

    def new(self, this=None, project=None, command="run"):
        return environments.create(
            this or self.machine(), project or self.project, command=command, say=self.said.append
        )

    def removed(self):
        """Return the clusters that were removed."""
        label = "label=io.x-k8s.kind.cluster="
        return [words[4].removeprefix(label) for words in self.processes.ran if "ps" in words and label in words[4]]

    def kept(self, **more):
        """Create an environment that a command kept; return its record before that."""
        this = self.machine()
        record = self.new(this, command=more.pop("command", "up"))
        this.ledger.write(replace(with_cluster(record), kept=True, **more))
        this.ledger.release(record.id)
        return record

    def guest(self, host, namespace, **more):
        """Create a guest environment in the cluster of a kept one, and keep it."""
        this = self.machine()
        record = environments.create(
            this, self.project, command="up", say=self.said.append, namespace=namespace, host=host
        )
        this.ledger.write(replace(record, kept=True, **more))
        this.ledger.release(record.id)
        return record


def with_cluster(record):
    """Return a record with the cluster among its resources."""
    return record.with_resource(Created(kind="cluster", name=record.cluster))
