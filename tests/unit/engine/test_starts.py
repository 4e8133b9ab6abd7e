"""A start through an engine is one commit with the first turn of its run, and never more or less than a start."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from weft_core import App, Client, Context, Engine
from weft_core.errors import AlreadyExists, StoreUnavailable, WeftError
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing import TestEngine
from weft_core.testing.faults import Fault, FaultyStore

app = App("starts")
turns: list[str] = []
"""Which workflows came to life, by what they were given."""


@app.activity
async def double(x: int) -> int:
    return x * 2


@app.workflow
async def one_step(ctx: Context, x: int) -> int:
    turns.append(f"one_step {x}")
    return await ctx.run(double, x)


@app.workflow
async def no_step(ctx: Context, x: int) -> int:
    return x + 1


@app.workflow
async def waiting(ctx: Context) -> Any:
    return await ctx.wait_for_signal("go")


class Written(MemoryStore):
    """Keeps the batches that runs were in."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        if any(key.startswith(("run/", "fiber/")) for key in (*batch.put, *batch.delete)):
            self.batches.append(batch)
        return number


async def _opened(store: Any) -> Engine:
    engine = await Engine.open(store, app)
    await engine.__aenter__()
    turns.clear()
    return engine


@pytest.mark.parametrize(("call", "commits"), [((one_step, 4), 2), ((no_step, 4), 1)], ids=["one step", "no step"])
async def test_a_start_is_one_commit_with_the_first_turn(call: Any, commits: int) -> None:
    store = Written()
    engine = await _opened(store)
    workflow, x = call
    assert await (await engine.start(workflow, x)).result() in (8, 5)
    assert len(store.batches) == commits
    await engine.close()


async def test_what_start_promised_is_durable_when_it_returns() -> None:
    store = Written()
    engine = await _opened(store)
    handle = await engine.start(waiting, id="w")
    rows = await store.get(["run/w", "fiber/w/0", "ready/w"])
    assert '"running"' in rows["run/w"].value and "frames" in rows["fiber/w/0"].value
    assert "ready/w" not in rows  # it waits for a signal: there is nothing to look at
    await handle.signal("go", 3)
    assert await handle.result() == 3
    await engine.close()


async def test_many_starts_at_once_are_one_commit_and_so_are_their_ends() -> None:
    store = Written()
    engine = await _opened(store)
    handles = await asyncio.gather(*(engine.start(one_step, n) for n in range(50)))
    assert await asyncio.gather(*(h.result() for h in handles)) == [2 * n for n in range(50)]
    assert len(store.batches) == 2
    await engine.close()


async def test_one_id_that_exists_stops_none_of_the_others() -> None:
    store = Written()
    engine = await _opened(store)
    old = await engine.start(waiting, id="old")
    done = await engine.start(one_step, 1, id="done")
    assert await done.result() == 2
    turns.clear()
    answers = await asyncio.gather(
        engine.start(one_step, 5, id="a"),
        engine.start(waiting, id="old"),
        engine.start(one_step, 1, id="done"),
        engine.start(one_step, 2, id="done"),
        engine.start(one_step, 6, id="b"),
        return_exceptions=True,
    )
    assert isinstance(answers[3], AlreadyExists) and "another input" in str(answers[3])
    assert [h.id for h in answers if not isinstance(h, BaseException)] == ["a", "old", "done", "b"]
    assert [await answers[i].result() for i in (0, 2, 4)] == [10, 2, 12]  # type: ignore[union-attr]
    await old.signal("go", "kept")
    assert await old.result() == "kept"
    await engine.close()


async def test_an_id_of_a_run_that_has_ended_is_that_run(caplog: pytest.LogCaptureFixture) -> None:
    store = Written()
    engine = await _opened(store)
    assert await (await engine.start(one_step, 1, id="done")).result() == 2
    before = await store.get(["run/done"])
    again, new = await asyncio.gather(engine.start(one_step, 1, id="done"), engine.start(one_step, 2, id="new"))
    assert (await again.result(), await new.result()) == (2, 4)
    assert await store.get(["run/done"]) == before
    assert not caplog.records, "the store did not fail"
    await engine.close()


async def test_an_id_of_a_run_that_ends_in_the_same_round(caplog: pytest.LogCaptureFixture) -> None:
    engine = await _opened(Written())
    gate = asyncio.Event()

    async def gated(x: int) -> int:
        await gate.wait()
        return x * 2

    engine.activities["double"] = gated
    first = await engine.start(one_step, 3, id="busy")
    await asyncio.sleep(0)
    gate.set()  # the step's result and the second start reach the loop together
    second = await engine.start(one_step, 3, id="busy")
    assert await first.result() == await second.result() == 6
    assert not caplog.records, "the store did not fail"
    await engine.close()


async def test_a_start_with_its_time_still_to_come_waits_for_it() -> None:
    async with TestEngine(app) as engine:
        turns.clear()
        handle = await engine.start(one_step, 3, start_after="1h")
        assert (await handle.info()).status == "pending"
        assert not turns
        await engine.advance("1h")
        assert await handle.result() == 6


async def test_a_started_run_is_not_read_back() -> None:
    store = FaultyStore(MemoryStore())
    engine = await _opened(store)
    del store.calls[:]
    handles = await asyncio.gather(*(engine.start(one_step, n) for n in range(3)))
    await asyncio.gather(*(h.result() for h in handles))
    names = [call.name for call in store.calls]
    assert names.count("commit") == 2 and "scan" not in names
    await engine.close()


async def test_an_id_that_is_started_twice_at_once_is_one_run() -> None:
    engine = await _opened(Written())
    first, second, third = await asyncio.gather(
        *(engine.start(one_step, x, id="twice") for x in (3, 3, 4)), return_exceptions=True
    )
    assert isinstance(third, AlreadyExists)
    assert not isinstance(first, BaseException) and not isinstance(second, BaseException)
    assert await first.result() == await second.result() == 6
    assert (await engine.count()) == 1
    await engine.close()


async def test_a_start_among_steps_of_others_loses_nothing_when_it_conflicts() -> None:
    # The id is taken by somebody else's commit while steps of other runs are in the same round.
    store = Written()
    engine = await _opened(store)
    busy = [await engine.start(one_step, n, id=f"busy{n}") for n in range(5)]
    await (await Client.open(store, app)).start(one_step, 7, id="taken")
    answer = await engine.start(one_step, 7, id="taken")
    assert await answer.result() == 14
    assert [await h.result() for h in busy] == [0, 2, 4, 6, 8]
    assert turns.count("one_step 7") >= 1
    await engine.close()


@pytest.mark.parametrize("kind", ["fail_before", "fail_after"])
async def test_a_failing_commit_is_told_to_who_started_and_leaves_a_run_or_none(kind: Any) -> None:
    failing: list[int] = []
    store = FaultyStore(MemoryStore(), lambda call: _at_start(call, failing, kind))
    engine = await _opened(store)
    failing.append(1)
    with pytest.raises(StoreUnavailable):
        await engine.start(one_step, 4, id="r")
    again = await engine.start(one_step, 4, id="r")
    assert await again.result() == 8
    assert (await engine.count()) == 1
    await engine.close()


def _at_start(call: Any, failing: list[int], kind: str) -> Any:
    if failing and call.name == "commit" and call.batch is not None and "run/r" in call.batch.put:
        failing.clear()
        return Fault(kind=kind, at=call.number)
    return None


async def test_a_run_whose_first_turn_the_engine_cannot_make_is_started_and_parked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from weft_core.kernel.machine import Machine

    real = Machine.advance

    def broken(self: Machine, now: int) -> None:
        if self.record.id == "bad":
            raise AssertionError("planted")
        real(self, now)

    engine = await _opened(Written())
    monkeypatch.setattr(Machine, "advance", broken)
    bad, good = await asyncio.gather(engine.start(one_step, 1, id="bad"), engine.start(one_step, 2, id="good"))
    assert await good.result() == 4
    with pytest.raises(WeftError, match="planted"):
        await bad.result()
    assert (await bad.info()).problem is not None
    await engine.close()


async def test_whoever_starts_while_the_loop_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from weft_core.kernel.machine import Machine

    def ending(self: Machine, now: int) -> None:
        raise asyncio.CancelledError

    engine = await _opened(Written())
    monkeypatch.setattr(Machine, "advance", ending)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(engine.start(one_step, n) for n in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 3
    assert (await engine.count()) == 0
    await engine.close()


def test_a_start_that_comes_while_a_commit_fails_does_not_wait_for_the_store_to_be_tried_again() -> None:
    async def play() -> None:
        hold, failing = asyncio.Event(), asyncio.Event()

        class Slow(MemoryStore):
            async def commit(self, batch: Batch) -> int:
                if any(key.startswith("fiber/first/") for key in batch.put) and not failing.is_set():
                    failing.set()
                    await hold.wait()
                    raise StoreUnavailable("planted", applied=False)
                return await super().commit(batch)

        engine = TestEngine(app, store=Slow())
        async with engine:
            first = asyncio.ensure_future(engine.start(waiting, id="first"))
            await failing.wait()
            second = asyncio.ensure_future(engine.start(no_step, 1, id="second"))
            await asyncio.sleep(0)
            hold.set()
            with pytest.raises(StoreUnavailable):
                await first
            run = await asyncio.wait_for(second, 2)  # no virtual time passes
            await engine.advance(10)
            assert await run.result() == 2

    asyncio.run(play())


async def test_the_sources_of_an_app_are_kept_before_any_run_needs_them() -> None:
    store = MemoryStore()
    async with await Engine.open(store, app):
        rows = await store.scan("unit/", "unit0")
    assert [row.key for row in rows] == sorted(f"unit/{workflow.unit.digest}" for workflow in app.workflows.values())
