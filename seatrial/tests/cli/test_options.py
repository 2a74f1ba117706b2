from __future__ import annotations

import io
import json

import pytest
from seatrial.cli.options import Context
from seatrial.model.errors import UsageError
from seatrial.model.redaction import SECRETS
from seatrial.model.selection import Selection


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "stream", "colored"),
    [
        ("auto", {}, Terminal(), True),
        ("auto", {}, io.StringIO(), False),
        ("auto", {"TERM": "dumb"}, Terminal(), False),
        ("auto", {"NO_COLOR": "1"}, Terminal(), False),
        ("auto", {"NO_COLOR": ""}, Terminal(), True),
        ("auto", {"FORCE_COLOR": "1"}, io.StringIO(), True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, io.StringIO(), False),
        ("always", {"NO_COLOR": "1"}, io.StringIO(), True),
        ("never", {"FORCE_COLOR": "1"}, Terminal(), False),
    ],
)
def test_color_follows_option_variables_and_terminal(monkeypatch, choice, environ, stream, colored):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert Context(color_choice=choice).color(stream) is colored


def test_print_result_writes_text_or_json(capsys, tmp_path):
    Context().print_result({"a": 1}, "text\n")
    Context().print_result({"a": 1}, lambda: "lazy")
    Context(as_json=True).print_result({"path": tmp_path, "list": (1, None)}, "text")
    out = capsys.readouterr().out

    text, _, rest = out.partition("lazy\n")
    assert text == "text\n"
    assert json.loads(rest) == {"path": str(tmp_path), "list": [1, None]}
    with pytest.raises(NotImplementedError):
        Context(as_json=True).print_result(object(), "")


def test_say_writes_to_stderr(capsys):
    Context().say("hello")
    Context(quiet=True).say("silence")

    assert capsys.readouterr() == ("", "hello\n")


def test_out_is_stdout_or_stderr_with_json(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)

    assert Context().out is out
    assert Context(as_json=True).out is err


def test_configuration_is_read_once_on_access(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ctx = Context()
    with pytest.raises(UsageError):
        _ = ctx.project
    (tmp_path / "seatrial.toml").write_text('[runner]\nimage = "x:1"\n')

    assert ctx.loaded is ctx.loaded


def test_secrets_are_learned_from_a_configuration_that_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        Context().learn_secrets()
        assert SECRETS.text("hunter2-hunter2") == "hunter2-hunter2"
        (tmp_path / "seatrial.toml").write_text('[runner]\nimage = "x:1"\nenv = { PASSWORD = "hunter2-hunter2" }\n')
        Context().learn_secrets()
        assert SECRETS.text("hunter2-hunter2") == "***"
    finally:
        SECRETS.forget()


def test_selection_has_the_options_and_variables_that_select_the_environment(monkeypatch):
    monkeypatch.setenv("SEATRIAL_ENVIRONMENT", "compose")
    monkeypatch.setenv("SEATRIAL_KEEP", "always")
    context = Context(project_at="p", settings=(("cluster.name=x", "--set"),), environment="kubernetes", namespace="n")

    assert context.selection == Selection(
        project="p", settings=("cluster.name=x",), environment="kubernetes", namespace="n",
        variables={"SEATRIAL_ENVIRONMENT": "compose"},
    )  # fmt: skip


def test_sinks_are_the_event_file_the_report_and_one_renderer(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    sinks = Context().sinks(tmp_path)
    for sink in sinks:
        sink.close()

    assert [type(sink).__name__ for sink in sinks] == ["JsonLines", "ReportWriter", "Plain"]
    assert (tmp_path / "events.jsonl").exists()
