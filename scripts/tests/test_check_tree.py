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
    monkeypatch.setattr(check_tree, "tracked", lambda *paths: [] if paths == (check_tree.STAGES,) else ["page.md"])

    assert list(check_tree.breaches()) == ["page.md:2: contains 'anew'; write: recreate, again"]
