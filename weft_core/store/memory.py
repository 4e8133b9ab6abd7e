"""A store in this process's memory: for tests, scripts and crash exploration. Nothing survives the process.

A `MemoryPlace` is what a disk would be, a `MemoryStore` one handle on it: several handles on one place are several
clients or, after `crash`, the next life of an engine.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence

from weft_core.errors import Conflict, StoreOwned, StoreUnavailable
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row

_RUN_LENGTH_MAX = 512
"""Keys in one run of `SortedKeys`; longer ones are split."""


class SortedKeys:
    """An ordered set of strings: sorted runs of bounded length, so that adding one key moves at most one run."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[list[str]] = [[]]

    def add(self, key: str) -> None:
        """Add a key that is not there."""
        at = self._run_of(key)
        run = self._runs[at]
        insort(run, key)
        if len(run) > _RUN_LENGTH_MAX:
            half = len(run) // 2
            self._runs[at : at + 1] = [run[:half], run[half:]]

    def remove(self, key: str) -> None:
        """Remove a key that is there."""
        at = self._run_of(key)
        run = self._runs[at]
        del run[bisect_left(run, key)]
        if not run and len(self._runs) > 1:
            del self._runs[at]

    def between(self, start: str, end: str) -> Iterator[str]:
        """Keys with `start <= key < end`, ascending."""
        for at in range(self._run_of(start), len(self._runs)):
            run = self._runs[at]
            low, high = bisect_left(run, start), bisect_left(run, end)
            yield from run[low:high]
            if high < len(run):
                return

    def between_reversed(self, start: str, end: str) -> Iterator[str]:
        """Keys with `start <= key < end`, descending."""
        for at in range(self._run_of(end), -1, -1):
            run = self._runs[at]
            low, high = bisect_left(run, start), bisect_left(run, end)
            yield from reversed(run[low:high])
            if low:
                return

    def copy(self) -> SortedKeys:
        other = SortedKeys()
        other._runs = [run.copy() for run in self._runs]
        return other

    def _run_of(self, key: str) -> int:
        """The last run that starts at or before `key` (the first run when there is none)."""
        runs = self._runs
        low, high = 0, len(runs)
        while high - low > 1:
            middle = (low + high) // 2
            if runs[middle][0] <= key:
                low = middle
            else:
                high = middle
        return low


class MemoryPlace:
    """The content that several `MemoryStore` handles share."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.keys = SortedKeys()
        self.number = 0
        self.holder: MemoryStore | None = None
        self.watchers: list[Callable[[], None]] = []
        self.freed: asyncio.Event | None = None

    def copy(self) -> MemoryPlace:
        """The same rows and numbers, owned and watched by nobody; changes on one side are not seen on the other."""
        other = MemoryPlace()
        other.rows = self.rows.copy()
        other.keys = self.keys.copy()
        other.number = self.number
        return other

    def apply(self, batch: Batch) -> int:
        """Check and write a batch; see `Store.commit`."""
        rows = self.rows
        for key, expected in batch.expect.items():
            row = rows.get(key)
            actual = 0 if row is None else row.version
            if actual != expected:
                raise Conflict(key, expected=expected, actual=actual)
        if not batch:
            return 0
        self.number = number = self.number + 1
        for start, end in batch.delete_range:
            for key in list(self.keys.between(start, end)):
                del rows[key]
                self.keys.remove(key)
        for key in batch.delete:
            if key in rows:
                del rows[key]
                self.keys.remove(key)
        for key, value in batch.put.items():
            if key not in rows:
                self.keys.add(key)
            rows[key] = Row(key, value, number)
        return number

    def free(self) -> None:
        """Let the next waiter own the place."""
        self.holder = None
        if self.freed is not None:
            self.freed.set()
            self.freed = None


class MemoryStore:
    """A `Store` in memory: one handle on a `MemoryPlace` (its own new one when none is given)."""

    url = "memory:"

    def __init__(self, place: MemoryPlace | None = None) -> None:
        self.place = MemoryPlace() if place is None else place
        self._closed = False
        self._watching: list[Callable[[], None]] = []

    def copy(self) -> MemoryStore:
        """A store with the same rows on a place of its own: what an engine started now would find."""
        return MemoryStore(self.place.copy())

    def crash(self) -> None:
        """As if the process had died: ownership is free, hints end, and every later call on this handle fails."""
        self._closed = True
        for callback in self._watching:
            self.place.watchers.remove(callback)
        self._watching.clear()
        if self.place.holder is self:
            self.place.free()

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        if self._closed:
            raise _closed()
        rows = self.place.rows
        return {key: rows[key] for key in keys if key in rows}

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        if self._closed:
            raise _closed()
        place = self.place
        found: list[Row] = []
        if limit <= 0 or start >= end:
            return found
        for key in place.keys.between_reversed(start, end) if reverse else place.keys.between(start, end):
            found.append(place.rows[key])
            if len(found) == limit:
                break
        return found

    async def commit(self, batch: Batch) -> int:
        if self._closed:
            raise _closed()
        number = self.place.apply(batch)
        if number:
            for callback in self.place.watchers.copy():
                callback()
        return number

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        if self._closed:
            raise _closed()
        self.place.watchers.append(callback)
        self._watching.append(callback)

        def undo() -> None:
            if callback in self._watching:
                self._watching.remove(callback)
                self.place.watchers.remove(callback)

        return undo

    async def acquire(self, *, wait: bool = False) -> None:
        while True:
            if self._closed:
                raise _closed()
            place = self.place
            if place.holder in (None, self):
                place.holder = self
                return
            if not wait:
                raise StoreOwned("another engine in this process owns this memory store; close it first")
            place.freed = place.freed or asyncio.Event()
            await place.freed.wait()

    async def release(self) -> None:
        if self.place.holder is self:
            self.place.free()

    async def close(self) -> None:
        self.crash()


def _closed() -> StoreUnavailable:
    return StoreUnavailable("this store was closed; open it again", applied=False)
