# ruff: noqa: INP001 - a script, not a module of a package
"""Generate the pages of reference/ that describe the code: `python seatrial/docs/generate_reference.py`.

`seatrial/tests/docs/test_reference.py` fails if a page differs from what this script generates.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import click
import msgspec
from seatrial.cli.command_list import COMMANDS
from seatrial.cli.main import cli
from seatrial.config.overrides import variables
from seatrial.config.schema import SCHEMA_ID
from seatrial.config.shape import describe, fields, kind_of
from seatrial.diagnose import catalog
from seatrial.model import blame, comparison, environment_facts, event, finding, result, selection, timeline
from seatrial.model.errors import ExitCode
from seatrial.model.spec import Project

REFERENCE: Final = Path(__file__).with_name("reference")
NOTICE: Final = "<!-- made by docs/generate_reference.py -->\n"

EXIT_CODES: Final = {
    ExitCode.PASSED: ("all tests passed, and the results are proven to be complete", ""),
    ExitCode.TESTS_FAILED: (
        "tests failed, modules could not be collected, or with `--strict` tests did not run",
        "the tests",
    ),
    ExitCode.INTERRUPTED: (
        (
            "pytest interrupted itself: `pytest.exit()`, or a test raised `KeyboardInterrupt`. After Ctrl-C and SIGTERM"
            " only in `result.json`"
        ),
        "the tests",
    ),
    ExitCode.PYTEST_INTERNAL: ("pytest itself failed", "pytest or a plugin"),
    ExitCode.USAGE: ("wrong usage, wrong configuration, or a problem found before anything was created", "the user"),
    ExitCode.NO_TESTS: ("no tests were collected", "the selection"),
    ExitCode.ENVIRONMENT: (
        (
            "cluster, image, chart or service failed; or tests failed, and each failure is proven to be caused by the"
            " platform ([blame](../explanation/blame.md)); or tests passed and their results could not be shown; or a"
            " bug of seatrial, which names a report"
        ),
        "the platform: retry",
    ),
    ExitCode.OUT_OF_TIME: ("a deadline of `[timeouts]` passed", "the platform: retry"),
    ExitCode.INCONCLUSIVE: (
        "nothing proves that the results are complete: the tests may have passed",
        "the platform: retry",
    ),
    ExitCode.PARITY_DIFFERS: ("two environments gave different results", "the difference"),
}


def main() -> None:
    """Write all pages."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {
        "cli.md": _page("Commands", _commands()),
        "configuration.md": _page("Configuration", _configuration()),
        "exit-codes.md": _page("Exit codes", _exit_codes()),
        "events.md": _page("Events", _events()),
        "result.md": _page("result.json", _result()),
        "timeline.md": _page("Timeline", _timeline()),
        "causes.md": _page("Causes", _causes()),
        "facts.md": _page("facts.json", _facts()),
        "comparison.md": _page("Comparison", _comparison()),
        "comparison.schema.json": _schema(),
    }


def _page(title: str, body: Iterator[str]) -> str:
    return f"# {title}\n\n{NOTICE}\n" + "\n".join(body).rstrip() + "\n"


def _commands() -> Iterator[str]:
    yield "`seatrial [GLOBAL OPTIONS] COMMAND [OPTIONS] [PYTEST OPTIONS]…`\n"
    yield (
        "`run`, `test` and `watch` pass arguments that they do not know to pytest, in their order. Their own options"
        " are therefore long ones.\nResults are written to stdout: pytest's output, or with `--json` one JSON document"
        " and nothing else. Progress is written to stderr.\n"
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


_EVERYWHERE: Final = {"--project", "--quiet", "--verbose", "--set", "--json"}


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
        "`seatrial.toml`, or `[tool.seatrial]` in `pyproject.toml`, in the working directory or the nearest one above"
        " it. Unknown keys are\nerrors. All problems are reported at once, with file and line. Paths are relative to"
        f" the file. JSON Schema: `seatrial config schema`\n(`{SCHEMA_ID}`).\n"
    )
    yield "A file with every key: [complete.toml](complete.toml).\n"
    yield "A value can come from four sources. A later one overrides an earlier one. `seatrial config show` prints the"
    yield "source of each value.\n"
    yield "1. the default"
    yield "2. the file"
    yield "3. the environment: the variable of a key in the tables below, or `SEATRIAL_SET` with one `KEY=VALUE` a line"
    yield "4. the command line: `--set KEY=VALUE`, or an option of the command\n"
    yield (
        "In `KEY`, elements of `[[image]]` and `[[release]]` are addressed by their names:"
        " `release.shop.namespace=pr-42`. `VALUE` is\nliteral where the key takes a string, else written as in TOML. A"
        " list may also be written as for a shell.\n"
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
    yield "Exit codes of the process. 0 to 5 are those of pytest.\n"
    yield "| code | name | what happened | what failed |\n| --- | --- | --- | --- |"
    for code in ExitCode:
        meaning, at_fault = EXIT_CODES[code]
        yield f"| {code.value} | {code.name.lower().replace('_', ' ')} | {meaning} | {at_fault} |"
    yield "| 6 to 9, 14 to 125 | | pytest or a plugin returned this code; 6: too many warnings | the tests |"
    yield "| 130 | | Ctrl-C, after everything that was created is deleted | |"
    yield "| 143 | | SIGTERM, after everything that was created is deleted | |"
    yield "| 141 | | the reader of stdout ended: `seatrial logs \\| head` | |"
    yield (
        "\nCodes of pytest's plugins (`session.exitstatus`, `pytest.exit(returncode=…)`) are passed on. Codes with"
        " another meaning here, 10 to 13 and from 126 on, become 1, and the verdict names them. The same holds for the"
        " code of `[runner] command` if pytest passed and the command failed: `pytest && coverage report"
        " --fail-under=90`. If failed tests made pytest stop itself with 2 (`-x` with xdist, `--stepwise`, modules that"
        " cannot be imported), the code is 1. `pytest.exit(returncode=0)` ends with 2, because tests did not run."
    )
    yield "\nIf several codes apply, the first of 130, 12, 10, 11, 1, 13 is used. A failed test and a broken platform"
    yield "never share a code: in CI, retry only on 10, 11 and 12. `make` turns every failure into 2; its message has"
    yield "the code.\n"
    yield "| command | exit code |\n| --- | --- |"
    yield "| `doctor` | 4 if there is a problem |"
    yield "| `config lint` | 4 if the configuration is invalid, or with `--strict` if there is a warning |"
    yield "| `watch` | that of the last run |"


def _events() -> Iterator[str]:
    yield (
        "`events.jsonl` in the directory of a run has one event a line, written as it happens. `seatrial render` shows"
        " a run from it.\nReaders must skip bodies and fields that they do not know.\n"
    )
    yield from _struct(event.Event, "## Event")
    yield "`body` is one of the following. Its field `body` has the name.\n"
    for body in get_args(event.Body):
        yield from _struct(body, f"## {body.__name__}")
    for part in (selection.Selection, finding.Finding, finding.ObjectRef):
        yield from _struct(part, f"## {part.__name__}")


def _result() -> Iterator[str]:
    yield (
        "`result.json` in the directory of a run. `run --json` and `test --json` print it, and the last event has it as"
        f" `result`.\nThe schema version is {result.RESULT_SCHEMA}. It is raised when readers would misunderstand a"
        " field, not for new fields.\n"
    )
    for part in (
        result.RunResult,
        result.Problem,
        result.Counts,
        result.StageResult,
        result.ImageUsed,
        result.TreeProof,
        result.PodChanges,
        blame.Blame,
        blame.Cause,
    ):
        yield from _struct(part, f"## {part.__name__}")
    for enum in (result.Stage, result.Outcome, blame.Fault):
        yield f"## {enum.__name__}\n\n{_doc(enum)}\n\n" + ", ".join(f"`{member}`" for member in enum) + "\n"


def _timeline() -> Iterator[str]:
    yield (
        f"`{timeline.TIMELINE_FILE}` in the directory of a run says what happened in the cluster, from the moment its"
        " API answers\nuntil logs are collected. Each line is one record. Its field `record` has the kind. A record"
        " states how an object is at a time:\nthe latest record of an object at a time is its state at that time.\n"
    )
    yield (
        "Times are in UTC. `at` is the clock of this machine, with microseconds. Other times are clocks of the cluster,"
        " most of them\nin whole seconds. Fields with their default value are left out. `seen` is `listed` for objects"
        " that existed when the watch\nstarted or was resumed. Readers must skip records and fields that they do not"
        " know.\n"
    )
    yield (
        f"The schema version is {timeline.TIMELINE_SCHEMA}. It is raised when readers would misunderstand a field, not"
        " for new fields.\n"
    )
    for record in get_args(timeline.Record):
        yield from _struct(record, f"## {record.__struct_config__.tag}")
    for part in _PARTS_OF_RECORDS:
        yield from _struct(part, f"## {part.__name__}")


_PARTS_OF_RECORDS: Final = (
    timeline.ClusterObject,
    timeline.Condition,
    timeline.Controller,
    timeline.Endpoint,
    timeline.EndpointPort,
    timeline.Taint,
    timeline.Termination,
)


def _causes() -> Iterator[str]:
    yield (
        "`seatrial up` and `seatrial diagnose` name the cause of what does not become ready or does not answer;"
        " [blame](../explanation/blame.md) uses\nthe same names for what happens while tests run."
        " Each cause in this table comes before those that it leads to. The\nmessages are what the product says of"
        " objects that were recorded on a cluster.\n"
    )
    yield "| cause | fault | message | hint |\n| --- | --- | --- | --- |"
    examples = examples_of_causes()
    for cause, fault in catalog.CAUSES.items():
        example = examples.get(cause)
        if example is None:
            yield f"| `{cause}` | {fault} |  |  |"
            continue
        made = example.finding
        message = f"`{made.subject.kind.lower()}/…`: {_cell(made.message)}" + (" *" if example.derived else "")
        yield f"| `{cause}` | {fault} | {message} | {_cell(made.hint)} |"
    yield (
        "\nCauses without a message have no recording. A message with an asterisk is of recorded objects that a script"
        " changed\n(`e2e/derived_causes.py`), because the machine of the recordings does not show the cause."
        " That machine has control groups\nof version 1, so an out-of-memory kill of a child process is recorded"
        " for version 1. Under version 2 the kernel kills the whole\ncontainer; the recording of that is derived, too."
    )


class Example(NamedTuple):
    """A finding in a recording, and whether the recording was derived from another one."""

    finding: finding.Finding
    derived: bool


def examples_of_causes() -> dict[str, Example]:
    """Return the first finding of the first recording of each cause; a derived recording only if there is no other."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    try:
        from diagnose.recorded_case import RECORDED, diagnosed, load  # noqa: PLC0415
    finally:
        sys.path.pop(0)
    found: dict[str, Example] = {}
    for derived, name in sorted(("derived_from" in load(path.stem), path.stem) for path in RECORDED.glob("*.json")):
        for each in diagnosed(name)[:1]:
            found.setdefault(each.cause, Example(each, derived))
    return found


def _facts() -> Iterator[str]:
    yield (
        "`facts.json` in the directory of a run with tests: the environment, as the container of the tests and the"
        " cluster describe it.\n`seatrial compare` reads it. It has no values of variables: see"
        " [secrets](../explanation/security.md#fingerprints-of-variables).\n"
        f"The schema version is {environment_facts.FACTS_SCHEMA}.\n"
    )
    for part in (
        environment_facts.EnvironmentFacts,
        environment_facts.RunnerFacts,
        environment_facts.ContainerFacts,
        environment_facts.Variable,
        environment_facts.Mount,
        environment_facts.Limits,
        environment_facts.Usage,
        environment_facts.NameAnswer,
        environment_facts.PortAnswer,
        environment_facts.PolicyFacts,
    ):
        yield from _struct(part, f"## {part.__name__}")
    for enum in (environment_facts.EnvironmentKind, environment_facts.Trait):
        yield f"## {enum.__name__}\n\n{_doc(enum)}\n\n" + ", ".join(f"`{member}`" for member in enum) + "\n"


def _comparison() -> Iterator[str]:
    yield (
        "`seatrial compare --json` prints this document. Its JSON Schema is"
        " [`comparison.schema.json`](comparison.schema.json).\n"
        f"The schema version is {comparison.COMPARISON_SCHEMA}.\n"
    )
    for part in (
        comparison.Comparison,
        comparison.ComparedSide,
        comparison.Box,
        comparison.Durations,
        comparison.Difference,
        comparison.Explanation,
        comparison.AcceptedBy,
    ):
        yield from _struct(part, f"## {part.__name__}")
    kinds = ", ".join(f"`{member}`" for member in comparison.Kind)
    yield f"## Kind\n\n{_doc(comparison.Kind)}\n\n{kinds}\n"


def _schema() -> str:
    schema = msgspec.json.schema(comparison.Comparison)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _struct(struct: type[msgspec.Struct], heading: str) -> Iterator[str]:
    told: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        told |= _attributes(inspect.cleandoc(base.__doc__ or ""))
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
        return f"[{name}]({_PAGES[type_.__module__.rpartition('.')[2]]}#{name.lower()})"
    return _SIMPLE[type_]


_SIMPLE: Final[dict[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time (RFC 3339)",
    date: "date",
}
_PAGES: Final = {
    "blame": "result.md",
    "comparison": "comparison.md",
    "environment_facts": "facts.md",
    "event": "events.md",
    "finding": "events.md",
    "result": "result.md",
    "selection": "events.md",
    "timeline": "timeline.md",
    "timeline_parts": "timeline.md",
}


def _doc(thing: Any) -> str:
    return " ".join(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
