from __future__ import annotations

import pytest
from seatrial.image_inputs.dockerfile import parse
from seatrial.image_inputs.run_steps import Step, step


def step_of(text: str, workdir: str | None = "/app", *, shell: bool = True) -> Step:
    """Return the effect of one RUN."""
    (instruction,) = parse(text).instructions
    return step(instruction, workdir, shell=shell)


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("RUN useradd tester && chown tester /app", Step("none")),
        ("RUN DEBIAN_FRONTEND=noninteractive apt-get install -y git", Step("none")),
        ("RUN rm -rf /var/lib/apt/lists/* /tmp/x", Step("none", ("/var/lib/apt/lists", "/tmp/x"))),
        ("RUN pip install --index-url https://example.com/ pytest==9.0", Step("none")),
        ("RUN uv pip install --system -e ./src", Step("editable")),
        ("RUN uv sync --frozen --python 3.13", Step("editable")),
        ("RUN poetry install --no-root", Step("editable")),
        ('RUN ["mkdir", "/data"]', Step("none")),
    ],
)
def test_known_commands_have_a_known_effect(text: str, effect: Step) -> None:
    assert step_of(text) == effect


@pytest.mark.parametrize(
    "text",
    [
        "RUN make",
        "RUN apt-get install -y ./package.deb",
        "RUN apt-get upgrade",
        "RUN rm -rf build",
        "RUN rm -rf /app/*/cache",
        "RUN pip install git+https://example.com/x",
        "RUN pip install -e git+https://example.com/x",
        "RUN pip install $PACKAGES",
        "RUN uv sync pytest",
        "RUN echo 'open",
        "RUN (mkdir /x)",
        "RUN DEBIAN_FRONTEND=noninteractive",
        "RUN",
    ],
)
def test_other_commands_have_an_unknown_effect(text: str) -> None:
    assert step_of(text) == Step("any")


def test_requirements_file_counts_with_hashes_and_a_known_working_directory() -> None:
    text = "RUN pip install --require-hashes -r locks/../all.txt"

    assert step_of(text) == Step("none", ("/app/all.txt",))
    assert step_of(text, None) == Step("any")
    assert step_of(text.replace(" --require-hashes", "")) == Step("any")


def test_shell_form_has_an_unknown_effect_with_another_shell() -> None:
    assert step_of("RUN mkdir /data", shell=False) == Step("any")
    assert step_of('RUN ["mkdir", "/data"]', shell=False) == Step("none")
