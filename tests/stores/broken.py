"""Stores with one planted defect each. The conformance suite must find every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from weft_core.errors import Conflict
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row


class LosesDeletes(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        return await super().commit(Batch(batch.expect, batch.put, set(), batch.delete_range))


class LosesRangeDeletes(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        return await super().commit(Batch(batch.expect, batch.put, batch.delete, batch.delete_range[:1]))


class DeletesTheEndOfRanges(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        ranges = [(start, end + " " if start < end else end) for start, end in batch.delete_range]
        return await super().commit(Batch(batch.expect, batch.put, batch.delete, ranges))


class PutsBeforeDeletes(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        inside = {key for key in batch.put for start, end in batch.delete_range if start <= key < end}
        gone = inside | batch.delete
        kept = {key: value for key, value in batch.put.items() if key not in gone}
        return await super().commit(Batch(batch.expect, kept, gone, batch.delete_range))


class WritesBeforeItChecks(MemoryStore):
    """Not atomic: a refused commit has already written."""

    async def commit(self, batch: Batch) -> int:
        try:
            return await super().commit(batch)
        except Conflict:
            await super().commit(Batch(put=batch.put))
            raise


class WritesInTwoHalves(MemoryStore):
    """Not atomic for readers that come between."""

    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        if len(batch.put) > 1:
            late = dict(list(batch.put.items())[::2])
            old = {key: self.place.rows[key]._replace(value="?") for key in late}
            new = {key: self.place.rows[key] for key in late}
            self.place.rows.update(old)
            await asyncio.sleep(0)
            self.place.rows.update(new)
        return number


class IgnoresPreconditions(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        return await super().commit(Batch({}, batch.put, batch.delete, batch.delete_range))


class IgnoresAbsence(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        expect = {key: version for key, version in batch.expect.items() if version}
        return await super().commit(Batch(expect, batch.put, batch.delete, batch.delete_range))


class NamesTheWrongConflict(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        expect = dict(reversed(batch.expect.items()))
        return await super().commit(Batch(expect, batch.put, batch.delete, batch.delete_range))


class ReusesVersions(MemoryStore):
    """Versions count the writes of a row, and start again after its delete."""

    async def commit(self, batch: Batch) -> int:
        counts = {key: self.place.rows[key].version if key in self.place.rows else 0 for key in batch.put}
        number = await super().commit(batch)
        for key, count in counts.items():
            self.place.rows[key] = self.place.rows[key]._replace(version=count + 1)
        return max((count + 1 for count in counts.values()), default=number)


class ForgetsItsNumber(MemoryStore):
    """The next handle starts to count where it finds the newest row, so a deleted newest row's number comes again."""

    def __init__(self, place: MemoryPlace | None = None) -> None:
        super().__init__(place)
        self.place.number = max((row.version for row in self.place.rows.values()), default=0)


class NumbersEveryOtherCommit(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        if not batch.put and batch:
            self.place.number -= 1
        return await super().commit(batch)


class ScansPastTheEnd(MemoryStore):
    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        return await super().scan(start, end + " ", limit=limit, reverse=reverse)


class SkipsTheStart(MemoryStore):
    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        return await super().scan(start + " ", end, limit=limit, reverse=reverse)


class IgnoresTheLimit(MemoryStore):
    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        return await super().scan(start, end, limit=100_000, reverse=reverse)


class LimitsBeforeItReverses(MemoryStore):
    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        rows = await super().scan(start, end, limit=limit)
        return rows[::-1] if reverse else rows


class ScansUnsorted(MemoryStore):
    """In the order of insertion, as a hash table would."""

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        rows = [row for row in self.place.rows.values() if start <= row.key < end]
        return (rows[::-1] if reverse else rows)[: max(limit, 0)]


class SortsLikeALocale(MemoryStore):
    """Case and punctuation count for little, as in many collations."""

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        rows = await super().scan(start, end, limit=100_000)
        rows.sort(key=lambda row: (row.key.casefold(), row.key), reverse=reverse)
        return rows[: max(limit, 0)]


class FoldsCase(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        put = {key.lower(): value for key, value in batch.put.items()}
        return await super().commit(Batch(batch.expect, put, batch.delete, batch.delete_range))


class GetsStaleRows(MemoryStore):
    """A cache that nobody invalidates when others write."""

    def __init__(self, place: MemoryPlace | None = None) -> None:
        super().__init__(place)
        self.cache: dict[str, Row] = {}

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        found = await super().get([key for key in keys if key not in self.cache])
        self.cache |= found
        return {key: self.cache[key] for key in keys if key in self.cache}

    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        if batch.delete or batch.delete_range:
            self.cache.clear()
        for key in batch.put:
            self.cache.pop(key, None)
        return number


class GetsRowByRow(MemoryStore):
    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        found = {}
        for key in keys:
            found |= await super().get([key])
            await asyncio.sleep(0)
        return found


class CutsBigValues(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        put = {key: value[:1_000_000] for key, value in batch.put.items()}
        return await super().commit(Batch(batch.expect, put, batch.delete, batch.delete_range))


class AnswersAfterClose(MemoryStore):
    async def close(self) -> None:
        pass


class NeverRings(MemoryStore):
    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class RingsForEver(MemoryStore):
    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        super().watch(callback)
        return lambda: None


class LetsEverybodyOwn(MemoryStore):
    async def acquire(self, *, wait: bool = False) -> None:
        if self._closed:
            await super().acquire()


class StaysOwnedAfterClose(MemoryStore):
    async def close(self) -> None:
        holder = self.place.holder
        await super().close()
        self.place.holder = holder


class WritesWhenItOnlyChecks(MemoryStore):
    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        if not batch:
            for key in batch.expect:
                row = self.place.rows.get(key)
                if row is not None:
                    self.place.rows[key] = row._replace(version=row.version + 1)
        return number


class EmptyAfterReopen(MemoryStore):
    """Nothing was ever on the disk."""

    async def close(self) -> None:
        await super().close()
        self.place.rows.clear()
        self.place.keys = MemoryPlace().keys


BROKEN = [
    made
    for made in list(globals().values())
    if isinstance(made, type) and issubclass(made, MemoryStore) and made is not MemoryStore
]
