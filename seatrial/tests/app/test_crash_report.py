from __future__ import annotations

from pathlib import Path

from seatrial.app.crash_report import report_text, write_report

from seatrial import __version__


def failed() -> ZeroDivisionError:
    try:
        return 1 // 0  # type: ignore[return-value]
    except ZeroDivisionError as error:
        return error


def test_report_has_command_versions_and_traceback():
    text = report_text(failed(), ["run", "-k", "a b"])

    assert text.startswith(f"# seatrial {__version__}: ZeroDivisionError\n")
    assert "- command: `seatrial run -k 'a b'`" in text
    assert "- Python 3." in text
    assert "click 8" in text
    assert "Traceback (most recent call last)" in text


def test_report_hides_settings():
    assert "pl@nted" not in report_text(failed(), ["--set", "runner.env.TOKEN=pl@nted", "run"])


def test_write_report_returns_the_path_of_a_new_file(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    paths = {Path(write_report(failed(), ["run"])) for _ in range(2)}

    assert {path.parent for path in paths} == {tmp_path}
    assert len(paths) == 2
    assert all("ZeroDivisionError" in path.read_text() for path in paths)
