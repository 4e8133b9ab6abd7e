"""What is wrong with one run, one error or one piece of code stays with it: nothing else stops."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.suite.harness import Harness, cases, raises
from weft_core import App, Client, Context, Retry, RunFailed, activity_info
from weft_core.store.port import Batch


class ApiError(Exception):
    """As libraries raise them: its text needs what cannot be stored with it."""

    def __init__(self, response: object) -> None:
        super().__init__("api")
        self.response = response

    def __str__(self) -> str:
        return f"server said {self.response.status}"  # type: ignore[attr-defined]


class Response:
    status = 503


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getattribute__(self, name: str) -> Any:
        if name in ("__notes__", "__dict__"):
            raise RuntimeError("no notes")
        return super().__getattribute__(name)


def shop(*, with_charge: bool = True) -> tuple[App, list[Any]]:
    app, calls = App("shop"), list[Any]()

    if with_charge:

        @app.activity(retry=Retry(max_attempts=3, initial="1s"))
        async def charge(how: str) -> str:
            info = activity_info()
            calls.append((info.key, info.attempt, info.last_details))
            if how == "api":
                raise ApiError(Response())
            if how == "unspeakable":
                raise Unspeakable("x")
            if how == "beats":
                info.heartbeat(info.attempt * 10)
                if info.attempt < 3:
                    raise OSError("gone")
            if how == "slow" and info.attempt < 2:
                raise OSError("later")
            return how

    @app.activity
    async def fine(x: int) -> int:
        return x

    @app.workflow
    async def paying(ctx: Context, how: str) -> Any:
        await ctx.sleep("1m")
        return [await ctx.run("charge", how), ctx.attempt]

    @app.workflow
    async def limited(ctx: Context) -> Any:
        return await ctx.run("charge", "slow", total_timeout="10s", retry=Retry(initial="8s", jitter=False))

    @app.workflow
    async def other(ctx: Context, x: int) -> int:
        await ctx.sleep("1m")
        return await ctx.run(fine, x)

    return app, calls


@cases("while_running", (False,), (True,))
async def test_an_activity_that_is_gone_parks_its_run_alone(make: Harness, while_running: bool) -> None:
    app, _ = shop()
    engine = await make.engine(app)
    await engine.start("paying", "ok", id="p")
    await engine.start("other", 7, id="o")
    await engine.settle()
    if not while_running:
        engine.activities["charge"] = _never
        await engine.advance("1m")
    engine = await make.reopen(engine, shop(with_charge=False)[0])
    await engine.advance("2m")
    assert await engine.handle("o").result() == 7
    assert await (await engine.start("other", 8, id="new")).status() == "waiting"
    if while_running:
        with raises(Exception, match="charge"):
            await engine.handle("p").result()
        return
    info = await engine.handle("p").info()
    assert info.problem is not None and "charge" in info.problem["message"]
    engine = await make.reopen(engine, shop()[0])
    await engine.settle()
    assert await engine.handle("p").result() == ["ok", 1]


async def _never(how: str) -> str:
    await asyncio.Event().wait()
    return how


@cases("how text", ("api", "ApiError"), ("unspeakable", "Unspeakable"))
async def test_an_error_that_cannot_be_told_is_an_error_like_any_other(make: Harness, how: str, text: str) -> None:
    app, calls = shop()
    engine = await make.engine(app)
    run = await engine.start("paying", how)
    await engine.advance("10m")
    with raises(Exception) as caught:
        await run.result()
    assert text in type(caught.value).__name__ or text in str(caught.value)
    assert (await run.status()) == "failed"
    assert [attempt for _, attempt, _ in calls] == [1, 2, 3]


async def test_what_an_attempt_said_just_before_it_failed_is_there_for_the_next(make: Harness) -> None:
    app, calls = shop()
    engine = await make.engine(app)
    run = await engine.start("paying", "beats")
    await engine.advance("10m")
    assert await run.result() == ["beats", 1]
    assert [details for _, _, details in calls] == [None, 10, 20]


async def test_an_attempt_that_is_too_late_is_not_made(make: Harness) -> None:
    app, calls = shop()
    engine = await make.engine(app)
    await engine.start("limited", id="r")
    await engine.settle()
    assert len(calls) == 1
    await engine._halt()
    engine.host.move_to(engine.now_ms + 3_600_000)
    engine = await make.reopen(engine, app)
    await engine.settle()
    with raises(TimeoutError, match="total time|within 10 s"):
        await engine.handle("r").result()
    assert len(calls) == 1


async def test_each_execution_of_an_id_has_keys_of_its_own(make: Harness) -> None:
    app, calls = shop()
    engine = await make.engine(app)
    for execution in (1, 2, 3):
        run = await engine.start("paying", "ok", id="o", if_exists="restart_if_closed")
        await engine.settle()
        await engine.crash()
        await engine.advance("1m")
        assert await engine.handle(run.id).result() == ["ok", execution]
    assert len({key for key, *_ in calls}) == 3
    assert calls[0][0] == "o/0:1" and calls[1][0] == "o#2/0:1"


@cases("damage", ("null",), ("{}",), ('{"source":1,"filename":[],"first_line":"x"}',), ("source",))
async def test_the_kept_source_of_an_earlier_version_may_be_damaged(make: Harness, damage: str) -> None:
    app, _ = shop()
    engine = await make.engine(app)
    await engine.start("paying", "ok", id="p")
    await engine.settle()
    changed = App("shop")

    @changed.workflow(name="paying")
    async def paying_now(ctx: Context, how: str) -> str:
        await ctx.sleep("2m")
        return "new"

    await engine._halt()
    rows = await engine.store.scan("unit/", "unit0")
    wanted = [row.key for row in rows if "charge" in row.value]
    assert wanted
    if damage == "source":
        damage = '{"source":"async def paying(ctx, how):\\n    await (","filename":"x.py","first_line":1}'
    await engine.store.commit(Batch(put=dict.fromkeys(wanted, damage)))
    engine = await make.reopen(engine, changed)
    await engine.advance("5m")
    with raises(RunFailed, match="parked"):
        await engine.handle("p").result()
    fresh = await engine.start("paying", "x")
    await engine.advance("5m")
    assert await fresh.result() == "new"


async def test_who_resumes_a_parked_run_waits_for_what_comes_of_it(make: Harness) -> None:
    engine = await make.engine(shop()[0])
    app = shop(with_charge=False)[0]

    @app.workflow(name="unknown to the engine")
    async def unknown(ctx: Context) -> int:
        return 7

    client = Client(engine.store, app)
    run = await client.start(unknown, id="u")
    await engine.settle()
    with raises(RunFailed, match="parked"):
        await run.result()
    await run.resume()
    assert await run.status() == "pending"
    await engine.settle()
    with raises(RunFailed, match="parked"):
        await run.result()
    engine.app.workflows[unknown.name] = unknown
    engine.app.registry.add_unit(unknown.unit)
    await run.resume()
    waiting = asyncio.create_task(run.result())
    await engine.settle()
    assert await waiting == 7
