from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("files", "paths", "settings"),
    [
        ({"pytest.ini": "[pytest]\ntestpaths = a b\n"}, ("a", "b"), "pytest.ini"),
        ({"tox.ini": "[tox]\n[pytest]\ntestpaths =\n    c\n"}, ("c",), "tox.ini"),
        ({"setup.cfg": "[tool:pytest]\ntestpaths = d\n"}, ("d",), "setup.cfg"),
        ({"pyproject.toml": "[tool.pytest]\ntestpaths = ['e']\n"}, ("e",), "pyproject.toml"),
        ({"pytest.ini": "no section\n", "test/x": ""}, ("test",), None),
        ({"pyproject.toml": "not TOML"}, (), None),
    ],
)
def test_testpaths_come_from_the_file_that_pytest_reads(project, files, paths, settings):
    found = project(files)

    assert found.testpaths == paths
    assert found.test_settings == (Path(settings) if settings else None)


@pytest.mark.parametrize(
    ("files", "installer"),
    [
        ({"uv.lock": ""}, "uv"),
        ({"poetry.lock": ""}, "poetry"),
        ({"pyproject.toml": '[tool.poetry]\nname = "x"\n'}, "poetry"),
        ({"requirements.txt": ""}, "pip"),
        ({}, "pip"),
    ],
)
def test_installer_follows_lock_file_and_metadata(project, files, installer):
    assert project(files).installer == installer


@pytest.mark.parametrize(
    ("files", "name", "named_by"),
    [
        ({"pyproject.toml": "[project]\nname = 'Shop_API'\n"}, "shop-api", Path("pyproject.toml")),
        ({"pyproject.toml": "[tool.poetry]\nname = 'shop'\n"}, "shop", Path("pyproject.toml")),
        ({}, "my-app", None),
    ],
)
def test_project_name_is_that_of_the_metadata_or_the_directory(project, files, name, named_by):
    found = project(files)

    assert (found.name, found.named_by) == (name, named_by)


def test_files_without_a_stage_are_no_dockerfiles(project):
    assert project({"Dockerfile": "nothing\n", "app.dockerfile": "FROM x\n"}).dockerfiles[0].path == Path(
        "app.dockerfile"
    )
