"""Activities: results, retries, errors, time limits, idempotency keys, heartbeats."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.suite.harness import Harness
from weft_core import ActivityError, ActivityTimeout, App, Context, Retry, UnknownActivity, activity_info


def shop() -> tuple[App, list[Any]]:
    app, calls = App("shop"), []

    @app.activity
    async def double(x: int) -> int:
        calls.append(x)
        return 2 * x

    @app.workflow
    async def steps(ctx: Context, n: int) -> list[int]:
        results = []
        for i in range(n):
            results.append(await ctx.run("double", i))
        return results

    return app, calls


async def test_steps_run_in_order_and_once(make: Harness) -> None:
    app, calls = shop()
    engine = await make.engine(app)
    run = await engine.start("steps", 5)
    assert await run.result() == [0, 2, 4, 6, 8]
    assert calls == [0, 1, 2, 3, 4]
    assert await run.status() == "completed"


async def test_an_input_that_does_not_fit_the_signature_fails_the_run_with_a_type_error(make: Harness) -> None:
    app, _ = shop()
    engine = await make.engine(app)
    run = await engine.start("steps", 1, 2, 3)
    try:
        await run.result()
    except TypeError as error:
        assert "steps" in str(error)
    else:
        raise AssertionError("no error")
    assert await run.status() == "failed"


async def test_a_failing_activity_is_retried_by_its_policy_with_the_same_key(make: Harness) -> None:
    app, seen = App("retries"), []

    @app.activity(retry=Retry(max_attempts=4, initial="10s", backoff=3.0, max="5m", jitter=0.0))
    async def flaky() -> str:
        info = activity_info()
        seen.append((info.attempt, info.key, engine.now_ms))
        if info.attempt < 4:
            raise ConnectionError("down")
        return "up"

    @app.workflow
    async def call(ctx: Context) -> str:
        return await ctx.run(flaky)

    engine = await make.engine(app)
    began = engine.now_ms
    run = await engine.start(call)
    await engine.advance("5m")
    assert await run.result() == "up"
    assert [attempt for attempt, _, _ in seen] == [1, 2, 3, 4]
    assert len({key for _, key, _ in seen}) == 1
    assert [at - began for _, _, at in seen] == [0, 10_000, 40_000, 130_000]


async def test_the_last_error_arrives_as_itself_with_cause_and_note(make: Harness) -> None:
    app = App("errors")

    @app.activity(retry=Retry(max_attempts=2, initial=1))
    async def broken() -> None:
        try:
            {}["missing"]
        except KeyError as error:
            raise ValueError("no price", 7) from error

    @app.workflow
    async def call(ctx: Context) -> Any:
        try:
            await ctx.run(broken)
        except ValueError as error:
            return [list(error.args), repr(error.__cause__), error.__notes__]

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1m")
    args, cause, notes = await run.result()
    assert args == ["no price", 7]
    assert cause == "KeyError('missing')"
    assert any("broken" in note and "2 attempts" in note for note in notes)


@dataclass(frozen=True)
class Declined(Exception):
    code: int


async def test_an_error_of_a_frozen_class_arrives_and_is_handled_across_a_wait(make: Harness) -> None:
    app = App("frozen-errors")

    @app.activity(retry=Retry(max_attempts=1))
    async def pay() -> None:
        raise Declined(5)

    @app.workflow
    async def call(ctx: Context) -> int:
        try:
            await ctx.run(pay)
        except Declined:
            try:
                await ctx.sleep("1s")
                raise
            except Declined as again:
                await ctx.sleep("1s")
                return again.code
        return 0

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1m")
    assert await run.result() == 5


async def test_giving_up_classes_are_not_retried(make: Harness) -> None:
    app, tries = App("giving-up"), []

    @app.activity(retry=Retry(max_attempts=10, initial=1, give_up_on=(LookupError,)))
    async def find() -> None:
        tries.append(1)
        raise KeyError("nobody")

    @app.workflow
    async def call(ctx: Context) -> None:
        await ctx.run(find)

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1h")
    try:
        await run.result()
    except KeyError as error:
        assert error.args == ("nobody",)
    else:
        raise AssertionError("no error")
    assert tries == [1]


async def test_a_call_can_bring_its_own_policy_and_key(make: Harness) -> None:
    app, seen = App("own-policy"), []

    @app.activity
    async def pay() -> None:
        seen.append(activity_info().key)
        raise OSError("no")

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run(pay, retry=Retry(max_attempts=2, initial=0), key="order-7")
        except OSError as error:
            return str(error)
        return "paid"

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1m")
    assert await run.result() == "no"
    assert seen == ["order-7", "order-7"]


async def test_an_attempt_past_its_time_limit_is_cancelled_and_retried(make: Harness) -> None:
    app, log = App("timeouts"), []

    @app.activity(timeout="5s", retry=Retry(max_attempts=2, initial="1s", jitter=0.0))
    async def slow() -> None:
        log.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run(slow)
        except TimeoutError as error:
            return type(error).__name__
        return "done"

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("30s")
    assert await run.result() == ActivityTimeout.__name__
    assert log == ["begun", "cancelled", "begun", "cancelled"]


async def test_the_total_time_limit_ends_the_retrying(make: Harness) -> None:
    app, tries = App("total"), []

    @app.activity(retry=Retry(max_attempts=1_000, initial="10s", backoff=1.0, jitter=0.0), total_timeout="35s")
    async def never() -> None:
        tries.append(1)
        raise OSError("still down")

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run(never)
        except ActivityTimeout as error:
            return type(error.__cause__).__name__
        return "done"

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("10m")
    assert await run.result() == "OSError"
    assert len(tries) == 4


async def test_heartbeat_details_reach_the_next_attempt_also_over_a_crash(make: Harness) -> None:
    app, seen = App("heartbeats"), []
    gate = asyncio.Event()

    @app.activity(retry=Retry(max_attempts=3, initial="1s", jitter=0.0))
    async def copy() -> str:
        info = activity_info()
        seen.append(info.last_details)
        if info.last_details is None:
            info.heartbeat({"row": 500})
            await gate.wait()
        return "copied"

    @app.workflow
    async def call(ctx: Context) -> str:
        return await ctx.run(copy)

    engine = await make.engine(app)
    run = await engine.start(call)
    while not any("details" in row.value for row in await engine.store.scan("fiber/", "fiber0")):
        await asyncio.sleep(0)
    await engine.crash()
    assert await run.result() == "copied"
    assert seen == [None, {"row": 500}]


async def test_a_silent_attempt_is_given_up_after_its_heartbeat_limit(make: Harness) -> None:
    app, tries = App("silent"), []

    @app.activity(heartbeat="10s", retry=Retry(max_attempts=2, initial=0))
    async def silent() -> str:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.Event().wait()
        return "spoke"

    @app.workflow
    async def call(ctx: Context) -> str:
        return await ctx.run(silent)

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1m")
    assert await run.result() == "spoke"


async def test_an_unknown_activity_is_an_error_at_the_await(make: Harness) -> None:
    app = App("unknown")

    @app.activity
    async def charge() -> None: ...

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run("chrage")
        except UnknownActivity as error:
            return str(error)
        return "found"

    engine = await make.engine(app)
    run = await engine.start(call)
    message = await run.result()
    assert "chrage" in message and "charge" in message


async def test_a_plain_function_is_an_activity_too(make: Harness) -> None:
    app = App("plain")

    @app.activity
    def add(a: int, *, b: int) -> int:
        return a + b

    @app.workflow
    async def call(ctx: Context) -> int:
        return await ctx.run(add, 2, b=3)

    engine = await make.engine(app)
    assert await (await engine.start(call)).result() == 5


async def test_a_result_that_cannot_be_stored_is_an_error_not_a_retry(make: Harness) -> None:
    app, tries = App("bad-result"), []

    @app.activity
    async def handle() -> Any:
        tries.append(1)
        return (i for i in range(3))

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run(handle)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "stored"

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1h")
    assert "generator" in await run.result()
    assert tries == [1]


async def test_what_an_activity_receives_and_returns_is_a_copy(make: Harness) -> None:
    app, kept = App("copies"), []

    @app.activity
    async def keep(items: list[int]) -> list[int]:
        items.append(99)
        kept.append(items)
        return items

    @app.workflow
    async def call(ctx: Context) -> Any:
        mine = [1]
        theirs = await ctx.run(keep, mine)
        theirs.append(7)
        await ctx.sleep(1)
        return [mine, theirs]

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance(2)
    assert await run.result() == [[1], [1, 99, 7]]
    assert kept == [[1, 99]]


async def test_the_policy_judges_errors_of_classes_that_the_app_does_not_know(make: Harness) -> None:
    def foreign(name: str, **attributes: Any) -> Any:
        return type(name, (Exception,), {"__module__": "some_other_library", **attributes})

    declined, fatal = foreign("CardDeclined"), foreign("Fatal", non_retryable=True)
    slow_down, odd = foreign("SlowDown", retry_after="1h"), foreign("Odd", retry_after=object())
    touchy = foreign("Touchy", retry_after=property(lambda self: 1 / 0), non_retryable=property(lambda self: 1 / 0))
    app, calls = App("foreign"), []

    @app.activity(retry=Retry(max_attempts=2, initial="1s", give_up_on=(declined,)))
    async def charge(name: str) -> None:
        calls.append(name)
        raise {"declined": declined, "fatal": fatal, "slow down": slow_down, "odd": odd, "touchy": touchy}[name](name)

    @app.workflow
    async def main(ctx: Context, name: str) -> str:
        began = ctx.now()
        try:
            await ctx.run(charge, name)
        except ActivityError as error:
            return f"{error.type_name} after {(ctx.now() - began).total_seconds() // 60:g} min"
        return "charged"

    engine = await make.engine(app)
    for name, attempts, ended in (
        ("declined", 1, "some_other_library.CardDeclined after 0 min"),
        ("fatal", 1, "some_other_library.Fatal after 0 min"),
        ("odd", 2, "some_other_library.Odd after 0 min"),
        ("touchy", 2, "some_other_library.Touchy after 0 min"),
        ("slow down", 2, "some_other_library.SlowDown after 60 min"),
    ):
        run = await engine.start(main, name)
        await engine.advance("30s" if name != "slow down" else "1h")
        assert (await run.status(), calls.count(name)) == ("completed", attempts), name
        assert await run.result() == ended
