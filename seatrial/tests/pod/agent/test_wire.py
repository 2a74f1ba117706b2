"""Wire constants: the agent in the pod and the host use the same ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.model.spec import RunnerSpec
from seatrial.pod.agent import wire
from seatrial.runner.agent_files import agent_argv, agent_files
from seatrial.runner_pod.manifest import PodInputs, runner_objects

import seatrial


def values(kinds: type) -> set[str]:
    return {value for name, value in vars(kinds).items() if name.isupper()}


def test_wire_shipped_copy_equals_host_module():
    shipped: dict[str, object] = {}
    exec(compile(agent_files()["wire.py"], "wire.py", "exec"), shipped)

    for name in wire.__all__:
        ours, theirs = getattr(wire, name), shipped[name]
        if isinstance(ours, type):
            assert {k: v for k, v in vars(ours).items() if k.isupper()} == {
                k: v for k, v in vars(theirs).items() if k.isupper()
            }
        elif not callable(ours):
            assert ours == theirs, name


def test_tail_channels_are_chunk_kinds():
    assert set(wire.CHANNELS) < values(wire.ChunkKind)


@pytest.mark.parametrize("name", [name for name in wire.__all__ if name.endswith(("_VARIABLE", "_MARK"))])
def test_wire_constant_is_written_in_no_other_module(name):
    root = Path(seatrial.__file__).parent
    holders = [path.name for path in root.rglob("*.py") if f'"{getattr(wire, name)}"' in path.read_text()]

    assert holders == ["wire.py"]


@pytest.mark.parametrize("container", ["tests", "keeper"])
def test_pod_manifest_sets_the_state_directory_to_the_shared_volume(container):
    runner = RunnerSpec(image="shop:1", namespace="shop")
    inputs = PodInputs(image="shop:1", digest="", local=None, agent={}, directories=(), labels={})
    (spec,) = [each for each in runner_objects(runner, inputs)[-1]["spec"]["containers"] if each["name"] == container]

    env = {each["name"]: each.get("value") for each in spec["env"]}
    mounts = {each["name"]: each["mountPath"] for each in spec["volumeMounts"]}

    assert env[wire.STATE_VARIABLE] == mounts["state"] == wire.DEFAULT_STATE_DIRECTORY
    assert f"{mounts['agent']}/agent.py" == wire.AGENT_ENTRY


def test_agent_reads_the_state_directory_from_the_variable_of_the_manifest(tmp_path):
    """The default is what the manifest sets, so only another directory shows that the agent reads the variable."""
    agent, state, image = tmp_path / wire.PACKAGE, tmp_path / "state", tmp_path / "image"
    for directory in (agent, state, image):
        directory.mkdir()
    for name, text in agent_files().items():
        (agent / name).write_text(text)

    argv = agent_argv("seed", str(tmp_path / "volume"), python=sys.executable, entry=str(agent / "agent.py"))
    subprocess.run(argv, cwd=image, env={wire.STATE_VARIABLE: str(state)}, check=True)

    assert (state / "seed.json").exists()


@pytest.mark.parametrize("plugin", [wire.PLUGIN, wire.WORKER_PLUGIN])
def test_plugin_name_is_a_module_of_the_shipped_package(plugin):
    package, _, module = plugin.rpartition(".")

    assert package == wire.PACKAGE
    assert f"{module}.py" in agent_files()
