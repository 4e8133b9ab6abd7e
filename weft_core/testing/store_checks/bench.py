"""The bench that every check of a store works on: open handles, a range of keys, and comparisons that say what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from weft_core.errors import Conflict
from weft_core.store import keys
from weft_core.store.port import Batch, Row, Store

MakeStore: TypeAlias = Callable[[], Store | Awaitable[Store]]


class Bench:
    """A few open handles and a range of keys for one check."""

    def __init__(self, make_store: MakeStore, prefix: str, seed: int) -> None:
        self.make_store = make_store
        self.prefix = prefix
        self.end = keys.prefix_end(prefix)
        self.seed = seed
        self.opened: list[Store] = []

    async def start(self, handles: int) -> None:
        for _ in range(handles):
            await self.open()
        await self.store.commit(Batch(delete_range=[(self.prefix, self.end)]))

    async def stop(self) -> None:
        """Clean up as well as a broken store lets us."""
        with suppress(Exception):
            last = await self.open()
            await last.commit(Batch(delete_range=[(self.prefix, self.end)]))
        for store in self.opened:
            with suppress(Exception):
                await store.close()

    async def open(self) -> Store:
        store = await open_handle(self.make_store)
        self.opened.append(store)
        return store

    @property
    def store(self) -> Store:
        return self.opened[0]

    @property
    def other(self) -> Store:
        return self.opened[1]

    def key(self, name: object) -> str:
        return f"{self.prefix}{name}"

    async def put(self, **values: str) -> int:
        return await self.store.commit(Batch(put={self.key(name): value for name, value in values.items()}))

    async def one(self, name: str) -> Row | None:
        key = self.key(name)
        return (await self.store.get([key])).get(key)

    async def all(self, store: Store | None = None) -> list[tuple[str, str]]:
        """Names and values of everything in this check's range."""
        rows = await (store or self.store).scan(self.prefix, self.end, limit=100_000)
        return [(row.key.removeprefix(self.prefix), row.value) for row in rows]


async def open_handle(make_store: MakeStore) -> Store:
    made = make_store()
    return await made if isinstance(made, Awaitable) else made


async def conflict_of(store: Store, batch: Batch) -> Conflict:
    try:
        number = await store.commit(batch)
    except Conflict as conflict:
        return conflict
    raise AssertionError(f"commit returned {number} although a precondition does not hold")


def same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        found_text, wanted_text = repr(found), repr(wanted)
        raise AssertionError(f"{what}: found {found_text[:300]}, wanted {wanted_text[:300]}")


async def count_to(bench: Bench, stores: list[Store], *, each: int) -> None:
    """Each store counts one row up `each` times by compare-and-swap."""
    key = bench.key("count")
    await stores[0].commit(Batch(put={key: "0"}))

    async def count(store: Store) -> None:
        for _ in range(each):
            while True:
                row = (await store.get([key]))[key]
                await asyncio.sleep(0)
                try:
                    await store.commit(Batch(expect={key: row.version}, put={key: str(int(row.value) + 1)}))
                    break
                except Conflict:
                    await asyncio.sleep(0)

    await asyncio.gather(*(count(store) for store in stores))
    row = (await stores[0].get([key]))[key]
    same("count reached by compare-and-swap", row.value, str(each * len(stores)))


async def watch_one_text(bench: Bench, *, writer: Store, reader: Store) -> None:
    made = [bench.key(f"one/{n:02d}") for n in range(25)]
    await writer.commit(Batch(put=dict.fromkeys(made, "start")))

    async def write() -> None:
        for n in range(15):
            half = made[n % 10 :]
            await writer.commit(Batch(put=dict.fromkeys(made, str(n)), delete=set(half)))
            await asyncio.sleep(0)

    writing = asyncio.ensure_future(write())
    while not writing.done():
        rows: Iterable[Row] = await reader.scan(bench.key("one/"), bench.key("one0"))
        seen = [(row.value, row.version) for row in rows]
        assert len(seen) == len(made), f"a scan saw {len(seen)} rows of {len(made)} that are always there"
        assert len(set(seen)) == 1, f"a scan saw half a commit: {sorted(set(seen))}"
        seen = [(row.value, row.version) for row in (await reader.get(made)).values()]
        assert len(seen) == len(made), f"a get saw {len(seen)} rows of {len(made)} that are always there"
        assert len(set(seen)) == 1, f"a get saw half a commit: {sorted(set(seen))}"
        await asyncio.sleep(0)
    await writing
