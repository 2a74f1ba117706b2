"""Add to the report of a failed phase which services the test asked for, and which addresses its exception concerns.

Texts of exceptions often lack the address: "[Errno 111] Connection refused". The functions that opened the connection
have it in local variables, and HTTP clients attach the request to the exception. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

__all__ = ["ATTRIBUTE", "FailureContext"]

ATTRIBUTE = "seatrial_context"
"""Attribute of a report. xdist sends it to the controller with the report."""

_PLUGIN = "seatrial-requested"
_MOST = 32
_LONGEST = 200
_EXCEPTIONS = 8
_FRAMES = 64
_ADDRESS_NAMES = frozenset(
    ("host", "hostname", "address", "addr", "sockaddr", "server_address", "url", "fullurl", "uri", "dest", "peer",
     "dsn", "conninfo", "endpoint", "endpoint_url", "base_url", "netloc")
)  # fmt: skip
"""Names of local variables and attributes that hold addresses in HTTP clients, drivers and the standard library."""

_REQUEST_NAMES = ("url", "host", "port")
_RESPONSE_PACKAGES = ("httpx", "requests", "urllib3", "urllib", "http", "aiohttp")


class FailureContext:
    """The hook that completes reports of failed phases."""

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, None]:
        """Add the context to the report, if the phase failed."""
        outcome = yield
        if call.excinfo is None:
            return
        report = outcome.get_result()
        if report.failed:
            requested = self._plugins.get_plugin(_PLUGIN)
            asked = requested.of(item) if requested is not None else {"services": [], "namespaces": []}
            addresses, answers = _of_exception(call.excinfo.value)
            context = {
                "services": _bounded(asked["services"]),
                "namespaces": _bounded(asked["namespaces"]),
                "addresses": _bounded(addresses),
                "answers": [[status, url[:_LONGEST]] for status, url in dict.fromkeys(answers)][:_MOST],
            }
            if any(context.values()):
                setattr(report, ATTRIBUTE, context)


def _bounded(texts: list[str]) -> list[str]:
    return [text[:_LONGEST] for text in dict.fromkeys(texts) if text][:_MOST]


def _of_exception(error: BaseException | None) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the addresses, and the statuses of HTTP responses, of an exception and of those that caused it."""
    addresses: list[str] = []
    answers: list[tuple[int, str]] = []
    seen: set[int] = set()
    pending = [error]
    while pending and len(seen) < _EXCEPTIONS:
        each = pending.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        for holder in (each, _attribute(each, "request"), _attribute(each, "pool"), _attribute(each, "response")):
            if holder is not None:
                addresses += _address_of(holder)
        for name, value in _locals(each):
            if name in _ADDRESS_NAMES:
                addresses += _texts(value)
            elif answer := _answer(value):
                answers.append(answer)
        if answer := _answer(_attribute(each, "response")) or _answer(each):
            answers.append(answer)
        pending += [each.__cause__, each.__context__]
    return addresses, answers


def _locals(error: BaseException) -> Iterator[tuple[str, Any]]:
    """Yield the local variables of the functions that an exception passed, the innermost last."""
    trace, frames = error.__traceback__, 0
    while trace is not None and frames < _FRAMES:
        # The frames of pytest itself come first.
        if not trace.tb_frame.f_globals.get("__name__", "").startswith(("_pytest.", "pluggy.")):
            yield from list(trace.tb_frame.f_locals.items())
            frames += 1
        trace = trace.tb_next


def _attribute(of: Any, name: str) -> Any:
    """Return an attribute; None if it does not exist, or if reading it raises."""
    try:
        return getattr(of, name, None)
    except Exception:  # noqa: BLE001  # a property of the user's libraries may raise anything
        return None


def _address_of(holder: Any) -> list[str]:
    found = []
    for name in _REQUEST_NAMES:
        value = _attribute(holder, name)
        if value is not None and not isinstance(value, int) and type(value).__module__.partition(".")[0] in (
            "builtins", *_RESPONSE_PACKAGES
        ):  # fmt: skip
            found += _texts(value if isinstance(value, (str, tuple)) else str(value))
    return found


def _texts(value: Any) -> list[str]:
    """Return the address of a variable: a text, or a host with its port."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return [":".join(str(part) for part in value[:2])]
    if type(value).__module__.partition(".")[0] in ("httpx", "yarl"):
        return [str(value)]
    return []


def _answer(value: Any) -> tuple[int, str] | None:
    """Return status and URL of an HTTP response of a known library; None for other values."""
    if type(value).__module__.partition(".")[0] not in _RESPONSE_PACKAGES:
        return None
    for name in ("status_code", "status", "code"):
        status = _attribute(value, name)
        if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:  # noqa: PLR2004
            url = _attribute(value, "url")
            return int(status), str(url) if url is not None else ""
    return None
