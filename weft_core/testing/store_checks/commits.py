"""Checks about commits of one handle: preconditions, numbers, atomicity, callers that go away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from weft_core.errors import Conflict, StoreUnavailable
from weft_core.store.port import Batch, Row
from weft_core.testing.store_checks.bench import Bench, conflict_of, count_to, same, watch_one_text

RANDOM_COMMITS = 150
"""Random batches that are compared with a model."""


async def refuses_what_does_not_hold(bench: Bench) -> None:
    first = await bench.put(a="1", b="1")
    second = await bench.put(b="2")
    before = await bench.all()
    for expect, key, actual in (
        ({"a": first, "b": first}, "b", second),
        ({"b": 0}, "b", second),
        ({"absent": first}, "absent", 0),
        ({"b": second + 1}, "b", second),
        ({"x": 7, "b": first}, "x", 0),
        ({"b": first, "x": 7}, "b", second),
    ):
        wanted = {bench.key(name): version for name, version in expect.items()}
        for put in ({"a": "9", "new": "9"}, {"a": "9", "b": "9", "x": "9", "absent": "9"}):
            batch = Batch(
                expect=wanted,
                put={bench.key(name): value for name, value in put.items()},
                delete={bench.key("b")} if "b" not in put else set(),
            )
            conflict = await conflict_of(bench.store, batch)
            facts = (conflict.key, conflict.expected, conflict.actual)
            same(f"conflict of {expect}", facts, (bench.key(key), expect[key], actual))
            same("rows after a refused commit", await bench.all(), before)
        batch = Batch(expect=wanted, delete_range=[(bench.prefix, bench.end)], delete={bench.key("a")})
        await conflict_of(bench.store, batch)
        same("rows after a refused delete", await bench.all(), before)
    right = {bench.key("a"): first, bench.key("b"): second, bench.key("c"): 0}
    await bench.store.commit(Batch(expect=right, put={bench.key("c"): "3"}))
    same("rows after a commit that was right", await bench.all(), [*before, ("c", "3")])


async def checks_without_writing(bench: Bench) -> None:
    number = await bench.put(a="1")
    holds = Batch(expect={bench.key("a"): number, bench.key("b"): 0})
    same("commit without writes", await bench.store.commit(holds), 0)
    await conflict_of(bench.store, Batch(expect={bench.key("a"): number, bench.key("b"): 1}))
    same("commit of nothing at all", await bench.store.commit(Batch()), 0)
    same("the row that was only checked", await bench.one("a"), Row(bench.key("a"), "1", number))


async def numbers_grow(bench: Bench) -> None:
    last = 0
    for n in range(30):
        number = await bench.put(a=str(n))
        assert number > last, f"commit number {number} after {last}"
        row = await bench.one("a")
        same("version of a row just written", row and row.version, number)
        last = number
        if n % 3 == 0:
            last = await bench.store.commit(Batch(delete={bench.key("a")}))
            assert last > number, "a commit that only deletes has no number of its own"
        if n % 5 == 0:
            with suppress(Conflict):
                await bench.store.commit(Batch(expect={bench.key("a"): 1}, put={bench.key("a"): "no"}))
        if n % 7 == 0:
            last = await bench.store.commit(Batch(delete_range=[(bench.prefix, bench.end)]))
    stale = await bench.put(a="old")
    await bench.store.commit(Batch(delete={bench.key("a")}))
    await bench.put(a="new")
    await conflict_of(bench.store, Batch(expect={bench.key("a"): stale}, put={bench.key("a"): "late"}))


async def agrees_with_a_model(bench: Bench) -> None:
    chance = random.Random(bench.seed)
    names = [f"{a}/{b}" for a in "abc" for b in range(6)]
    model: dict[str, Row] = {}
    for step in range(RANDOM_COMMITS):
        batch = Batch()
        for name in chance.sample(names, chance.randrange(5)):
            key = bench.key(name)
            actual = model[key].version if key in model else 0
            batch.expect[key] = actual if chance.random() < 0.85 else chance.choice([0, 1, actual + 1])
        for name in chance.sample(names, chance.randrange(5)):
            batch.put[bench.key(name)] = f"{step}"
        batch.delete.update(bench.key(name) for name in chance.sample(names, chance.choice([0, 0, 1, 2])))
        if chance.random() < 0.2:
            low, high = chance.choice(names), chance.choice(names)
            batch.delete_range.append((bench.key(low), bench.key(high)))
        wrong = [k for k, v in batch.expect.items() if v != (model[k].version if k in model else 0)]
        where = f"seed {bench.seed}, step {step}"
        if wrong:
            same(f"{where}: key of the conflict", (await conflict_of(bench.store, batch)).key, wrong[0])
        else:
            number = await bench.store.commit(batch)
            for start, end in batch.delete_range:
                model = {key: row for key, row in model.items() if not start <= key < end}
            model = {key: row for key, row in model.items() if key not in batch.delete}
            model |= {key: Row(key, value, number) for key, value in batch.put.items()}
        start, end = sorted((bench.key(chance.choice(names)), bench.key(chance.choice([*names, "~"]))))
        reverse, limit = chance.random() < 0.5, chance.choice([1, 3, 100])
        wanted = sorted((row for key, row in model.items() if start <= key < end), reverse=reverse)[:limit]
        found = await bench.store.scan(start, end, limit=limit, reverse=reverse)
        same(f"{where}: scan {start} to {end}, limit {limit}, reverse {reverse}", found, wanted)
        asked = [bench.key(name) for name in chance.sample(names, 6)]
        same(f"{where}: get", await bench.store.get(asked), {key: model[key] for key in asked if key in model})


async def is_atomic_for_readers(bench: Bench) -> None:
    """Every commit writes the same text to all rows; whoever reads sees one text only."""
    await watch_one_text(bench, writer=bench.store, reader=bench.store)


async def serves_concurrent_commits(bench: Bench) -> None:
    await count_to(bench, [bench.store, bench.store, bench.store, bench.store], each=8)
    numbers = await asyncio.gather(
        *(bench.store.commit(Batch(put={bench.key(f"n{n}"): str(n)})) for n in range(40)),
    )
    assert len(set(numbers)) == 40, "concurrent commits shared a number"


async def survives_cancelled_callers(bench: Bench) -> None:
    for n in range(10):
        task = asyncio.ensure_future(bench.store.commit(Batch(put={bench.key("a"): str(n), bench.key("b"): str(n)})))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert len({value for _, value in await bench.all()}) <= 1, "half of a cancelled commit was written"
    number = await bench.put(a="end", b="end")
    rows = await bench.store.scan(bench.prefix, bench.end)
    same("versions after cancelled commits", {row.version for row in rows}, {number})


async def says_when_closed(bench: Bench) -> None:
    key = bench.key("a")
    await bench.store.close()
    await bench.store.close()
    store = bench.store
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.get([key]),
        lambda: store.scan(bench.prefix, bench.end),
        lambda: store.commit(Batch(put={key: "1"})),
        lambda: store.commit(Batch(expect={key: 0})),
        store.acquire,
    ]
    for call in calls:
        try:
            await call()
        except StoreUnavailable as error:
            same("`applied` of a call on a closed store", error.applied, False)
        else:
            raise AssertionError("a closed store answered")
    await bench.store.release()
