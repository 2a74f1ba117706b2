"""Several things at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from flow.commands import Commands
from flow.errors import Interrupted

T = TypeVar("T")


class Together:
    """Work in threads whose first failure ends the rest of it; nothing of it runs on after the block.

    The block, too, is ended by that failure, which is what leaves it: not the errors that it caused elsewhere.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._first: Exception | None = None

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Begin `work`; the future gives its result."""
        return self._pool.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as failure:
            if self._first is None:
                self._first = failure
                self._commands.stop()
            raise

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Wait for all that was started, ended early if the block or a part failed."""
        if value is not None:
            self._commands.stop()
        self._pool.shutdown(wait=True)
        if self._first is not None and (value is None or isinstance(value, Interrupted | Exception)):
            raise self._first from None
