from __future__ import annotations

import pytest
from seatrial.config.draft_images import choose_images

CHART = {"chart/Chart.yaml": "name: c\n", "chart/values.yaml": "image: {repository: acme/my-app, tag: ''}\n"}
SERVER = "FROM python:3.13\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY app app\n"
REQUIREMENTS = {"requirements.txt": "flask\n", "tests/test_a.py": "", "app/__init__.py": ""}


@pytest.mark.parametrize(
    ("files", "tests", "built"),
    [
        pytest.param(
            {"Dockerfile": SERVER.replace("app app", ". .") + "RUN pip install pytest\n", **REQUIREMENTS, **CHART},
            "my-app",
            {"my-app": ("Dockerfile", "")},
            id="one image for the server and the tests",
        ),
        pytest.param(
            {
                "Dockerfile": "FROM x AS base\nRUN pip install pytest\nFROM base AS ci\nCOPY tests tests\nFROM base\n",
                **REQUIREMENTS,
                **CHART,
            },
            "my-app-tests",
            {"my-app": ("Dockerfile", ""), "my-app-tests": ("Dockerfile", "ci")},
            id="a stage for tests before the last stage",
        ),
        pytest.param(
            {
                "Dockerfile": "FROM x AS app\nFROM app AS test\nRUN pip install pytest\nCOPY tests tests\n",
                **REQUIREMENTS,
                **CHART,
            },
            "my-app-tests",
            {"my-app": ("Dockerfile", "app"), "my-app-tests": ("Dockerfile", "test")},
            id="a stage for tests on top of the server's",
        ),
        pytest.param(
            {
                "Dockerfile": "FROM x\nFROM x AS test\nRUN pip install pytest\nCOPY tests tests\n",
                **REQUIREMENTS,
                **CHART,
            },
            "my-app-tests",
            {"my-app": ("Dockerfile", "0"), "my-app-tests": ("Dockerfile", "test")},
            id="a server's stage without a name",
        ),
        pytest.param(
            {"Dockerfile": SERVER, "Dockerfile.tests": "FROM my-app\nCOPY tests tests\n", **REQUIREMENTS, **CHART},
            "my-app-tests",
            {"my-app": ("Dockerfile", ""), "my-app-tests": ("Dockerfile.tests", "")},
            id="a Dockerfile for tests beside the server's",
        ),
        pytest.param(
            {
                "services/my-app/Dockerfile": "FROM x\nCOPY app.py ./\n",
                "services/my-app/app.py": "",
                "e2e/Dockerfile": "FROM x\nRUN pip install pytest\nCOPY . .\n",
                "e2e/test_a.py": "",
                "pytest.ini": "[pytest]\ntestpaths = e2e\n",
                **CHART,
            },
            "my-app-tests",
            {"my-app": ("services/my-app/Dockerfile", ""), "my-app-tests": ("e2e/Dockerfile", "")},
            id="a folder for each image",
        ),
        pytest.param(
            {"Dockerfile": "FROM x\nCOPY app app\n", "load-test.Dockerfile": "FROM k6\n", **REQUIREMENTS},
            "my-app-tests",
            {"my-app-tests": ("load-test.Dockerfile", "")},
            id="only a name tells the tests' image",
        ),
    ],
)
def test_choose_images_takes_the_image_with_pytest_and_tests(project, files, tests, built):
    images = choose_images(project(files))

    assert images.tests == tests
    assert {name: (str(file.path), target) for name, (file, target) in images.built.items()} == built


def test_choose_images_lists_the_server_image_of_a_chart_as_a_guess(project):
    images = choose_images(project({"Dockerfile": SERVER, **REQUIREMENTS, **CHART}))

    assert images.tests == "my-app"
    assert images.found == ()
    assert images.guessed == (
        (
            '[runner] image = "my-app": no Dockerfile shows pytest or the tests; for an image with both, remove'
            " seatrial.toml and run: seatrial init --dockerfile"
        ),
        (
            '[[image]] "my-app": built from Dockerfile, because a chart names it; correct dockerfile and'
            " target, or remove the table to use the chart's image"
        ),
    )


@pytest.mark.parametrize(
    ("dockerfile", "guess"),
    [
        (
            "FROM x\nRUN pip install pytest\n",
            "Dockerfile shows pytest, not the tests; if the image lacks the tests, add",
        ),
        ("FROM x\nCOPY . .\n", "Dockerfile shows the tests, not pytest; if the image lacks pytest, add them"),
        (
            "FROM x\nFROM x AS tests\n",
            "Dockerfile, target tests is named like tests, but shows neither pytest nor tests",
        ),
    ],
)
def test_choose_images_lists_what_a_dockerfile_does_not_show(project, dockerfile, guess):
    images = choose_images(project({"Dockerfile": dockerfile, "tests/test_a.py": ""}))

    assert guess in images.guessed[0]
    assert images.found == ()


def test_choose_images_names_dockerfiles_that_it_does_not_use(project):
    images = choose_images(project({"Dockerfile": SERVER, "docs/Dockerfile": "FROM x\n", **REQUIREMENTS}))

    assert "[[image]]: no image is built from docs/Dockerfile; add an [[image]] if one is needed" in images.guessed
