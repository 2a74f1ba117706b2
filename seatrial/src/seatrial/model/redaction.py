"""Replace known secrets in all text that seatrial writes.

Known secrets are the values of `release.set`, `image.args` and `runner.env`, from any source, and those of the charts'
Secrets. A value is found literally and in base64, URL or JSON encoding, also inside of other base64.

Numbers, booleans, versions, paths, names of the project's objects and their addresses in the cluster are not secret,
nor are values of fewer than 6 characters: with them replaced, no log would be readable. A name of the project that
contains a value stays readable, too: `postgresql-0` where `postgres` is a user's name. Output of tests is not changed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, Final, TypeVar
from urllib.parse import quote, quote_plus

import msgspec

from seatrial.model.text import safe_line, safe_text

__all__ = ["HIDDEN", "SECRETS", "Redactor", "hide_in_traceback", "hide_settings", "safe_struct"]

HIDDEN: Final = "***"

_SHORTEST: Final = 6
_SHORTEST_BASE64: Final = 8
_SHORTEST_LINE: Final = 16
"""Shortest line of a value of several lines that is replaced by itself: logs cut a private key into its lines."""

_ORDINARY: Final = re.compile(
    r"[-+0-9.,:_/]+|true|false|none|null|enabled|disabled|always|never|default"
    r"|v?\d+(\.\d+)*([-+.][0-9a-z.]+)?"  # versions
    r"|/[\w./-]*"  # paths
    r"|[\w-]+(\.[\w-]+)*\.svc(\.cluster\.local\.?)?"
    r"|https?://[\w.-]+(:\d+)?(/[\w./-]*)?",  # without user, password and query
    re.IGNORECASE,
)


_SETTING: Final = re.compile(r"((?:--set=)?[^=]*=)(.*)", re.DOTALL)


class Redactor:
    """Replace known values in text and bytes."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._ordinary: set[str] = set()
        self._text: tuple[str, ...] = ()
        self._data: tuple[bytes, ...] = ()
        self._in_names: tuple[tuple[str, re.Pattern[str], re.Pattern[bytes]], ...] = ()

    def learn(self, values: Iterable[str], *, ordinary: Iterable[str] = ()) -> None:
        """Add values to replace.

        Args:
            values: values that may be secret.
            ordinary: names that are never replaced, even if a value is the same.
        """
        self._ordinary.update(ordinary)
        self._values.update(values)
        secret = [value for value in self._values if self._is_secret(value)]
        variants = {variant for value in secret for variant in _variants(value)}
        names = {value: found for value in secret if (found := self._names_with(value))}
        self._in_names = tuple((value, *_patterns(value, found)) for value, found in sorted(names.items()))
        # Longer ones first: a value may contain another one.
        self._text = tuple(sorted(variants - names.keys(), key=lambda variant: (-len(variant), variant)))
        self._data = tuple(variant.encode("utf-8", "surrogateescape") for variant in self._text)

    @property
    def known(self) -> int:
        """How many spellings of values are replaced; grows when more become known."""
        return len(self._data)

    def forget(self) -> None:
        """Remove all values."""
        self.__init__()  # type: ignore[misc]

    def text(self, text: str) -> str:
        """Return a text with known values replaced."""
        for variant in self._text:
            if variant in text:
                text = text.replace(variant, HIDDEN)
        for value, pattern, _ in self._in_names:
            if value in text:
                text = pattern.sub(lambda match: match[1] or HIDDEN, text)
        return text

    def data(self, data: bytes) -> bytes:
        """Return bytes with known values replaced."""
        for variant in self._data:
            if variant in data:
                data = data.replace(variant, HIDDEN.encode())
        for value, _, pattern in self._in_names:
            if value.encode("utf-8", "surrogateescape") in data:
                data = pattern.sub(lambda match: match[1] or HIDDEN.encode(), data)
        return data

    def _names_with(self, value: str) -> list[str]:
        """Return the ordinary names that contain a value, without paths."""
        return [name for name in self._ordinary if value in name and value != name and "/" not in name]

    def _is_secret(self, value: str) -> bool:
        return len(value) >= _SHORTEST and value not in self._ordinary and not _ORDINARY.fullmatch(value)


def _patterns(value: str, names: Iterable[str]) -> tuple[re.Pattern[str], re.Pattern[bytes]]:
    """Return patterns that match a value, and in group 1 the names that contain it, which stay."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    pattern = f"({'|'.join(map(re.escape, longest_first))})|{re.escape(value)}"
    return re.compile(pattern), re.compile(pattern.encode("utf-8", "surrogateescape"))


SECRETS: Final = Redactor()
"""The known secrets of this process."""


def hide_settings(argv: Sequence[str]) -> list[str]:
    """Return a command line of seatrial with all values of `--set KEY=VALUE` hidden."""
    return [f"{start}{HIDDEN}" if value else SECRETS.text(start) for start, value in _settings(argv)]


def hide_in_traceback(text: str, argv: Sequence[str]) -> str:
    """Return a text with the values of `--set` of a command line, and known secrets, replaced."""
    for _, value in _settings(argv):
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return SECRETS.text(text)


def _settings(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each word in two parts: for `--set KEY=VALUE`, the part before VALUE and VALUE; else the word and ''."""
    follows = False
    for word in argv:
        if not follows and word in ("--set", "-s"):
            follows = True
            yield word, ""
            continue
        match = _SETTING.fullmatch(word) if follows or word.startswith(("--set=", "-s")) else None
        follows = False
        yield (match[1], match[2]) if match else (word, "")


_PARAGRAPHS: Final = frozenset(("evidence", "message", "reason", "text"))
"""Fields whose texts may have several lines."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def safe_struct(value: _Struct) -> _Struct:
    """Return a value whose texts are safe to print and contain no known secret."""
    changed: _Struct = _safe(value, paragraphs=False)
    return changed


def _safe(value: Any, *, paragraphs: bool) -> Any:
    if isinstance(value, msgspec.Struct):
        fields = {
            name: _safe(before, paragraphs=name in _PARAGRAPHS)
            for name in value.__struct_fields__
            if (before := getattr(value, name)) and not isinstance(before, int | float)
        }
        changed = {name: after for name, after in fields.items() if after != getattr(value, name)}
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        text = SECRETS.text(value)
        return safe_text(text) if paragraphs else safe_line(text)
    if isinstance(value, tuple):
        return tuple(_safe(each, paragraphs=paragraphs) for each in value)
    if isinstance(value, dict):
        return {_safe(name, paragraphs=False): _safe(each, paragraphs=paragraphs) for name, each in value.items()}
    return value


def _variants(value: str) -> Iterable[str]:
    lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE] if "\n" in value else []
    for each in (value, *lines):
        yield each
        yield quote(each, safe="")
        yield quote(each)
        yield quote_plus(each)
        for ascii_only in (True, False):
            yield json.dumps(each, ensure_ascii=ascii_only)[1:-1]
        # Helm's --set syntax.
        yield re.sub(r"([\\,{}])", r"\\\1", each)
        raw = each.encode("utf-8", "surrogateescape")
        yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterable[str]:
    """Yield how these bytes look inside of base64: three alignments, two alphabets."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        bits = 8 * shift
        start = -(-bits // 6)
        end = (bits + 8 * len(raw)) // 6
        for found in {encoded[start:end], encoded[start:end].translate(bytes.maketrans(b"+/", b"-_"))}:
            if len(found) >= _SHORTEST_BASE64:
                yield found.decode()
