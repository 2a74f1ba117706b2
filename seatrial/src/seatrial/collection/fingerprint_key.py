"""Keep the secret key of the fingerprints in `facts.json`, one for each user and state directory.

The key is in no run directory: who only has the files of a run cannot guess values from their fingerprints.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.model.errors import UsageError

__all__ = ["KEY_VARIABLE", "fingerprint_key", "key_id"]

KEY_VARIABLE: Final = "SEATRIAL_FACTS_KEY"
"""Variable with a shared key, so that runs of several machines can be compared."""

_FILE: Final = "facts.key"
_SIZE: Final = 32
_SHORTEST: Final = 32


def fingerprint_key(directory: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key of `SEATRIAL_FACTS_KEY`, else that of a file in the directory, created at the first call.

    Raises:
        UsageError: the variable is too short to keep values secret.
    """
    given = environ.get(KEY_VARIABLE, "")
    if given:
        if len(given) < _SHORTEST:
            raise UsageError(
                f"{KEY_VARIABLE} is shorter than {_SHORTEST} characters",
                reason="values of variables could be guessed from facts.json",
                hint="openssl rand -hex 32 prints a key",
            )
        return hashlib.blake2b(given.encode(errors="surrogateescape"), digest_size=_SIZE).digest()
    file = directory / _FILE
    if not file.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = directory / f".{_FILE}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as new:
            new.write(secrets.token_bytes(_SIZE))
        # Another process may have created it meanwhile; its key is used then.
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_bytes()


def key_id(key: bytes) -> str:
    """Return an id that tells keys apart and reveals nothing of them."""
    return hashlib.blake2b(b"seatrial facts", key=key, digest_size=4).hexdigest()
