"""The order of things: what a run does, what it undoes, what it says at the end."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

from flow import measure
from flow.cluster import NETWORK, Cluster, Node, busy_ports, images_in, node_images, storage_class_is_there
from flow.commands import Commands, say
from flow.engine import REGISTRY_IMAGE, Engine, Registry, unique_bytes
from flow.errors import INTERRUPTED, OUT_OF_TIME, USAGE, Failure, Interrupted
from flow.kube import Kube
from flow.ledger import Ledger, new_entry, taken_over
from flow.release import Release, raise_if_doomed, save_evidence, wait
from flow.runner import Counts, Runner, proven
from flow.settings import IMAGE, NAMESPACE, Keep, Settings
from flow.together import Together

GATE_NAMESPACE = "network-check"
REPORTS = ("junit.xml", "coverage.xml")


def run(settings: Settings, commands: Commands) -> int:
    """Do what was asked for and return the exit code.

    Raises:
        Failure: something was wrong before anything was created.
    """
    engine = Engine(commands)
    engine.answers()
    ledger = Ledger(settings.state, settings.cluster)
    ledger.acquire()
    flow = _Flow(settings, commands, engine, ledger)
    if settings.down:
        say("removed" if flow.reap() else f"there is no {settings.cluster} of ours")
        return 0
    return flow.go()


@dataclass(slots=True)
class _Flow:
    settings: Settings
    commands: Commands
    engine: Engine
    ledger: Ledger
    stages: measure.Stages = field(default_factory=measure.Stages)
    memory: measure.Memory = field(default_factory=measure.Memory)
    images: list[str] = field(default_factory=list)
    counts: Counts | None = None
    peak: int | None = None
    made: bool = False  # the cluster is whole
    up: bool = False  # and proved that it works

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.settings, self.engine)

    @property
    def kube(self) -> Kube:
        return Kube(self.commands, self.settings.kubeconfig)

    @property
    def registry(self) -> Registry:
        return Registry(self.engine, name=self.settings.registry, data=self.settings.registry_data)

    # --- before anything is created ---

    def go(self) -> int:
        with self.stages.stage("preflight") as notes:
            if absent := [tool for tool in ("kind", "helm", "kubectl") if shutil.which(tool) is None]:
                raise Failure(f"not on PATH: {', '.join(absent)}", hint="make setup", code=USAGE)
            rendered = images_in(Release(self.settings, self.commands, self.kube).render())
            if self.settings.reuse:
                self._take_over()
                notes.append(f"{self.settings.cluster} as it stayed")
            else:
                if self.reap():
                    notes.append("what an earlier run left is removed")
                self._preflight()
        self._new_run_folder()
        self.memory.start()
        code, interrupted = INTERRUPTED, False
        try:
            code = self._tests_in(self._again() if self.settings.reuse else self._create(rendered))
        except Interrupted:
            interrupted = True
        except Failure as failure:
            code = failure.code
            self.commands.unwind()
            self._explain(failure)
        finally:
            # Also for our own bugs: nothing is left, then the traceback.
            self.commands.unwind()
            self._end(code, interrupted=interrupted)
        if self.commands.signal is not None:
            code = 128 + self.commands.signal
        self._summary(code)
        return code

    def _preflight(self) -> None:
        cluster, config = self.settings.cluster, self.settings.kind_config
        if self.engine.containers(cluster):
            raise Failure(
                f"a kind cluster named {cluster} exists that no run of this script made; it is left alone",
                hint=f"kind delete cluster --name {cluster}, or set CLUSTER_NAME",
                code=USAGE,
            )
        if self.engine.container(self.settings.registry):
            raise Failure(
                f"a container named {self.settings.registry} exists that no run of this script made",
                hint=f"docker rm -f {self.settings.registry}, or set CLUSTER_NAME",
                code=USAGE,
            )
        missing = [image for image in (*node_images(config), REGISTRY_IMAGE) if not self.engine.image_id(image)]
        if missing:
            raise Failure(f"not on this engine: {', '.join(missing)}", hint="make setup", code=USAGE)
        if busy := busy_ports(config):
            raise Failure(
                f"in use on this machine: port {', '.join(map(str, busy))}, which {config.name} publishes",
                hint="end what listens there (another kind cluster?), or set KIND_CONFIG to one without these ports",
                code=USAGE,
            )

    def _take_over(self) -> None:
        entry = self.ledger.read()
        if entry is None or not self.engine.containers(self.settings.cluster):
            raise Failure(f"no {self.settings.cluster} stayed", hint="KEEP=always run-all-tests.sh", code=USAGE)
        self.ledger.write(taken_over(entry))

    def _new_run_folder(self) -> None:
        self.settings.run.mkdir(parents=True)
        latest = self.settings.run.parent / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(self.settings.run.name)
        for old in sorted(
            path for path in self.settings.run.parent.iterdir() if path.is_dir() and not path.is_symlink()
        )[:-20]:
            shutil.rmtree(old)
        self.settings.reports.mkdir(exist_ok=True)
        for name in REPORTS:
            # An earlier run's must not be taken for this one's, however this one ends.
            (self.settings.reports / name).unlink(missing_ok=True)

    # --- the run ---

    def _create(self, rendered: list[str]) -> str:
        """Cluster and images at the same time, then the release; return the name of the test image."""
        entry = new_entry(
            cluster=self.settings.cluster,
            registry=self.settings.registry,
            folder=self.settings.root,
            network_made=not self.engine.has_network(NETWORK),
        )
        self.ledger.write(entry)
        gate_images = images_in(self.settings.gate.read_text())
        with Together(self.commands) as together:
            created = together.start(self._create_cluster)
            registry = together.start(self._start_registry)
            nodes = together.start(self._wire)
            # The release does not wait for the tests' image.
            chart = together.start(lambda: self._deliver(rendered, gate_images, registry.result, nodes.result))
            image = together.start(lambda: self._build_and_deliver(registry.result, nodes.result))
            created.result()
            chart.result()
            self._pass_gate()
            self._install()
            return image.result()

    def _create_cluster(self) -> None:
        with self.stages.stage("cluster") as notes:
            self.cluster.create()
            self.made = True
            notes.append(self.settings.cluster)

    def _start_registry(self) -> Registry:
        registry = self.registry
        registry.start(NETWORK)
        return registry

    def _wire(self) -> list[Node]:
        nodes = self.cluster.wait_for_nodes()
        entry = self.ledger.read()
        if entry is not None:
            self.ledger.write(replace(entry, nodes=self.engine.containers(self.settings.cluster)))
        self.cluster.wire(nodes, self.settings.registry)
        return nodes

    def _deliver(
        self, rendered: list[str], gate: list[str], registry: Callable[[], Registry], nodes: Callable[[], list[Node]]
    ) -> None:
        with self.stages.stage("images") as notes:
            every = list(dict.fromkeys([*gate, *rendered]))
            here = {image: found for image in every if (found := self.engine.image_id(image))}
            for image in every:
                if image not in here:
                    say(f"          {image} is not on this engine; the nodes will have to find it elsewhere")
            log = self.settings.run / "push.log"
            sent = [image for image, found in here.items() if registry().push(image, found, log=log)]
            self.images += list(here)
            self.cluster.pull(nodes(), [image for image in gate if image in here])
            workers = [node for node in nodes() if node.works]
            self.cluster.pull(workers, [image for image in rendered if image in here and image not in gate])
            notes.append(f"{len(here)} on the nodes, {len(sent)} of them sent anew")

    def _build_and_deliver(self, registry: Callable[[], Registry], nodes: Callable[[], list[Node]]) -> str:
        with self.stages.stage("build") as notes:
            image_id = self.engine.build(
                f"{IMAGE}:latest", root=self.settings.root, log=self.settings.run / "build.log"
            )
            notes.append(f"{IMAGE}, {self.engine.image_size(image_id) / 10**6:.0f} MB")
        # A name of its own for each content: a node that has an older one can't take it for this.
        image = f"{IMAGE}:{image_id.removeprefix('sha256:')[:12]}"
        with self.stages.stage("test image") as notes:
            log = self.settings.run / "push.log"
            sent = [registry().push(name, image_id, log=log) for name in (image, f"{IMAGE}:latest")]
            notes.append("sent anew" if any(sent) else "as it was")
            self.images.append(f"{IMAGE}:latest")
            self.cluster.pull([node for node in nodes() if node.works], [image])
        return image

    def _pass_gate(self) -> None:
        """Wait until pods on all nodes resolve names and reach each other, which Ready nodes do not prove."""
        with self.stages.stage("network"):
            kube = self.kube
            kube.run("apply", "--filename", str(self.settings.gate))
            wait(
                kube,
                GATE_NAMESPACE,
                seconds=120,
                on_doom=lambda verdict: raise_if_doomed(kube, GATE_NAMESPACE, verdict.doomed),
            )
            kube.run("delete", "--wait=false", "--filename", str(self.settings.gate))
            while not storage_class_is_there(kube):
                self.commands.pause(0.3)
        self.up = True

    def _install(self) -> None:
        release = Release(self.settings, self.commands, self.kube)
        with self.stages.stage("install"):
            release.install()
        with self.stages.stage("ready"):
            release.wait()

    def _again(self) -> str:
        self.made = self.up = True
        registry = self.registry
        registry.find()
        nodes = self.cluster.wait_for_nodes()
        return self._build_and_deliver(lambda: registry, lambda: nodes)

    def _tests_in(self, image: str) -> int:
        runner = Runner(self.kube, self.settings.run)
        with self.stages.stage("pod"):
            runner.start(self.settings.runner, image=image, command=self.settings.command)
        with self.stages.stage("tests") as notes:
            code = runner.listen()
            notes.append(f"pytest ended with {code}")
        with self.stages.stage("results"):
            runner.fetch()
            if code != 0:
                save_evidence(self.kube, NAMESPACE, self.settings.run / "cluster")
        self._copy_results()
        code, self.counts = proven(code, self.settings.run / "junit.xml")
        return code

    def _copy_results(self) -> None:
        """Leave the last run's reports where CI systems look: a real folder, one path for all runs."""
        for name in REPORTS:
            if (self.settings.run / name).exists():
                shutil.copy(self.settings.run / name, self.settings.reports / name)

    # --- its end ---

    def _explain(self, failure: Failure) -> None:
        say(f"\n{failure}\n")
        if self.up:
            try:
                save_evidence(self.kube, NAMESPACE, self.settings.run / "cluster")
                say(f"logs and events of the cluster: {self.settings.run / 'cluster'}")
            except Failure as lost:
                say(f"the cluster's logs could not be saved: {lost}")

    def _end(self, code: int, *, interrupted: bool) -> None:
        self.peak = self.memory.peak()
        entry = self.ledger.read()
        if entry is None:
            return
        wanted = self.settings.keep is Keep.ALWAYS or (self.settings.keep is Keep.ON_FAILURE and code != 0)
        if wanted and self.up and (self.settings.reuse or not interrupted):
            self.ledger.write(replace(entry, kept=True))
            say(
                f"\n{self.settings.cluster} stays. To look at it:  export KUBECONFIG={self.settings.kubeconfig}\n"
                "  tests again: testing/k8s/scripts/run-all-tests.sh --reuse    remove it: … --down"
            )
            return
        with self.stages.stage("removal"):
            self._remove(network=entry.network_made, whole=self.made)

    def _remove(self, *, network: bool, whole: bool) -> None:
        with ThreadPoolExecutor(max_workers=2) as pool:
            for done in [
                pool.submit(self.cluster.remove, whole=whole),
                pool.submit(self.registry.remove),
            ]:
                done.result()
        if network:
            self.engine.remove_network_if_free(NETWORK)
        self.ledger.clear()

    def reap(self) -> bool:
        """Remove what an earlier run left behind or kept; say whether there was anything."""
        entry = self.ledger.read()
        if entry is None:
            return False
        now = self.engine.containers(entry.cluster)
        if entry.nodes and now and not set(now) <= set(entry.nodes):
            # Ours is gone, and somebody else made one of the same name since.
            self.registry.remove()
            self.ledger.clear()
            return True
        say(f"removing {entry.cluster}, {'kept' if entry.kept else 'left behind'} by the run of {entry.started}")
        # The kind of a killed owner may still be at work.
        self._remove(network=entry.network_made, whole=entry.kept)
        return True

    def _summary(self, code: int) -> None:
        size = unique_bytes(self.engine, [*self.images, *node_images(self.settings.kind_config), REGISTRY_IMAGE])
        taken = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.stages.took.items())
        say(f"\ntotal {self.stages.total():.1f} s ({taken})")
        say(f"memory   {measure.against(measure.MEMORY_LIMIT, self.peak)}; by how much this machine's free memory sank")
        say(f"images   {measure.against(measure.IMAGES_LIMIT, size)}, shared layers counted once")
        if self.counts is not None:
            say(f"tests    {self.counts.tests} run, {self.counts.failed} failed, {self.counts.skipped} not run")
        say(f"results  {self.settings.run}")
        result = {
            "exit": code,
            "counts": asdict(self.counts) if self.counts else None,
            "stages": {name: round(seconds, 2) for name, seconds in self.stages.took.items()},
            "seconds": round(self.stages.total(), 2),
            "peak_memory": self.peak,
            "image_bytes": size,
        }
        (self.settings.run / "result.json").write_text(json.dumps(result, indent=1) + "\n")
        say(f"{_verdict(code)} (exit {code})")


def _verdict(code: int) -> str:
    known = {0: "passed", 1: "tests failed", 10: "the environment failed", OUT_OF_TIME: "out of time"}
    if code > 128:  # noqa: PLR2004
        return f"interrupted by {signal.Signals(code - 128).name}"
    return known.get(code, "not passed")
