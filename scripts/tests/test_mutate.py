"""scripts/mutate.py: which survivors are accepted, and which modules are mutated."""

from __future__ import annotations

import sys

import mutate
import pytest


def test_judge_accepts_explained_survivors_only(capsys):
    known = mutate.Survivor("a.py", "x = 1", "NumberReplacer")
    other = mutate.Survivor("a.py", "y = 2", "NumberReplacer")

    assert mutate.judge({known}, {known: "because"}) == 0
    assert mutate.judge({known, other}, {known: "because"}) == 1
    assert "survived: a.py: NumberReplacer: y = 2" in capsys.readouterr().err
    assert mutate.judge(set(), {known: "because"}) == 1
    assert "explained, but killed: a.py" in capsys.readouterr().err


def test_explained_reads_each_operator_of_the_modules(tmp_path, monkeypatch):
    file = tmp_path / "survivors.toml"
    file.write_text(
        '[[survivor]]\nmodule = "a.py"\nline = "x"\noperators = ["A", "B"]\nreason = "r"\n'
        '[[survivor]]\nmodule = "b.py"\nline = "x"\noperators = ["A"]\nreason = "r"\n'
    )
    monkeypatch.setattr(mutate, "SURVIVORS", file)

    assert sorted(each.operator for each in mutate.explained(["a.py"])) == ["A", "B"]


def test_committed_explanations_name_lines_that_exist():
    modules = [path.relative_to(mutate.SOURCE).as_posix() for path in mutate.SOURCE.rglob("*.py")]
    known = mutate.explained(modules)

    assert all(known.values())
    for each in known:
        assert each.line in [line.strip() for line in (mutate.SOURCE / each.module).read_text().splitlines()]


def test_unknown_module_is_a_usage_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mutate.py", "runner/nothing.py"])

    with pytest.raises(SystemExit):
        mutate.main()

    assert "runner/nothing.py is not a file below seatrial/src/seatrial" in capsys.readouterr().err


def test_mutate_finds_the_mutant_that_no_test_notices(tmp_path, monkeypatch):
    """A module with one tested and one untested function: the survivors are in the untested one."""
    (tmp_path / "src" / "seatrial" / "model").mkdir(parents=True)
    (tmp_path / "tests" / "model").mkdir(parents=True)
    (tmp_path / "src" / "seatrial" / "__init__.py").touch()
    (tmp_path / "src" / "seatrial" / "model" / "__init__.py").touch()
    module = tmp_path / "src" / "seatrial" / "model" / "sums.py"
    module.write_text("def tested(a):\n    return not a\n\n\ndef untested(a):\n    return -a\n")
    (tmp_path / "tests" / "model" / "test_sums.py").write_text(
        "from seatrial.model import sums\n\n\ndef test_tested():\n    assert sums.tested(0)\n    sums.untested(0)\n"
    )
    monkeypatch.setattr(mutate, "PROJECT", tmp_path)
    monkeypatch.setattr(mutate, "SOURCE", tmp_path / "src" / "seatrial")

    killed, tried, survivors = mutate.mutate("model/sums.py")

    assert tried > killed > 0
    assert {each.line for each in survivors} == {"return -a"}


EQUAL = """\
@dataclass(frozen=True)
class A:
    deep: bool = True

    def f(self, *, a: int | None = 2 * 3) -> int:
        return a | 1
"""


@pytest.mark.parametrize(
    ("operator", "at", "equal"),
    [
        ("ReplaceTrueWithFalse", "True)", True),
        ("ReplaceTrueWithFalse", "True\n", False),
        ("ReplaceBinaryOperator_Mul_Div", "*,", True),
        ("ReplaceBinaryOperator_Mul_Div", "* 3", False),
        ("ReplaceBinaryOperator_BitOr_Add", "| None", True),
        ("ReplaceBinaryOperator_BitOr_Add", "| 1", False),
        ("ReplaceComparisonOperator_Is_Eq", "return", True),
        ("ReplaceComparisonOperator_IsNot_NotEq", "return", True),
        ("ReplaceComparisonOperator_Is_IsNot", "return", False),
        ("NumberReplacer", "2 *", False),
    ],
)
def test_mutants_of_annotations_and_signatures_are_equal(operator, at, equal):
    before = EQUAL[: EQUAL.index(at)]

    assert mutate.is_equal(EQUAL, operator, 1 + before.count("\n"), len(before.rpartition("\n")[2])) is equal


def test_annotation_lines_are_those_of_parameters_results_and_variables():
    source = "def f(\n    a: int | None,\n    b=1 | 2,\n) -> int | None:\n    c: int | None = 1 | 2\n    return a | b\n"

    assert mutate.annotation_lines(source) == {2, 4, 5}
