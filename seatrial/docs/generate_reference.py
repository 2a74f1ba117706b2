# ruff: noqa: INP001 - a script, not a module of a package
"""Writes the pages of reference/ that are made from the code: `python seatrial/docs/generate_reference.py`.

A test holds them equal to what this makes (`seatrial/tests/docs/test_reference.py`).
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import click
import msgspec
from seatrial.cli.command_list import COMMANDS
from seatrial.cli.main import cli
from seatrial.config.overrides import variables
from seatrial.config.schema import SCHEMA_ID
from seatrial.config.shape import describe, fields, kind_of
from seatrial.model import event, finding, result
from seatrial.model.errors import ExitCode
from seatrial.model.spec import Project

REFERENCE: Final = Path(__file__).with_name("reference")
NOTICE: Final = "<!-- made by docs/generate_reference.py -->\n"

EXIT_CODES: Final = {
    ExitCode.PASSED: ("all tests passed, and the end of the stream proves it", "none"),
    ExitCode.TESTS_FAILED: ("tests failed, collection errors, or `--strict` with tests that did not run", "the tests"),
    ExitCode.INTERRUPTED: (
        (
            "pytest was interrupted by itself: `pytest.exit()`, or a test raised `KeyboardInterrupt`; after Ctrl-C and"
            " SIGTERM only in `result.json`"
        ),
        "the tests",
    ),
    ExitCode.PYTEST_INTERNAL: ("pytest itself failed", "pytest or a plugin"),
    ExitCode.USAGE: ("usage, configuration, or anything found wrong before something is created", "the command line"),
    ExitCode.NO_TESTS: ("no tests collected", "the selection"),
    ExitCode.ENVIRONMENT: (
        (
            "cluster, image, chart or service failed once creation began; or tests passed and could not be shown;"
            " or a bug of seatrial's, which says so and names a report"
        ),
        "the platform: may be tried again",
    ),
    ExitCode.OUT_OF_TIME: ("a deadline of `[timeouts]` passed", "the platform: may be tried again"),
    ExitCode.INCONCLUSIVE: (
        "the stream of results ended without proof: the tests may have passed",
        "the platform: may be tried again",
    ),
    ExitCode.PARITY_DIFFERS: ("two environments gave different results", "the difference"),
}


def main() -> None:
    """Write all pages."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the pages by file name."""
    return {
        "cli.md": _page("Commands", _commands()),
        "configuration.md": _page("Configuration", _configuration()),
        "exit-codes.md": _page("Exit codes", _exit_codes()),
        "events.md": _page("Events", _events()),
        "result.md": _page("result.json", _result()),
    }


def _page(title: str, body: Iterator[str]) -> str:
    return f"# {title}\n\n{NOTICE}\n" + "\n".join(body).rstrip() + "\n"


def _commands() -> Iterator[str]:
    yield "`seatrial [GLOBAL OPTIONS] COMMAND [OPTIONS] [PYTEST OPTIONS]…`\n"
    yield (
        "`run`, `test` and `watch` hand to pytest, in order, whatever they do not know themselves; so"
        " their own options are"
        " long ones.\nResults go to stdout: pytest's output, or with `--json` one JSON document and nothing else. What"
        " happens on the way goes to stderr.\n"
    )
    with cli.make_context("seatrial", [], resilient_parsing=True) as ctx:
        yield "## Global options\n\n```"
        formatter = ctx.make_formatter()
        cli.format_options(ctx, formatter)
        yield _dedented(formatter.getvalue().partition("Options:\n")[2].partition("\n\n")[0])
        yield "```\n"
        for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
            yield f"## {group}\n"
            for name in cli.list_commands(ctx):
                command = cli.get_command(ctx, name)
                if COMMANDS[name].group == group and command is not None:
                    yield from _command(f"seatrial {name}", command)


def _command(path: str, command: click.Command) -> Iterator[str]:
    yield f"### {path}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    examples = getattr(command, "examples", ())
    if examples:
        width = max(len(example) for example, _ in examples)
        yield "```sh"
        yield from (f"{example:<{width}}  # {purpose}" for example, purpose in examples)
        yield "```\n"
    rows = [
        (f"`{', '.join(option.opts)}" + (f" {_metavar(option)}`" if not option.is_flag and not option.count else "`"),
         _option_help(option))
        for option in command.params
        if isinstance(option, click.Option) and option.name != "help"
        and not (option.opts[-1] in _EVERYWHERE and option.expose_value is False)
    ]  # fmt: skip
    if rows:
        yield "| option | |\n| --- | --- |"
        yield from (f"| {name} | {text} |" for name, text in rows)
        yield ""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(f"{path} {name}", inner)


_EVERYWHERE: Final = {"--project", "--quiet", "--verbose", "--json"}


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "\\|".join(str(choice) for choice in option.type.choices)
    return option.metavar or option.type.name.upper()


def _option_help(option: click.Option) -> str:
    text = option.help or ""
    if option.show_default and option.default not in {None, ""}:
        text += f" Default: {option.default}."
    if option.envvar:
        text += f" Variable: `{option.envvar}`."
    return text


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("  ") for line in text.splitlines())


def _configuration() -> Iterator[str]:
    yield (
        "`seatrial.toml`, or `[tool.seatrial]` in `pyproject.toml`, in the working directory or the"
        " nearest one above it."
        " Unknown keys are\nerrors; all that is wrong is told at once, with file and line. Paths are"
        " relative to the file."
        f" JSON Schema: `seatrial config schema`\n(`{SCHEMA_ID}`).\n"
    )
    yield "A file with every key: [complete.toml](complete.toml).\n"
    yield "Of several sources of a value the later one wins; `seatrial config show` tells which one it was:\n"
    yield "1. the default"
    yield "2. the file"
    yield (
        "3. the environment: a variable a key where the tables below name one, and `SEATRIAL_SET` with a `KEY=VALUE`"
        " a line"
    )
    yield "4. the command line: `--set KEY=VALUE`, or a command's own option\n"
    yield (
        "In `KEY`, elements of `[[image]]` and `[[release]]` go by their names:"
        " `release.shop.namespace=pr-42`. `VALUE` is"
        " taken as it is\nwhere a string belongs, else written as in TOML; a list may also be written as for a shell.\n"
    )
    names = {path: name for name, path in variables().items()}
    yield from _table("", Project, (), names)


_HEADINGS: Final = {
    "cluster": "[cluster]",
    "image": "[[image]]",
    "release": "[[release]]",
    "service": "[service.NAME]",
    "ready": "ready = { … } of a service",
    "runner": "[runner]",
    "resources": "[runner.resources]",
    "namespace": "[namespace]",
    "compose": "[compose]",
    "timeouts": "[timeouts]",
}


def _table(
    heading: str, table: type[msgspec.Struct], path: tuple[str, ...], names: dict[tuple[str, ...], str]
) -> Iterator[str]:
    inner = []
    rows = []
    for field in fields(table).values():
        kind = kind_of(field.type)
        below = kind.of if kind.name == "table" else kind.of if kind_of(kind.of).name == "table" else None
        if isinstance(below, type) and issubclass(below, msgspec.Struct):
            inner.append((field.key, below, (*path, field.key) if kind.name == "table" else (*path, field.key, "*")))
        if below is None or heading:
            text = field.description
            default = "required" if field.required else _default(field.default)
            variable = f"`{names[*path, field.key]}`" if (*path, field.key) in names else ""
            rows.append(f"| `{field.key}` | {describe(field.type)} | {default} | {_cell(text)} | {variable} |")
    if heading:
        yield f"## {heading}\n"
        said = _doc(table).partition(": ")[2] or _doc(table)
        yield said[:1].upper() + said[1:] + "\n"
    if rows:
        yield "| key | | default | | variable |\n| --- | --- | --- | --- | --- |"
        yield from rows
        yield ""
    for key, below, where in inner:
        yield from _table(_HEADINGS[key], below, where, names)


def _default(value: Any) -> str:
    match value:
        case None:
            return ""
        case Path():
            return f"`{value}`"
        case tuple():
            return f"`{list(value)}`".replace("'", '"') if value else "none"
        case dict():
            inner = ", ".join(f'{key} = "{element}"' for key, element in value.items())
            return f"`{{ {inner} }}`" if value else "none"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"`{value}`"
        case msgspec.Struct():
            return ""
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _exit_codes() -> Iterator[str]:
    yield "What the process ends with. 0 to 5 mean what they mean to pytest.\n"
    yield "| code | name | what happened | whose fault |\n| --- | --- | --- | --- |"
    for code in ExitCode:
        what, whose = EXIT_CODES[code]
        yield f"| {code.value} | {code.name.lower().replace('_', ' ')} | {what} | {whose} |"
    yield "| 6 to 9, 14 to 125 | | pytest or a plugin ended with that code; 6: too many warnings | the tests |"
    yield "| 130 | | Ctrl-C; what was made is undone first | whoever did it |"
    yield "| 143 | | SIGTERM; what was made is undone first | whoever did it |"
    yield "| 141 | | the reader of stdout went away: `seatrial logs \\| head` | none |"
    yield (
        "\nCodes of pytest's plugins (`session.exitstatus`, `pytest.exit(returncode=…)`) are passed on. One that has"
        " another meaning here, 10 to 13 and from 126 on, becomes 1; the verdict names it. The same holds for the code"
        " of `[runner] command` if pytest passed and the command did not: `pytest && coverage report --fail-under=90`."
        " Where failing tests made pytest stop itself with 2 (`-x` under xdist, `--stepwise`, modules that cannot be"
        " imported), the code is 1. `pytest.exit(returncode=0)` ends 2: tests did not run."
    )
    yield "\nOf several, the first of 130, 12, 10, 11, 1, 13 counts. A failing test and a broken platform never share a"
    yield "code: in CI, try again on 10, 11 and 12 only. `make` turns every failure into 2: look at its own code.\n"
    yield "| command | more |\n| --- | --- |"
    yield "| `doctor` | 4 if something has to be mended first |"
    yield "| `config lint` | 4 if the configuration is wrong, or with `--strict` if anything is doubtful |"
    yield "| `watch` | the code of the last run |"


def _events() -> Iterator[str]:
    yield (
        "`events.jsonl` in the directory of a run: one event a line, written as it happens. `seatrial"
        " render` shows a run"
        " again from it.\nReaders must pass by bodies and fields that they do not know.\n"
    )
    yield from _struct(event.Event, "## Event")
    yield "`body` is one of the following; its field `body` has the name.\n"
    for body in get_args(event.Body):
        yield from _struct(body, f"## {body.__name__}")
    for part in (finding.Finding, finding.ObjectRef):
        yield from _struct(part, f"## {part.__name__}")


def _result() -> Iterator[str]:
    yield (
        "`result.json` in the directory of a run, what `run --json` and `test --json` print, and the"
        " `result` of the last"
        f" event. Schema version {result.RESULT_SCHEMA}:\nit is raised when a reader of the former one would be misled;"
        " fields that are new are no such reason.\n"
    )
    for part in (
        result.RunResult,
        result.Problem,
        result.Counts,
        result.StageResult,
        result.ImageUsed,
        result.TreeProof,
    ):
        yield from _struct(part, f"## {part.__name__}")
    for enum in (result.Stage, result.Outcome):
        yield f"## {enum.__name__}\n\n{_doc(enum)}\n\n" + ", ".join(f"`{member}`" for member in enum) + "\n"


def _struct(struct: type[msgspec.Struct], heading: str) -> Iterator[str]:
    doc = inspect.cleandoc(struct.__doc__ or "")
    told = _attributes(doc)
    hints = get_type_hints(struct)
    yield f"{heading}\n\n{_doc(struct)}\n"
    yield "| field | | |\n| --- | --- | --- |"
    for field in msgspec.structs.fields(struct):
        yield f"| `{field.encode_name}` | {_json_type(hints[field.name])} | {_cell(told.get(field.name, ''))} |"
    yield ""


def _attributes(doc: str) -> dict[str, str]:
    section = doc.partition("Attributes:\n")[2]
    return {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(r"^ {4}(\w+): (.*?)(?=^ {4}\w|\Z)", section, re.MULTILINE | re.DOTALL)
    }


def _json_type(type_: Any) -> str:
    origin, args = get_origin(type_), get_args(type_)
    if origin in {Union, types.UnionType}:
        return " or ".join("null" if arg is type(None) else _json_type(arg) for arg in args)
    if origin is tuple:
        return f"list of {_json_type(args[0])}"
    if origin is dict:
        return f"object of {_json_type(args[1])}"
    if origin is Literal:
        return ", ".join(f"`{arg}`" for arg in args)
    if hasattr(type_, "__supertype__"):
        return _json_type(type_.__supertype__)
    if isinstance(type_, type) and issubclass(type_, (StrEnum, ExitCode, msgspec.Struct)):
        name = type_.__name__
        if name == "ExitCode":
            return f"[{name}](exit-codes.md)"
        return f"[{name}]({'result.md' if name in _IN_RESULT else 'events.md'}#{name.lower()})"
    return {str: "string", int: "integer", float: "number", bool: "boolean", datetime: "time (RFC 3339)"}[type_]


_IN_RESULT: Final = frozenset(
    {"RunResult", "StageResult", "Counts", "ImageUsed", "TreeProof", "Problem", "Stage", "Outcome"}
)


def _doc(thing: Any) -> str:
    return " ".join(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
