from __future__ import annotations

from .configurations import MINIMAL, refused


def test_load_reports_all_problems_of_shape_together(root):
    assert refused("""\
versoin = 1
[cluster]
provider = "kin"
nmae = "x"
[[image]]
context = 3
[release]
name = "x"
[service.polo]
port = "8181"
[service.high]
port = 65536
[service.flat]
ready = true
port = true
[runner]
command = "pytest"
env = ["A=1"]
artifacts = [1]
[timeouts]
test = 2026-01-01
""") == [
        "seatrial.toml:1: versoin: unknown key; did you mean 'version'?",
        'seatrial.toml:3: cluster.provider: is "kin", should be one of "kind", "existing"; did you mean \'kind\'?',
        "seatrial.toml:4: cluster.nmae: unknown key; did you mean 'name'?",
        (
            "seatrial.toml:5: image[0].name: is missing (repository name without a tag; the tag is a digest of all"
            ' inputs); add name = "…"'
        ),
        "seatrial.toml:6: image[0].context: is 3, should be a path",
        "seatrial.toml:7: release: is a table, should be a list; write [[release]]",
        (
            'seatrial.toml:10: service.polo.port: is "8181", should be a whole number from 1 to 65535; write 8181'
            " without quotes"
        ),
        "seatrial.toml:12: service.high.port: is 65536, should be a whole number from 1 to 65535",
        "seatrial.toml:14: service.flat.ready: is true, should be a table; write { key = … }",
        "seatrial.toml:15: service.flat.port: is true, should be a whole number from 1 to 65535",
        'seatrial.toml:16: runner.image: is missing (name of an [[image]], or any image reference); add image = "…"',
        'seatrial.toml:17: runner.command: is "pytest", should be a list; write [ … ]',
        "seatrial.toml:18: runner.env: is a list, should be a table of names and values; write { name = … }",
        "seatrial.toml:19: runner.artifacts[0]: is 1, should be a string",
        "seatrial.toml:21: timeouts.test: is a date or time (2026-01-01), should be a number",
    ]


def test_load_names_a_missing_table(root):
    assert refused("") == ["seatrial.toml: runner: is missing; add [runner]"]


def test_load_refuses_a_list_in_place_of_tables(root):
    assert refused('image = ["a"]\nservice = 1\n' + MINIMAL) == [
        'seatrial.toml:1: image[0]: is "a", should be a table; write [[image]]',
        "seatrial.toml:2: service: is 1, should be a table of names and values; write { name = … }",
    ]


def test_load_refuses_a_newer_schema_version(root):
    assert refused("version = 2\nwhatever = 1\n") == [
        "seatrial.toml:1: version: the file has schema version 2, this seatrial supports 1; install a newer seatrial"
    ]
