"""Create and read the credentials of the local registry, in files that only this user can read."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import secrets
import threading
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
    "authorization",
    "client_config",
    "keys_in",
    "lock_registry",
    "password_file",
]

WRITER: Final = "seatrial"
"""User that pushes to the writer."""

READER: Final = "node"
"""User of the nodes, which pull from the reader."""

HTPASSWD: Final = "seatrial-htpasswd"
"""File in the root directory of a registry's container."""

_FILE: Final = "keys.json"
_BITS: Final = 256
_ROUNDS: Final = 4
"""Minimum of bcrypt: the registry computes the hash for each request, and the passwords are random."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identity and the passwords of one registry.

    Attributes:
        id: part of the names of its containers and its volume, unique for each user.
        write: password of `WRITER`.
        read: password of `READER`.
    """

    id: str
    write: str
    read: str


def keys_in(directory: Path) -> Keys:
    """Return the keys in a directory; create them if they do not exist.

    Raises:
        UsageError: the file is damaged, or cannot be read or written.
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
        raise UsageError(
            f"cannot read or write {path}", reason=str(error.strerror), hint=f"ls -ld {directory}"
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} is damaged",
            reason=str(error),
            hint=f"delete it with `rm {path}`; the next command creates another registry",
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
    """Return a configuration directory for Docker's client with the login of the local registry.

    The client also reads the address of the engine from this directory. So it has the current context of the user, and
    a link to the user's contexts. The configuration of the user is not changed.

    Args:
        directory: where the configuration is created.
        host: of the registry: `localhost:5001`.
        keys: of the registry.
        environ: may name the user's directory in DOCKER_CONFIG.
    """
    user_directory = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    content: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        user_config = json.loads((user_directory / "config.json").read_bytes())
        content = {key: user_config[key] for key in ("currentContext", "HttpHeaders") if key in user_config}
    login = base64.b64encode(f"{WRITER}:{keys.write}".encode()).decode()
    text = json.dumps({**content, "auths": {host: {"auth": login}}}, indent=1)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    contexts = directory / "contexts"
    if not contexts.is_symlink() or contexts.readlink() != user_directory / "contexts":
        fresh = _fresh(contexts)
        fresh.symlink_to(user_directory / "contexts")
        fresh.replace(contexts)
    path = directory / "config.json"
    if not path.exists() or path.read_text() != text:
        fresh = _fresh(path)
        _create(fresh, text.encode())
        fresh.replace(path)
    return directory


def _fresh(path: Path) -> Path:
    """Return a name from which a file is moved to its place: other commands may use or replace the file meanwhile."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.unlink(missing_ok=True)
    return fresh


@contextmanager
def lock_registry(directory: Path) -> Iterator[None]:
    """Lock the registry of this user against other processes that create or delete it; wait for the lock."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _create(path: Path, content: bytes) -> None:
    """Create a file atomically, readable by this user only; keep the file of another process if it was first."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
