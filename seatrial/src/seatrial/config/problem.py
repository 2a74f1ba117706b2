"""Problems of a configuration, one line each, and the error that has all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import msgspec

from seatrial.config.positions import KeyPath, dotted
from seatrial.model.errors import UsageError

__all__ = ["ConfigurationError", "Problem", "did_you_mean"]


class Problem(msgspec.Struct, frozen=True):
    """An error or warning about a configuration.

    Attributes:
        where: `seatrial.toml:12`, an environment variable or an option.
        key: path of the key; empty if the problem is not about one key.
        message: what is wrong.
        hint: what to do; empty if `message` says it.
    """

    where: str
    key: KeyPath
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem in one line: place, key, message, hint."""
        return ": ".join(filter(None, (self.where, dotted(self.key), self.message))) + (
            f"; {self.hint}" if self.hint else ""
        )


class ConfigurationError(UsageError):
    """The configuration is invalid.

    Attributes:
        problems: all problems in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem], *, what: str = "") -> None:
        count = len(problems)
        super().__init__(what or f"{count} {'problem' if count == 1 else 'problems'} in the configuration")
        self.problems = tuple(problems)


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """Return a hint with the most similar of the possible words, or with all of them."""
    known = sorted(possible)
    if close := get_close_matches(word, known, n=1):
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if known else ""
