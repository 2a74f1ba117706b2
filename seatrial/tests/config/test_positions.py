from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.config.positions import KeyPath, dotted, positions

DOCUMENT = '''\
# a comment with key = "value"
title = "x # not a comment"  # but this is
[cluster]
name = 'literal [not] a table'
"quoted key".'dotted'.deep = 1979-05-27 07:32:00Z

[[release]]
name = "a"
values = [
    "one.yaml",  # first ]
    "two.yaml",
]
[release.set]
a.b = """
many = lines
[not.a.table] "" \\""""""
[[release]]
name = "b"
ready = { http = "/x", port = 8182, nested = [ { a = 1 }, { a = 2 } ] }
[[release.hooks]]
x = \'\'\'it''s\'\'\'\'\'
[service.postgresql]
port=5432
'''


def test_positions_has_the_line_of_every_kind_of_key():
    found = {dotted(path): tuple(position) for path, position in positions(DOCUMENT).items()}
    tomllib.loads(DOCUMENT)

    assert found == {
        "title": (2, 1),
        "cluster": (3, 1),
        "cluster.name": (4, 1),
        'cluster."quoted key"': (5, 1),
        'cluster."quoted key".dotted': (5, 1),
        'cluster."quoted key".dotted.deep': (5, 1),
        "release": (7, 1),
        "release[0]": (7, 1),
        "release[0].name": (8, 1),
        "release[0].values": (9, 1),
        "release[0].values[0]": (10, 5),
        "release[0].values[1]": (11, 5),
        "release[0].set": (13, 1),
        "release[0].set.a": (14, 1),
        "release[0].set.a.b": (14, 1),
        "release[1]": (17, 1),
        "release[1].name": (18, 1),
        "release[1].ready": (19, 1),
        "release[1].ready.http": (19, 11),
        "release[1].ready.port": (19, 24),
        "release[1].ready.nested": (19, 37),
        "release[1].ready.nested[0]": (19, 48),
        "release[1].ready.nested[0].a": (19, 50),
        "release[1].ready.nested[1]": (19, 59),
        "release[1].ready.nested[1].a": (19, 61),
        "release[1].hooks": (20, 1),
        "release[1].hooks[0]": (20, 1),
        "release[1].hooks[0].x": (21, 1),
        "service": (22, 1),
        "service.postgresql": (22, 1),
        "service.postgresql.port": (23, 1),
    }


def paths(value: object, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Return the paths of all keys and elements below a value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield (*at, key)
        yield from paths(inner, (*at, key))


_KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'f g'", '"\\u00e9\\""'])
_SCALARS = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        "nan",
        "1979-05-27",
        '"s # ] }"',
        "'lit\"'",
        '"""m\n[x]\n"""',
        "'''m\n'q = 1'\n'''",
        '"\\\\"',
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + " # c\n, ".join(items) + "\n]")
        | st.dictionaries(_KEYS, inner, max_size=3).map(
            lambda d: "{ " + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(_KEYS, _VALUES, max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["[t]", "[[u]]", "[u.v]", "[[u.w]]", '[x . "y"]']), st.dictionaries(_KEYS, _VALUES))
    ),
)
def test_positions_has_exactly_the_keys_that_tomllib_reads(top, tables):
    lines = [f"{key}={value}" for key, value in top.items()]
    for header, pairs in tables:
        lines += [header, *(f"  {key} = {value}  # c" for key, value in pairs.items())]
    text = "\n".join(lines)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a table defined twice

    assert set(positions(text)) == set(paths(data))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "\r\na = 1\r\n"])
def test_positions_reads_empty_and_short_documents(text):
    assert set(positions(text)) == set(paths(tomllib.loads(text)))
