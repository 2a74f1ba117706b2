"""The clients are written as programs into a directory."""

from __future__ import annotations

import pytest
from seatrial.pod.clients import client_programs
from seatrial.pod.clients.client_programs import CLIENTS, run_client, write_programs


def test_write_programs_creates_an_executable_for_each_client(tmp_path):
    write_programs(str(tmp_path / "bin"), "/agent.py")

    assert sorted(each.name for each in (tmp_path / "bin").iterdir()) == sorted(CLIENTS)
    assert all(each.stat().st_mode & 0o777 == 0o755 for each in (tmp_path / "bin").iterdir())
    assert '"/agent.py" client sql "$@"' in (tmp_path / "bin" / "sql").read_text()
    assert not (tmp_path / "bin.new").exists()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such name"), "dns: no such name\n"),
        (OSError(2, "No such file", "/etc/resolv.conf"), "dns: [Errno 2] No such file: '/etc/resolv.conf'\n"),
        (TimeoutError(), "dns: TimeoutError\n"),
    ],
)
def test_run_client_prints_an_error_in_one_line(monkeypatch, capsys, error, line):
    class Client:
        @staticmethod
        def main(arguments):
            raise error

    monkeypatch.setattr(client_programs, "import_module", lambda name: Client)

    assert run_client("dns", ["x"]) == 1
    assert capsys.readouterr().err == line


def test_client_of_the_agent_returns_the_exit_code_of_the_program(client):
    assert client("dns", "--help").returncode == 0
    assert client("sql").returncode == 2
