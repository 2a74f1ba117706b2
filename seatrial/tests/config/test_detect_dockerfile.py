from __future__ import annotations

from pathlib import Path

import pytest

TESTS = {"tests/test_a.py": ""}
DEV_GROUP = "[project]\nname = 'a'\n[dependency-groups]\ndev = ['pytest>=8']\n"
EXTRA = "[project]\nname = 'a'\n[project.optional-dependencies]\ntest = ['pytest-asyncio']\n"


def stages(project, files):
    (file,) = project({**TESTS, **files}).dockerfiles
    return file.stages


@pytest.mark.parametrize(
    ("instructions", "files", "expected"),
    [
        ("RUN pip install pytest", {}, True),
        ("RUN apk add bash \\\n  # a comment\n  && pip install \\\n    'pytest>=8'", {}, True),
        ('CMD ["pytest", "-q"]', {}, True),
        ("# RUN pip install pytest\nRUN true", {}, False),
        ("RUN pip install httpx", {"requirements.txt": "pytest\n"}, False),
        ("RUN pip install -r requirements.txt", {"requirements.txt": "pytest\n"}, True),
        ("RUN pip install -r /tmp/dev.txt", {"dev.txt": "httpx\npytest-xdist==3\n"}, True),
        ("RUN pip install -r requirements.txt", {"requirements.txt": "httpx\n", "dev.txt": "pytest\n"}, False),
        ("RUN pip install -r a.txt", {"a.txt": "-r more/b.txt\n", "more/b.txt": "pytest\n"}, True),
        ("RUN uv pip sync locks/test.txt", {"locks/test.txt": "pytest==8.4 --hash=x\n"}, True),
        ("COPY r*.txt ./\nRUN for f in r*.txt; do pip install -r $f; done", {"r1.txt": "pytest\n"}, True),
        ("RUN uv sync --frozen", {"pyproject.toml": DEV_GROUP}, True),
        ("RUN uv sync --no-dev", {"pyproject.toml": DEV_GROUP}, False),
        ("RUN uv sync", {"pyproject.toml": EXTRA}, False),
        ("RUN uv sync --extra test", {"pyproject.toml": EXTRA}, True),
        ("RUN pip install .", {"pyproject.toml": EXTRA}, False),
        ("RUN pip install -e '.[test]'", {"pyproject.toml": EXTRA}, True),
        ("RUN pip install flask", {"pyproject.toml": "[project]\ndependencies = ['pytest']\n"}, False),
        ("RUN poetry install", {"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest = '*'\n"}, True),
        (
            "RUN poetry install --only main",
            {"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest = '*'\n"},
            False,
        ),
        ("RUN uv sync", {"pyproject.toml": "not TOML"}, False),
        ("RUN <<EOF\npip install pytest\nEOF", {}, True),
    ],
)
def test_stage_has_pytest_if_an_instruction_installs_it(project, instructions, files, expected):
    (stage,) = stages(project, {**files, "Dockerfile": f"FROM x\n{instructions}\n"})

    assert stage.has_pytest == expected


@pytest.mark.parametrize(
    ("instructions", "ignored", "expected"),
    [
        ("COPY tests tests", "", True),
        ("COPY --chown=1:1 ./tests/ /app/tests/", "", True),
        ('ADD ["tests", "/app/tests"]', "", True),
        ('COPY ["tests', "", False),
        ("COPY t* ./", "", True),
        ("COPY tests/test_a.py ./", "", True),
        ("COPY src src", "", False),
        ("COPY --from=build /app/tests tests", "", False),
        ("COPY . .", "", True),
        ("COPY . .", "# nothing\n.git\n", True),
        ("COPY . .", "tests/\n", False),
        ("COPY . .", "**/tests\n", False),
        ("COPY . .", "*\n!tests\n", True),
    ],
)
def test_stage_has_tests_if_an_instruction_copies_a_test_folder(project, instructions, ignored, expected):
    (stage,) = stages(project, {"Dockerfile": f"FROM x\n{instructions}\n", ".dockerignore": ignored})

    assert stage.has_tests == expected


def test_stage_inherits_from_the_stage_it_starts_from(project):
    text = "FROM x AS base\nRUN uv sync && pip install pytest\nFROM base AS tests\nCOPY tests tests\nFROM x\nRUN true\n"
    base, tests, last = stages(project, {"Dockerfile": text})

    assert (base.name, base.has_pytest, base.has_tests) == ("base", True, False)
    assert (tests.name, tests.has_pytest, tests.has_tests) == ("tests", True, True)
    assert (last.name, last.has_pytest, last.has_tests) == ("", False, False)
    assert tests.tools == {"uv", "pip"}
    assert last.tools == set()


@pytest.mark.parametrize(
    ("files", "context"),
    [
        ({"api/Dockerfile": "FROM x\nCOPY app.py ./\n", "api/app.py": ""}, Path("api")),
        ({"api/Dockerfile": "FROM x\nCOPY api/app.py ./\n", "api/app.py": ""}, Path()),
        ({"api/Dockerfile": "FROM x\nCOPY . .\n"}, Path()),
        ({"api/Dockerfile": "FROM x\nCOPY ../a **b ./\n"}, Path()),
    ],
)
def test_context_is_the_folder_that_copied_files_exist_in(project, files, context):
    (file,) = project(files).dockerfiles

    assert file.context == context


def test_tests_outside_of_the_context_are_not_copied(project):
    (stage,) = stages(project, {"api/Dockerfile": "FROM x\nCOPY app.py ./\nCOPY . .\n", "api/app.py": ""})

    assert not stage.has_tests
