"""An engine, kind and Helm as programs on PATH, with a state in files: for commands that are killed and raced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DOCKER = r"""
import json, os, pathlib, sys, time
state = pathlib.Path(os.environ["FAKE"])
words = sys.argv[1:]
containers = {path.stem: json.loads(path.read_text()) for path in state.glob("containers/*.json")}
with (state / "docker.log").open("a") as log:
    log.write(" ".join(words) + "\n")
def option(name):
    return words[words.index(name) + 1] if name in words else ""
if words[0] == "info":
    print(json.dumps({"ServerVersion": "29.0"}))
elif words[0] == "ps":
    key, _, value = option("--filter").removeprefix("label=").partition("=")
    for name, each in sorted(containers.items()):
        labels = each["Config"]["Labels"]
        if key in labels and value in ("", labels[key]):
            form = option("--format")
            for field, text in {"ID": each["Id"], "Names": name, "State": "running", "Image": "node"}.items():
                form = form.replace("{{." + field + "}}", text)
            print(form)
elif words[:2] == ["container", "inspect"]:
    found = [each for name, each in containers.items() if {name, each["Id"]} & set(words[2:])]
    print(json.dumps(found))
    sys.exit(len(found) != len(words[2:]))
elif words[0] == "rm":
    for name, each in containers.items():
        if {name, each["Id"]} & set(words):
            (state / "containers" / (name + ".json")).unlink(missing_ok=True)
elif words == ["image", "inspect", "busybox:1"]:
    print(json.dumps([{"Id": "sha256:busybox", "RepoTags": ["busybox:1"]}]))
elif words[:2] in (["network", "inspect"], ["image", "inspect"]):
    print("[]")
    sys.exit(1)
elif words[0] in ("run", "pull"):
    time.sleep(60)
"""

KIND = r"""
import json, os, pathlib, subprocess, sys, time
state = pathlib.Path(os.environ["FAKE"])
words = sys.argv[1:]
name = words[words.index("--name") + 1]
config = json.loads(pathlib.Path(words[words.index("--config") + 1]).read_text())
print(" • Preparing nodes  ...", file=sys.stderr, flush=True)
(state / "kind-began").touch()
plan = json.loads((state / "kind.json").read_text())
later = '''
import pathlib, sys, time
time.sleep(float(sys.argv[3]))
pathlib.Path(sys.argv[1]).write_text(sys.argv[2])
'''
for number, node in enumerate(config["nodes"][: plan.get("nodes", 1)]):
    mounts = [{"Source": mount["hostPath"]} for mount in node.get("extraMounts", ())]
    label = {"io.x-k8s.kind.cluster": name, "io.x-k8s.kind.role": "worker"}
    container = {"Id": f"ours-{number}", "Mounts": mounts, "Config": {"Labels": label}}
    target = str(state / "containers" / f"{name}-worker{number}.json")
    # As the engine does: it goes on with what it was asked for, whatever becomes of who asked.
    subprocess.Popen(
        [sys.executable, "-c", later, target, json.dumps(container), str(plan.get("late", 0))], start_new_session=True
    )
    time.sleep(plan.get("between", 0))
if plan.get("foreign"):
    label = {"io.x-k8s.kind.cluster": name, "io.x-k8s.kind.role": "control-plane"}
    container = {"Id": "theirs", "Mounts": [{"Source": "/lib/modules"}], "Config": {"Labels": label}}
    (state / "containers" / f"{name}-control-plane.json").write_text(json.dumps(container))
if plan.get("fails"):
    time.sleep(0.5)
    sys.exit("ERROR: failed to create cluster: node(s) already exist for a cluster with the name")
time.sleep(60)
"""

HELM = r"""
import sys
print("v4.3.1" if sys.argv[1] == "version" else "")
"""

CONFIG = """
[cluster]
name = "it"
config = "kind.json"
[runner]
image = "busybox:1"
"""


@dataclass(frozen=True)
class FakeMachine:
    """A project, and programs that only pretend.

    Attributes:
        root: everything is below it.
    """

    root: Path

    @classmethod
    def make(cls, root: Path, **plan: float) -> FakeMachine:
        """Make one; the plan says what kind does."""
        for folder in ("project", "bin", "fake/containers"):
            (root / folder).mkdir(parents=True)
        (root / "project" / "seatrial.toml").write_text(CONFIG)
        roles = ["control-plane", *["worker"] * (int(plan.get("nodes") or 1) - 1)]
        config = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "nodes": [{"role": role} for role in roles],
        }
        (root / "project" / "kind.json").write_text(json.dumps(config))
        (root / "fake" / "kind.json").write_text(json.dumps(plan))
        for name, text in {"docker": DOCKER, "kind": KIND, "helm": HELM}.items():
            program = root / "bin" / name
            program.write_text(f"#!{sys.executable} -I\n{text}")
            program.chmod(0o755)
        return cls(root)

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.root),
            "XDG_STATE_HOME": str(self.root / "state"),
            "FAKE": str(self.root / "fake"),
            "TMPDIR": str(self.root),
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "seatrial", *words],
            cwd=self.root / "project",
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def wait_for_kind(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until kind has begun."""
        until = time.monotonic() + 60
        while not (self.root / "fake" / "kind-began").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)

    @property
    def containers(self) -> list[str]:
        """The ids of the containers that there are."""
        return sorted(json.loads(path.read_text())["Id"] for path in self.root.glob("fake/containers/*.json"))

    @property
    def environments(self) -> list[str]:
        """The ids of the environments in the ledger."""
        return [path.parent.name for path in self.root.glob("state/seatrial/sessions/*/session.json")]

    def programs(self, name: str) -> list[int]:
        """The processes of one of our programs."""
        program = str(self.root / "bin" / name)
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if program in words:
                found.append(int(entry.name))
        return found
