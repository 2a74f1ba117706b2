from __future__ import annotations

import pytest
from seatrial.config.problem import ConfigurationError, Problem, did_you_mean
from seatrial.model.errors import ExitCode


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("seatrial.toml:3", ("cluster", "name"), "is empty", "remove it"),
         "seatrial.toml:3: cluster.name: is empty; remove it"),
        (Problem("seatrial.toml:3", ("image", 0, "name"), "is empty"), "seatrial.toml:3: image[0].name: is empty"),
        (Problem("--set", (), "has no value"), "--set: has no value"),
    ],
)  # fmt: skip
def test_problem_is_one_line_of_place_key_message_and_hint(problem: Problem, line: str) -> None:
    assert str(problem) == line


@pytest.mark.parametrize(("count", "message"), [(1, "1 problem in the"), (2, "2 problems in the")])
def test_error_counts_its_problems(count: int, message: str) -> None:
    problems = [Problem("seatrial.toml:1", (), "x")] * count

    error = ConfigurationError(problems)

    assert message in error.message
    assert error.problems == tuple(problems)
    assert error.exit_code is ExitCode.USAGE
    assert ConfigurationError(problems, what="no configuration").message == "no configuration"


@pytest.mark.parametrize(
    ("word", "possible", "hint"),
    [
        ("nmae", ["name", "image"], "did you mean 'name'?"),
        ("zzz", ["name", "image"], "known: image, name"),
        ("zzz", [], ""),
    ],
)
def test_hint_has_the_most_similar_word_or_all(word: str, possible: list[str], hint: str) -> None:
    assert did_you_mean(word, possible) == hint
