from __future__ import annotations

import pytest
from seatrial.image_inputs.context_use import BaseImage
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.sync_folders import places_of
from seatrial.image_inputs.working_tree import Entry

from .contexts import CONTEXT, HEAD, places, refused


@pytest.mark.parametrize(
    "text",
    [
        "COPY tests tests",
        "COPY . .",
        "COPY --chown=1000:1000 ./tests/ /app/tests/",
        "RUN make\nCOPY tests tests",
        "COPY tests tests\nUSER 1\nENV A=b\nCMD x\nEXPOSE 1\nLABEL a=b",
        "COPY tests tests\nRUN chown -R 1000:1000 /app",
        "COPY tests tests\nRUN useradd --uid 1000 --create-home tester && chown 1000:1000 /app",
        "COPY tests tests\nRUN apt-get update && apt-get install -y git curl && rm -rf /var/lib/apt/lists/*",
        "COPY tests tests\nRUN apk add --no-cache git",
        "COPY tests tests\nRUN pip install --no-cache-dir 'pytest>=9' pytest-cov==7.1",
        "COPY requirements.txt .\nCOPY tests tests\nRUN pip install --require-hashes -r requirements.txt",
        "COPY pyproject.toml ./\nCOPY tests tests\nRUN uv sync --frozen",
        "COPY tests tests\nRUN python -m pip install --no-deps -e .",
        'COPY tests tests\nRUN ["chown", "1", "/app"]',
        "COPY tests tests\nCOPY --from=other:1 /uv /usr/bin/uv",
        "COPY --from=other:1 /app /app\nCOPY tests tests",
        "COPY conftest.py pyproject.toml ./\nCOPY tests tests",
        "COPY conf*.py ./\nCOPY tests tests",
    ],
)
def test_file_of_a_plain_copy_is_sent(text: str) -> None:
    assert refused(HEAD + text) == ""


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("COPY tests tests\nRUN pytest", 4, "RUN pytest may depend on it"),
        ("COPY . .\nRUN pip install .", 4, "RUN pip install . may"),
        ("COPY tests tests\nRUN pip install -r requirements.txt", 4, "may depend"),
        ("COPY tests tests\nRUN pip install $(cat tests/req)", 4, "may depend"),
        ("COPY tests tests\nRUN chown 1 /app; sed -i s/a/b/ tests/x", 4, "may depend"),
        ("COPY tests tests\nRUN chown 1 /app > tests/x", 4, "may depend"),
        ("COPY tests tests\nRUN chown 1 /app | sh", 4, "may depend"),
        ("COPY tests tests\nRUN chown 1 `cat tests/x`", 4, "may depend"),
        ("COPY tests tests\nRUN chmod -R 700 tests", 4, "may depend"),
        ("COPY tests tests\nRUN uv sync --no-editable", 4, "may depend"),
        ("COPY tests tests\nRUN pip install ./wheels/x.whl", 4, "may depend"),
        ("COPY tests tests\nRUN <<EOF\nchown 1 /app\nEOF", 4, "may depend"),
        ('COPY tests tests\nSHELL ["/odd"]\nRUN chown 1 /app', 5, "may depend"),
        ("COPY tests tests\nRUN rm -rf /app/tests/data", 4, "changes or reads /app/tests/data"),
        ("COPY tests tests\nRUN rm -rf /app/tests/*", 4, "changes or reads /app/tests"),
        (
            "COPY tests tests\nRUN pip install --require-hashes -r tests/r.txt",
            4,
            "changes or reads /app/tests/r.txt",
        ),
        ("COPY --chmod=755 tests tests", 3, "--chmod"),
        ("COPY --exclude=a tests tests", 3, "--exclude"),
        ("ADD tests tests", 3, "ADD"),
        ("COPY t*s tests", 3, "wildcard"),
        ("COPY tests /other", 3, "it is not copied to"),
        ("COPY tests ./", 3, "it is not copied to"),
        ("COPY tests src ./", 3, "it is not copied to"),
        ("COPY tests tests\nCOPY docs tests/docs", 4, "docs/index.md is copied into tests"),
        ("COPY tests tests\nCOPY docs tests", 4, "docs/index.md is copied into tests"),
        ("COPY tests tests\nCOPY --from=b /x /app/tests/x", 4, "COPY from outside the context"),
        ("COPY tests tests\nCOPY --from=b /app /app", 4, "COPY from outside the context"),
        ("COPY tests tests\nCOPY <<EOF tests/x\n1\nEOF", 4, "COPY from outside the context"),
        ("COPY tests tests\nADD https://example.com/x tests/", 4, "ADD from outside the context"),
        ("COPY tests tests\nVOLUME /app/tests", 4, "VOLUME"),
        ("COPY tests tests\nRUN --mount=type=bind,target=/x true", 4, "--mount"),
        ("COPY tests tests\nCOPY tests copy", 4, "it is not copied to"),
    ],
)
def test_file_is_built_if_another_instruction_may_use_or_replace_it(text: str, line: int, reason: str) -> None:
    message = refused(HEAD + text)

    assert f"Dockerfile line {line}: " in message
    assert reason in message


def test_refusal_names_the_remedy() -> None:
    assert "to have it sent, move COPY tests below the last RUN" in refused(HEAD + "COPY tests tests\nRUN pytest")


def test_instructions_of_earlier_stages_of_the_image_count() -> None:
    assert refused(HEAD.replace("13", "13 AS a") + "COPY tests tests\nFROM a\nRUN chown 1 /app") == ""
    assert "line 5" in refused(HEAD.replace("13", "13 AS a") + "COPY tests tests\nFROM a\nRUN pytest")


def test_files_copied_from_another_stage_are_built() -> None:
    text = f"FROM a AS b\nWORKDIR /app\nCOPY tests tests\n{HEAD}COPY --from=b /app /app\n"
    assert "in a stage that is not part of the image" in refused(text)


def test_files_of_a_stage_that_is_also_copied_from_are_built() -> None:
    text = f"{HEAD.replace('13', '13 AS a')}COPY tests tests\nFROM a\nCOPY --from=a /app/tests/test_a.py /x\n"
    assert "in a stage that is not part of the image" in refused(text)


def test_files_are_built_if_the_working_directory_is_unknown() -> None:
    assert "is unknown" in refused("FROM a\nCOPY tests tests")
    known = analyze("FROM a\nCOPY tests tests", bases={"a": BaseImage("/app")})
    assert places_of(known, "/app", ("tests",), CONTEXT) == ("tests",)


def test_places_are_limited_to_the_paths_of_sync() -> None:
    assert places(HEAD + "COPY . .", ("tests/data", "none")).paths == ("tests/data",)
    assert places(HEAD + "COPY src/shop src/shop", ("src",)).paths == ("src/shop",)
    assert places(HEAD + "COPY . .", (".",)).paths == ("docs", "src", "tests")
    assert places(HEAD + "COPY . .", ("tests", "tests/data")).paths == ("tests",)


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (None, Entry("f", 0o600, 1, "x"), "only its owner"),
        (None, Entry("d", 0o700, 0, ""), "only its owner"),
        (Entry("f", 0o600, 1, "x"), Entry("f", 0o644, 1, "x"), "only its owner"),
        (None, Entry("f", 0o4755, 1, "x"), "set-user-ID"),
        (None, Entry("l", 0, 0, "/etc/passwd"), "points out of the working tree"),
        (None, Entry("l", 0, 0, "../../x"), "points out of the working tree"),
        (Entry("l", 0, 0, "/x"), None, "points out of the working tree"),
        (None, Entry("l", 0, 0, "../src"), ""),
        (Entry("d", 0o755, 0, ""), Entry("d", 0o775, 0, ""), "mode of the folder"),
        (Entry("f", 0o644, 1, "x"), Entry("f", 0o755, 1, "x"), ""),
    ],
)
def test_special_files_are_built(before: Entry | None, now: Entry | None, reason: str) -> None:
    message = places(HEAD + "COPY tests tests").refuses("tests/x", before, now)

    assert reason in message
    assert bool(message) == bool(reason)


def test_private_file_is_sent_if_copy_sets_its_owner() -> None:
    private = Entry("f", 0o600, 1, "x")
    assert places(HEAD + "COPY --chown=1 tests tests").refuses("tests/x", None, private) == ""


@pytest.mark.parametrize(
    ("path", "settled", "reason"),
    [
        ("src/shop/a.py", True, ""),
        ("src/shop/data.json", True, ""),
        ("src/shop/fast.pyx", True, "may depend on this file"),
        ("src/shop/pyproject.toml", True, "may depend on this file"),
        ("src/new/__init__.py", True, "a new or deleted folder"),
        ("src/shop/a.py", False, "dynamic metadata"),
    ],
)
def test_editable_installation_builds_files_that_may_change_it(path: str, settled: bool, reason: str) -> None:
    found = places(HEAD + "COPY src src\nRUN pip install -e .", settled=settled)
    message = found.refuses(path, CONTEXT.get(path), CONTEXT.get(path))

    assert reason in message
    assert bool(message) == bool(reason)
