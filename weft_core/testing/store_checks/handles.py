"""Checks about handles: durability, several handles on one place, ownership, hints."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from weft_core.errors import StoreOwned
from weft_core.store.port import Batch, Row, Store
from weft_core.testing.store_checks.bench import Bench, conflict_of, count_to, same, watch_one_text

HINT_WAIT_S = 10.0
"""Seconds within which one of several hints must have arrived, and a waiting `acquire` be served."""


async def is_durable(bench: Bench) -> None:
    number = await bench.put(a="1", b="2")
    last = await bench.store.commit(Batch(delete={bench.key("b")}))
    await bench.store.close()
    again = await bench.open()
    same("row after a reopen", await again.get([bench.key("a")]), {bench.key("a"): Row(bench.key("a"), "1", number)})
    same("rows after a reopen", await bench.all(again), [("a", "1")])
    later = await again.commit(Batch(put={bench.key("b"): "3"}))
    assert later > last, f"commit number {later} after a reopen, {last} before it"


async def shares_between_handles(bench: Bench) -> None:
    last = 0
    for n in range(40):
        writer, reader = (bench.store, bench.other) if n % 3 else (bench.other, bench.store)
        number = await writer.commit(Batch(put={bench.key("a"): str(n)}))
        assert number > last, f"commit number {number} after {last} of another handle"
        wanted = Row(bench.key("a"), str(n), number)
        same("row committed by another handle", (await reader.get([bench.key("a")])).get(bench.key("a")), wanted)
        same("row committed by another handle, scanned", await reader.scan(bench.prefix, bench.end), [wanted])
        last = number
    stale = last
    fresh = await bench.other.commit(Batch(expect={bench.key("a"): stale}, put={bench.key("a"): "other"}))
    conflict = await conflict_of(bench.store, Batch(expect={bench.key("a"): stale}, put={bench.key("a"): "mine"}))
    same("version that the other handle wrote", conflict.actual, fresh)
    await count_to(bench, [bench.store, bench.other, bench.store, bench.other], each=8)
    await watch_one_text(bench, writer=bench.store, reader=bench.other)


async def has_one_owner(bench: Bench) -> None:
    one, two = bench.store, bench.other
    await one.acquire()
    await one.acquire()
    await _refuses_owner(two)
    waiting = asyncio.ensure_future(two.acquire(wait=True))
    await asyncio.sleep(0)
    await two.get([bench.key("a")])
    assert not waiting.done(), "two handles own the store"
    await two.release()
    await _refuses_owner(two)
    await one.release()
    await one.release()
    await asyncio.wait_for(waiting, HINT_WAIT_S)
    await _refuses_owner(one)
    await bench.put(a="1")  # not owning does not stop a client
    await two.close()
    await asyncio.wait_for(one.acquire(wait=True), HINT_WAIT_S)
    await one.release()


async def _refuses_owner(store: Store) -> None:
    try:
        await store.acquire()
    except StoreOwned as error:
        same("whether StoreOwned says something", bool(str(error)), True)
    else:
        raise AssertionError("two handles own the store")


async def _hints(bench: Bench, writer: Store) -> None:
    rung = asyncio.Event()
    undo = bench.store.watch(rung.set)
    for n in range(20):  # a single hint may be lost
        await writer.commit(Batch(put={bench.key("a"): str(n)}))
        with suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(rung.wait(), HINT_WAIT_S / 20)
            break
    assert rung.is_set(), "twenty commits and no hint"
    undo()
    undo()
    await asyncio.sleep(0)
    rung.clear()
    await writer.commit(Batch(put={bench.key("a"): "last"}))
    await asyncio.sleep(0)
    assert not rung.is_set(), "a hint after its undo"


async def hints_to_itself(bench: Bench) -> None:
    await _hints(bench, bench.store)


async def hints_to_others(bench: Bench) -> None:
    await _hints(bench, bench.other)
