"""What makes a store a store: `check_store` tries every promise of `weft_core.store.port` on a backend.

For authors of stores; plain asserts, no pytest. It runs wherever asyncio does, also in a browser.

    def make_store():                      # or async def; opens one more handle on the same, at first empty place
        return MyStore("scratch.db")

    asyncio.run(check_store(make_store))

It writes under keys that start with `check/` and removes them again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from weft_core.store.port import Batch
from weft_core.testing.store_checks import commits, handles, rows
from weft_core.testing.store_checks.bench import Bench, MakeStore, open_handle


@dataclass(frozen=True, kw_only=True)
class StoreReport:
    """What `check_store` tried. `skipped` names promises that need a second handle on the same place."""

    passed: tuple[str, ...]
    skipped: tuple[str, ...]


async def check_store(make_store: MakeStore, *, reopens: bool | None = None, seed: int = 0) -> StoreReport:
    """Try every promise of the store port; raise `AssertionError` naming the first one that is broken.

    `make_store()` opens one more handle on one place. `reopens=False` says that each call makes a place of its own (so
    durability and exclusion cannot be tried), `True` insists on one place, `None` finds out. `seed` drives the random
    part and stands in its failures.
    """
    if reopens is None:
        reopens = await _is_one_place(make_store)
    passed, skipped = [], []
    for number, (promise, check, handle_count) in enumerate(_CHECKS):
        if handle_count > 1 and not reopens:
            skipped.append(promise)
            continue
        bench = Bench(make_store, f"check/{number:02d}/", seed)
        try:
            await bench.start(handle_count)
            await check(bench)
        except Exception as error:
            detail = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"the store breaks a promise: {promise} ({detail})") from error
        finally:
            await bench.stop()
        passed.append(promise)
    return StoreReport(passed=tuple(passed), skipped=tuple(skipped))


async def _is_one_place(make_store: MakeStore) -> bool:
    one = await open_handle(make_store)
    two = await open_handle(make_store)
    try:
        await one.commit(Batch(put={"check/place": "1"}))
        return bool(await two.get(["check/place"]))
    finally:
        await one.commit(Batch(delete={"check/place"}))
        await one.close()
        await two.close()


_Check: TypeAlias = Callable[[Bench], Coroutine[Any, Any, None]]

_CHECKS: tuple[tuple[str, _Check, int], ...] = (
    ("what was put is read back, with the commit's number as version", rows.reads_back, 1),
    ("deleted rows are gone", rows.deletes, 1),
    ("a range delete takes its start, not its end, and nothing else", rows.deletes_ranges, 1),
    ("range deletes, deletes and puts apply in this order", rows.order_within_a_batch, 1),
    ("values come back unchanged, whatever their size and characters", rows.keeps_big_and_odd_values, 1),
    ("batches, gets and scans of thousands of rows work", rows.takes_big_batches, 1),
    ("keys are ordered byte by byte, and no key is mistaken for another", rows.orders_hostile_keys, 1),
    ("a scan keeps its bounds, limit and direction", rows.scans_within_bounds, 1),
    ("a commit whose precondition fails names it and writes nothing", commits.refuses_what_does_not_hold, 1),
    ("a batch without writes only checks", commits.checks_without_writing, 1),
    ("commit numbers grow and are never reused, also after a delete", commits.numbers_grow, 1),
    ("random batches have the effect that the port describes", commits.agrees_with_a_model, 1),
    ("a reader sees a commit whole or not at all", commits.is_atomic_for_readers, 1),
    ("concurrent commits do not lose each other's writes", commits.serves_concurrent_commits, 1),
    ("a cancelled caller leaves the store whole and usable", commits.survives_cancelled_callers, 1),
    ("a closed store says so, and that nothing was applied", commits.says_when_closed, 1),
    ("a watcher hears of commits through the same handle", handles.hints_to_itself, 1),
    ("what was committed is there after a reopen, and numbers go on", handles.is_durable, 2),
    ("handles on one place see each other's commits at once", handles.shares_between_handles, 2),
    ("one handle at a time owns the store, and ownership ends with it", handles.has_one_owner, 2),
    ("a watcher hears of commits through another handle", handles.hints_to_others, 2),
)

PROMISES = tuple(promise for promise, _, _ in _CHECKS)
"""What `check_store` tries, in its order."""
