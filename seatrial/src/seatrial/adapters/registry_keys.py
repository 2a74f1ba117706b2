"""Credentials of this user's registry: generated once, kept in the state directory, readable by the user alone."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from seatrial.model.errors import UsageError

__all__ = [
    "HTPASSWD",
    "READER",
    "WRITER",
    "Keys",
    "alone",
    "authorization",
    "client_config",
    "keys_in",
    "password_file",
]

WRITER: Final = "seatrial"
"""User that pushes, through the instance on loopback."""

READER: Final = "node"
"""User that nodes pull as, from the read-only instance."""

HTPASSWD: Final = "seatrial-htpasswd"
"""File in the root directory of a registry's container."""

_FILE: Final = "keys.json"
_BITS: Final = 256
_ROUNDS: Final = 4
"""bcrypt's minimum. The registry computes the hash for each request. The passwords are random, not chosen by people."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What belongs to one registry.

    Attributes:
        id: part of the names of its containers and its volume. Another user's registry has another one.
        write: password of the user that pushes.
        read: password of the user that nodes pull as.
    """

    id: str
    write: str
    read: str


def keys_in(directory: Path) -> Keys:
    """Return the keys in a directory, generated if there are none.

    Raises:
        UsageError: the file is damaged or cannot be read or written.
    """
    path = directory / _FILE
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            return msgspec.json.decode(path.read_bytes(), type=Keys)
        fresh = Keys(secrets.token_hex(4), secrets.token_hex(_BITS // 8), secrets.token_hex(_BITS // 8))
        _create(path, msgspec.json.encode(fresh))
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except OSError as error:
        raise UsageError(f"cannot read or write {path}", reason=str(error.strerror)) from error
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} is damaged: {error}", hint=f"remove it: rm {path}; the next command creates another registry"
        ) from error


def password_file(user: str, password: str) -> bytes:
    """Return a tar archive with the htpasswd file of one user, for `docker cp`."""
    import tarfile  # noqa: PLC0415 - only needed when a registry is created, as is the next

    import bcrypt  # noqa: PLC0415

    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()
    content = f"{user}:{hashed}\n".encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(HTPASSWD)
        member.size, member.mode = len(content), 0o444
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def authorization(user: str, password: str) -> str:
    """Return the value of the Authorization header: RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def client_config(directory: Path, host: str, keys: Keys, environ: Mapping[str, str]) -> Path:
    """Return a configuration directory for Docker's client that logs in to our registry and leaves the user's as it is.

    The client finds the engine in its configuration directory, too. So the current context is the same, and the
    contexts are a link to the user's.

    Args:
        directory: where it is created.
        host: `localhost:5001`.
        keys: the registry's.
        environ: says where the user's own directory is.
    """
    users = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    content: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        theirs = json.loads((users / "config.json").read_bytes())
        content = {key: theirs[key] for key in ("currentContext", "HttpHeaders") if key in theirs}
    login = base64.b64encode(f"{WRITER}:{keys.write}".encode()).decode()
    text = json.dumps({**content, "auths": {host: {"auth": login}}}, indent=1)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    contexts = directory / "contexts"
    if not contexts.is_symlink() or contexts.readlink() != users / "contexts":
        contexts.unlink(missing_ok=True)
        contexts.symlink_to(users / "contexts")
    path = directory / "config.json"
    if not path.exists() or path.read_text() != text:
        path.unlink(missing_ok=True)
        _create(path, text.encode())
    return directory


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Be the only process of this user that creates or removes the registry; wait for others."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _create(path: Path, content: bytes) -> None:
    """Create a file with all of its content at once, for the user alone, unless another process was quicker."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
