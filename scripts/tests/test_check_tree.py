"""Test the word list: which texts are checked, and which words are reported."""

import check_tree
import pytest


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('raise FoundryError("a", hint=f"b {x} c")', {"a", "b ", " c"}),
        ('self.say("a")', {"a"}),
        ('group.add_argument("--a", help="b")', {"--a", "b"}),
        ('@click.option("--a", help="b")\ndef f():\n    """C."""', {"--a", "b", "C."}),
        ('x = "a"\ny = other("b")\n# c', set()),
    ],
)
def test_python_texts_are_docstrings_and_shown_strings(source, texts):
    assert {text for _, text in check_tree.python_texts(source)} == texts


def test_markdown_texts_omit_code_and_link_targets():
    source = "a `b` [c](d)\n```console\ne\n```\n    f\n"

    assert [text.split() for _, text in check_tree.markdown_texts(source)] == [["a", "[c"]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the pod is made anew", "anew"),
        ("Somebody else's cluster", "Somebody else's"),
        ("a throwaway pod", "throwaway"),
        ("the colour", "colour"),
        ("the limit; empty if there is none", "there is none"),
        ("its image cannot be had", "cannot be had"),
    ],
)
def test_forbidden_words_reports_word_and_replacement(text, word):
    ((found, replacement),) = check_tree.forbidden_words(text)

    assert found == word
    assert replacement


@pytest.mark.parametrize("text", ["a feature gate", "an artifact", "the pod was deleted", "memory: 512Mi", "renewed"])
def test_forbidden_words_accepts_standard_words(text):
    assert not list(check_tree.forbidden_words(text))


def test_breaches_names_file_line_and_replacement(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("fine\nthe pod is made anew\n")
    monkeypatch.setattr(check_tree, "ROOT", tmp_path)
    monkeypatch.setattr(check_tree, "STAGE_FILES", frozenset())
    monkeypatch.setattr(check_tree, "test_file_breaches", lambda: ())
    monkeypatch.setattr(check_tree, "tracked", lambda *paths: [] if paths == (check_tree.STAGES,) else ["page.md"])

    assert list(check_tree.breaches()) == ["page.md:2: contains 'anew'; write: recreate, again"]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a function that writes files; they are the whole repository."""
    monkeypatch.setattr(check_tree, "ROOT", tmp_path)

    def tracked(*patterns):
        names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
        return sorted(name for name in names if not patterns or name.startswith(patterns))

    monkeypatch.setattr(check_tree, "tracked", tracked)

    def tree(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text)
        return list(check_tree.test_file_breaches())

    return tree


def test_modules_without_a_test_file_are_named_below_the_floor(tree, monkeypatch):
    monkeypatch.setattr(check_tree, "MIRRORED", 50.0)
    assert tree(seatrial__src__seatrial__a__one="", seatrial__tests__a__test_one="") == []
    assert tree(seatrial__src__seatrial__two="") == []

    assert tree(seatrial__src__seatrial__a__three="") == [
        "seatrial/tests/: 33.3 % of the modules have a test file of the same path, should be 50.0 %:",
        "  seatrial/src/seatrial/a/three.py",
        "  seatrial/src/seatrial/two.py",
    ]


def test_test_of_another_folder_does_not_count(tree):
    assert len(tree(seatrial__src__seatrial__a__one="", seatrial__tests__b__test_one="")) == 2


@pytest.mark.parametrize("text", ["import a.test_one", "from a.test_one import x", "from a import test_one"])
def test_import_from_a_test_module_is_a_breach(tree, text):
    assert tree(seatrial__tests__a__test_one="x = 1", seatrial__tests__a__helper=text, seatrial__e2e__test_b=text) == [
        f"{name}.py:1: imports a.test_one{'.x' if text.endswith('x') else ''};"
        " move what tests share to a module that is no test"
        for name in ("seatrial/e2e/test_b", "seatrial/tests/a/helper")
    ]


def test_long_test_file_is_a_breach(tree):
    assert tree(seatrial__tests__test_a="x = 1\n" * 501) == [
        "seatrial/tests/test_a.py: has 501 lines, at most 500; split it"
    ]
