"""The plugin that writes a pytest session to the frame log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.bench import PASSES, Bench
from seatrial.model.errors import ExitCode
from seatrial.pod.agent.wire import FRAMES_FILE, RecordKind
from seatrial.runner.protocol import FrameReader


def records(bench: Bench) -> list[list[Any]]:
    """Return the records of the last run."""
    reader = FrameReader()
    data = (bench.run_dir / FRAMES_FILE).read_bytes()
    found = [record for frame in reader.feed(data) for record in frame.records]
    assert not reader.broken
    return found


def test_records_have_the_order_of_the_session(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): pass\ndef test_b(): pass\n")
    bench.build()
    bench.run()

    kinds = [each[0] for each in records(bench)]

    order = [
        RecordKind.SESSION, RecordKind.HEADER, RecordKind.COLLECTING, RecordKind.COLLECT_REPORT, RecordKind.COLLECTED,
        RecordKind.TEST_STARTED, RecordKind.TEARDOWN_PASSED, RecordKind.LOOP_FINISHED,
        RecordKind.FINISHING, RecordKind.END,
    ]  # fmt: skip
    assert [kind for kind in dict.fromkeys(kinds) if kind in order] == order
    assert kinds[-1] == RecordKind.END


def test_end_record_counts_frames_and_reports(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): pass\ndef test_b(): assert 0\n")
    bench.build()
    bench.run()

    end = records(bench)[-1][1]

    assert end["tally"] == {
        "setup/passed/": 2, "call/passed/": 1, "call/failed/": 1, "teardown/passed/": 2,
    }  # fmt: skip
    assert (end["exit"], end["collected"], end["collect_only"]) == (1, 2, False)
    assert end["frames"] == len((bench.run_dir / FRAMES_FILE).read_bytes().splitlines()) - 1


def test_text_of_plugins_follows_the_result_before_it(bench: Bench) -> None:
    bench.write(
        conftest_py=(
            "def pytest_configure(config): config.pluginmanager.register(Plugin(config))\n"
            "class Plugin:\n"
            "    def __init__(self, config): self.manager = config.pluginmanager\n"
            "    def pytest_runtest_logfinish(self, nodeid):\n"
            "        self.manager.get_plugin('terminalreporter').write_line('after ' + nodeid)\n"
        ),
        test_a_py="def test_a(): pass\ndef test_b(): pass\n",
    )
    bench.build()
    bench.run()

    starts, results, texts = [], [], []
    for place, each in enumerate(records(bench)):
        if each[0] == RecordKind.TEST_STARTED:
            starts.append(place)
        elif each[0] in (RecordKind.TEST_PASSED, RecordKind.TEARDOWN_PASSED, RecordKind.REPORT):
            results.append(place)
        elif each[0] == RecordKind.TEXT and "after test_a.py::test_a" in each[1]:
            texts.append(place)
    (text,) = texts
    assert starts[0] < min(results) < text < starts[1] < max(results)


def test_interrupted_session_has_no_record_of_a_finished_loop(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): raise KeyboardInterrupt\ndef test_b(): pass\n")
    bench.build()
    bench.run()

    found = {each[0]: each for each in records(bench)}
    assert RecordKind.LOOP_FINISHED not in found
    assert found[RecordKind.INTERRUPT][1]["type"] == "KeyboardInterrupt"


def test_internal_error_is_recorded(bench: Bench) -> None:
    bench.write(conftest_py="def pytest_runtestloop(): raise SystemError('broken')\n", test_a_py=PASSES)
    bench.build()

    ran = bench.run()

    assert ran.verdict.exit is not ExitCode.PASSED
    assert any(each[0] == RecordKind.INTERNAL_ERROR and "broken" in each[1] for each in records(bench))


def test_uncaptured_output_is_followed_by_its_size(bench: Bench) -> None:
    """The host shows output and results in order."""
    bench.write(test_a_py="def test_a(): print('x' * 100)\ndef test_b(): pass\n")
    bench.build()
    bench.run("-s")

    sizes = [each[1] for each in records(bench) if each[0] == RecordKind.OUTPUT_SIZE]
    assert sizes == sorted(sizes)
    assert sizes[-1] >= 100


def test_interpreter_of_the_tests_is_recorded(bench: Bench) -> None:
    bench.write(test_a_py=PASSES)
    bench.build()
    bench.run()

    (file,) = Path(bench.pod.state_directory).glob("runs/*/interpreter.json")
    assert json.loads(file.read_text()) == {"executable": bench.pod.python}


def test_test_that_closes_descriptors_is_reported(bench: Bench) -> None:
    """Code that becomes a daemon closes all descriptors."""
    bench.write(test_a_py="import os\ndef test_one(): os.closerange(20, 256)\ndef test_two(): pass\n")
    bench.build()

    assert bench.run().verdict.exit is ExitCode.PASSED


def test_fork_that_returns_does_not_report(bench: Bench) -> None:
    """A forked child that continues through pytest's hooks writes no records."""
    bench.write(test_a_py="import os\ndef test_one(): os.fork()\ndef test_two(): pass\n")
    bench.build()

    assert bench.run("-p", "no:cacheprovider").counts.passed == 2


def test_nested_pytest_session_is_not_recorded(bench: Bench) -> None:
    """Tests of pytest plugins run pytest. Their environment has no variables of the plugin."""
    bench.write(
        test_a_py="import os, subprocess, sys\n"
        "def test_nested(tmp_path):\n"
        "    assert [name for name in os.environ if name.startswith('SEATRIAL_')] == ['SEATRIAL_STATE_DIRECTORY']\n"
        "    assert 'PYTEST_ADDOPTS' not in os.environ and 'PYTEST_PLUGINS' not in os.environ\n"
        "    (tmp_path / 'test_b.py').write_text('def test_b(): assert 0')\n"
        "    assert subprocess.run([sys.executable, '-m', 'pytest', str(tmp_path)]).returncode == 1\n"
    )
    bench.build()

    ran = bench.run()

    assert ran.verdict.exit is ExitCode.PASSED, bench.text
    assert ran.counts.collected == 1
