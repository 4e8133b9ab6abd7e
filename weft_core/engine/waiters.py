"""Who waits for something the engine's loop will notice: the end of a run, or that nothing moves any more."""

from __future__ import annotations

import asyncio
from typing import Any

from weft_core.kernel.records import RunRecord


class Waiters:
    """Futures by what they wait for. Each ends in exactly one outcome, also when the loop does."""

    def __init__(self) -> None:
        self._closed: dict[str, list[asyncio.Future[RunRecord | None]]] = {}
        self._idle: list[asyncio.Future[None]] = []

    def wait_closed(self, run_id: str) -> asyncio.Future[RunRecord | None]:
        """A future that is set when the run ends, to its record, or when it is worth a look, to None."""
        future: asyncio.Future[RunRecord | None] = asyncio.get_running_loop().create_future()
        self._closed.setdefault(run_id, []).append(future)
        return future

    def forget(self, run_id: str, future: asyncio.Future[RunRecord | None]) -> None:
        """Nobody waits for this future any more."""
        waiting = self._closed.get(run_id)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._closed[run_id]

    def wait_idle(self) -> asyncio.Future[None]:
        """A future that is set when nothing can move."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        return future

    def tell_closed(self, run_id: str, record: RunRecord | None = None) -> None:
        """The run has ended with this record, or is parked."""
        for future in self._closed.pop(run_id, ()):
            if not future.done():
                future.set_result(record)

    def tell_idle(self) -> None:
        """Nothing moves until time passes, an attempt ends or something arrives."""
        waiting, self._idle = self._idle, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def fail(self, error: BaseException, others: list[asyncio.Future[None]]) -> None:
        """The loop is over: tell everybody, and `others` too."""
        waiting: list[asyncio.Future[Any]] = [*self._idle, *others]
        for futures in self._closed.values():
            waiting += futures
        self._idle, self._closed = [], {}
        for future in waiting:
            if future.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
                future.exception()  # those who still wait get it; nobody else needs a warning
