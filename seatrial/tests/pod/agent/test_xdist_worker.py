"""The plugin in workers of pytest-xdist: environment, fixtures, imported modules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from runner.bench import Bench
from seatrial.model.errors import ExitCode
from seatrial.pod.agent.wire import PACKAGE, WORKER_PLUGIN
from seatrial.runner.agent_files import agent_files


@pytest.mark.parametrize(
    ("before", "after"),
    [(WORKER_PLUGIN, None), (f"mine,{WORKER_PLUGIN}", "mine"), (f"mine,,{WORKER_PLUGIN},other", "mine,other")],
)
def test_import_removes_only_its_own_name_from_the_environment(tmp_path: Path, before: str, after: str | None) -> None:
    (tmp_path / PACKAGE).mkdir()
    for name, text in agent_files().items():
        (tmp_path / PACKAGE / name).write_text(text)
    code = f"import json, os, {WORKER_PLUGIN}; print(json.dumps(os.environ.get('PYTEST_PLUGINS')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTEST_PLUGINS": before}, capture_output=True, check=True
    )

    assert json.loads(done.stdout) == after


def test_tests_in_workers_see_no_variable_of_the_plugin(bench: Bench) -> None:
    bench.write(
        test_a_py=(
            "import os\n"
            "def test_environment():\n"
            "    assert os.environ['PYTEST_XDIST_WORKER'] == 'gw0'\n"
            f"    assert not any({PACKAGE!r} in value for value in os.environ.values())\n"
        )
    )
    bench.build()

    assert bench.run("-n1").verdict.exit is ExitCode.PASSED, bench.text


def test_plugins_of_the_user_are_loaded_in_workers(bench: Bench) -> None:
    bench.write(
        mine_py="import pytest\n@pytest.fixture\ndef mine(): return 42\n",
        test_a_py="def test_mine(mine): assert mine == 42\n",
    )
    bench.build()

    ran = bench.run("-n1", env={"PYTEST_PLUGINS": "mine", "PYTHONPATH": str(bench.pod.workdir)})

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, 1), bench.text


def test_options_of_the_fixtures_are_known_in_workers(bench: Bench) -> None:
    bench.write(
        test_a_py=(
            "def test_option(pytestconfig):\n"
            "    assert pytestconfig.getoption('--seatrial-service') == ['web=127.0.0.1:1']\n"
        )
    )
    bench.build()

    assert bench.run("-n1", "--seatrial-service=web=127.0.0.1:1").verdict.exit is ExitCode.PASSED, bench.text
