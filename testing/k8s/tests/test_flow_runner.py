"""What the runner's end means: pytest's code, another's fault, or nothing that could be proven."""

import io

import pytest
from flow.errors import INCONCLUSIVE, Failure
from flow.runner import Counts, _Echo, code_of, proven, read_junit, with_choices

POD = {
    "kind": "Pod",
    "spec": {
        "containers": [
            {"name": "tests", "image": "floe-test:latest", "command": ["pytest"]},
            {"name": "keeper", "image": "floe-test:latest", "command": ["sleep"]},
            {"name": "other", "image": "floe-tester:latest"},
        ]
    },
}


def junit(folder, *, tests=2, failures=0, errors=0):
    path = folder / "junit.xml"
    path.write_text(
        f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="1"/></testsuites>'
    )
    return path


@pytest.mark.parametrize("code", range(6))
def test_pytests_own_codes_pass(code):
    assert code_of({"exitCode": code, "reason": "Completed"}) == code


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "memory"),
        ({"exitCode": 0, "reason": "OOMKilled"}, "memory"),
        ({"exitCode": 127, "reason": "Error"}, "127"),
        ({"exitCode": 143, "reason": "Error"}, "143"),
    ],
)
def test_any_other_end_is_not_the_tests_fault(ended, says):
    with pytest.raises(Failure, match=says) as caught:
        code_of(ended)

    assert caught.value.code == 10


def test_passed_is_believed_with_a_file_that_says_so(tmp_path):
    assert proven(0, junit(tmp_path)) == (0, Counts(tests=2, failed=0, skipped=1))


def test_failed_is_believed_without_a_file(tmp_path):
    assert proven(1, tmp_path / "junit.xml") == (1, None)


@pytest.mark.parametrize("wrong", [{"tests": 0}, {"failures": 1}, {"errors": 1}])
def test_passed_is_not_believed_against_the_file(tmp_path, wrong):
    with pytest.raises(Failure) as caught:
        proven(0, junit(tmp_path, **wrong))

    assert caught.value.code == INCONCLUSIVE


def test_passed_is_not_believed_without_a_file(tmp_path):
    with pytest.raises(Failure) as caught:
        proven(0, tmp_path / "junit.xml")

    assert caught.value.code == INCONCLUSIVE


def test_half_a_file_is_no_file(tmp_path):
    path = junit(tmp_path)
    path.write_text(path.read_text()[:40])

    assert read_junit(path) is None


def test_the_image_of_the_run_goes_into_the_containers_that_have_the_tests_image():
    (changed,) = with_choices([POD], image="floe-test:abc", command=[])

    assert [c["image"] for c in changed["spec"]["containers"]] == [
        "floe-test:abc",
        "floe-test:abc",
        "floe-tester:latest",
    ]
    assert changed["spec"]["containers"][0]["command"] == ["pytest"]


def test_a_command_of_the_callers_replaces_the_tests_only():
    (changed,) = with_choices([POD], image="floe-test:abc", command=["pytest", "-k", "s3"])

    assert changed["spec"]["containers"][0]["command"] == ["pytest", "-k", "s3"]
    assert changed["spec"]["containers"][1]["command"] == ["sleep"]
    assert POD["spec"]["containers"][0]["command"] == ["pytest"]


def test_a_log_read_twice_is_printed_once(capfdbinary):
    copy = io.BytesIO()
    echo = _Echo(copy)
    echo.again()
    echo.hear(b"one\ntw")
    echo.again()
    echo.hear(b"one")
    echo.hear(b"\ntwo\nthree\n")

    assert copy.getvalue() == b"one\ntwo\nthree\n"
    assert capfdbinary.readouterr().out == b"one\ntwo\nthree\n"
