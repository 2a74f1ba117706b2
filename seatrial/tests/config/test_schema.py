from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest
from seatrial.config.schema import SCHEMA_ID, json_schema

FULL = Path(__file__).with_name("full.toml").read_text()
MINIMAL = '[runner]\nimage = "example.org/tests:1"\n'


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("text", [FULL, MINIMAL])
def test_json_schema_accepts_valid_configurations(validator, text):
    assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "root = '/x'\n" + MINIMAL,
        MINIMAL + "imag = 1",
        MINIMAL + "[service.x]\nport = 0",
        MINIMAL + "[service.x]\nport = '80'",
        MINIMAL + "[cluster]\nprovider = 'k3d'",
        MINIMAL + "[release]\nname = 'x'",
        "version = 2\n" + MINIMAL,
    ],
)
def test_json_schema_refuses_invalid_configurations(validator, text):
    assert list(validator.iter_errors(tomllib.loads(text)))


def test_json_schema_describes_every_key_and_has_defaults():
    schema = json_schema()

    assert schema["$id"] == SCHEMA_ID
    assert schema["$defs"]["ImageSpec"]["properties"]["context"]["default"] == "."
    assert schema["$defs"]["RunnerSpec"]["properties"]["command"]["default"] == ["pytest"]
    undescribed = {
        f"{name}.{key}"
        for name, table in schema["$defs"].items()
        for key, value in table["properties"].items()
        if not ({"description", "$ref"} & value.keys()) and name not in {"Timeouts", "Resources"}
    }
    assert undescribed == set()
