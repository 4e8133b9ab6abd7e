"""Runs from outside: starting twice, cancelling, terminating, suspending, crashing, what is refused, what is shown."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

from tests.suite.harness import Harness
from weft_core import (
    AlreadyExists,
    App,
    CheckpointError,
    Client,
    Context,
    NotDurable,
    RunCancelled,
    RunClosed,
    RunNotFound,
    RunTerminated,
    UnknownWorkflow,
)


async def raised(awaitable: Any, kind: type[BaseException]) -> BaseException:
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def order() -> tuple[App, list[str]]:
    app, log = App("orders"), []

    @app.activity
    async def note(what: str) -> str:
        log.append(what)
        return what

    @app.workflow
    async def order(ctx: Context, number: int) -> str:
        try:
            await ctx.run(note, f"reserve {number}")
            await ctx.wait_for_signal("paid")
            await ctx.run(note, "ship")
            return "shipped"
        except asyncio.CancelledError:
            await ctx.run(note, "release")
            raise

    return app, log


async def test_starting_an_id_twice_gives_the_same_run(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    first = await engine.start("order", 1, id="A")
    again = await engine.start("order", 1, id="A")
    assert first.id == again.id == "A"
    await raised(engine.start("order", 2, id="A"), AlreadyExists)
    await raised(engine.start("order", 1, id="A", if_exists="fail"), AlreadyExists)
    await engine.settle()
    assert log == ["reserve 1"]


async def test_a_closed_run_can_be_started_again_under_its_id(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    for number in (1, 2):
        run = await engine.start("order", number, id="A", if_exists="restart_if_closed")
        await run.signal("paid")
        assert await run.result() == "shipped"
    assert log == ["reserve 1", "ship", "reserve 2", "ship"]


async def test_cancelling_runs_handlers_that_wait_and_ends_as_cancelled(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1)
    await engine.settle()
    await run.cancel("changed my mind")
    error = await raised(run.result(), RunCancelled)
    assert "changed my mind" in str(error)
    assert log == ["reserve 1", "release"]
    assert await run.status() == "cancelled"


async def test_a_run_that_is_cancelled_before_it_began_never_begins(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1, start_after="1h")
    await engine.settle()
    await run.cancel()
    await raised(run.result(), RunCancelled)
    await engine.advance("2h")
    assert log == []


async def test_terminating_runs_nothing_more(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1)
    await engine.settle()
    await run.terminate("broken")
    await raised(run.result(), RunTerminated)
    assert log == ["reserve 1"]


async def test_an_ended_run_refuses_signals_and_says_so(make: Harness) -> None:
    app, _ = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1)
    await run.signal("paid")
    await run.result()
    await raised(run.signal("paid"), RunClosed)
    await raised(run.cancel(), RunClosed)
    await raised(engine.handle("nobody").signal("paid"), RunNotFound)
    await raised(engine.handle("nobody").status(), RunNotFound)
    await raised(engine.start("ordre", 1), UnknownWorkflow)


async def test_a_suspended_run_keeps_what_arrives_and_goes_on_later(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1)
    await engine.settle()
    await run.suspend()
    await engine.settle()
    await run.signal("paid")
    await engine.advance("1h")
    assert await run.status() == "suspended"
    assert log == ["reserve 1"]
    await run.resume()
    assert await run.result() == "shipped"


async def test_timers_of_a_suspended_run_fire_when_it_goes_on(make: Harness) -> None:
    app = App("suspended")

    @app.workflow
    async def nap(ctx: Context) -> str:
        await ctx.sleep("1h")
        return "awake"

    engine = await make.engine(app)
    run = await engine.start(nap)
    await engine.settle()
    await run.suspend()
    await engine.advance("5h")
    assert await run.status() == "suspended"
    await run.resume()
    assert await run.result() == "awake"


async def test_a_crash_at_any_moment_continues_at_the_line(make: Harness) -> None:
    app, log = App("crashing"), []

    @app.activity
    async def note(what: int) -> int:
        log.append(what)
        return what

    @app.workflow
    async def loop(ctx: Context) -> list[int]:
        seen = []
        for i, name in enumerate(["a", "b", "c"]):
            try:
                seen.append(await ctx.run(note, i))
                await ctx.sleep("1m")
                if name == "b":
                    raise KeyError(name)
            except KeyError:
                await ctx.sleep("1m")
                seen.append(-1)
        return seen

    engine = await make.engine(app)
    run = await engine.start(loop)
    for _ in range(10):
        await engine.settle()
        await engine.crash()
        await engine.advance("30s")
    assert await run.result() == [0, 1, -1, 2]
    assert log == [0, 1, 2]


async def test_a_crash_during_an_activity_makes_it_again_with_the_same_key(make: Harness) -> None:
    from weft_core import activity_info

    app, keys = App("again"), []

    @app.activity
    async def charge() -> str:
        keys.append(activity_info().key)
        if len(keys) == 1:
            await asyncio.Event().wait()
        return "paid"

    @app.workflow
    async def pay(ctx: Context) -> str:
        return await ctx.run(charge)

    engine = await make.engine(app)
    run = await engine.start(pay)
    while not keys:
        await asyncio.sleep(0)
    await engine.crash()
    assert await run.result() == "paid"
    assert len(keys) == 2 and len(set(keys)) == 1


async def test_a_local_that_cannot_be_stored_is_refused_before_the_side_effect(make: Harness) -> None:
    app, log = App("refused"), []

    @app.activity
    async def effect() -> None:
        log.append("effect")

    @app.workflow
    async def holds_a_generator(ctx: Context) -> Any:
        numbers = (i for i in range(3))
        await ctx.run(effect)
        return list(numbers)

    engine = await make.engine(app)
    run = await engine.start(holds_a_generator)
    error = await raised(run.result(), CheckpointError)
    assert "numbers" in str(error) and "generator" in str(error)
    assert log == []


async def test_awaiting_something_that_is_not_durable_is_refused_with_its_line(make: Harness) -> None:
    app = App("not-durable")

    @app.workflow
    async def naps(ctx: Context) -> None:
        await asyncio.sleep(1)

    engine = await make.engine(app)
    run = await engine.start(naps)
    error = await raised(run.result(), NotDurable)
    assert "test_life.py" in str(error) and "ctx.sleep" in str(error)


async def test_a_run_shows_its_line_and_variables_while_it_waits(make: Harness) -> None:
    app = App("shown")

    @app.workflow
    async def visible(ctx: Context) -> None:
        batch = [1, 2, 3]
        for number in batch:
            await ctx.sleep("1m")

    engine = await make.engine(app)
    run = await engine.start(visible)
    await engine.advance("90s")
    view = await run.inspect()
    frame = view.fibers[0].frames[-1]
    assert frame.source == 'await ctx.sleep("1m")'
    assert "number" not in frame.locals  # it is not read again: only what may still be read is stored
    assert view.fibers[0].waiting_for["op"] == "sleep"
    kinds = [entry["kind"] for entry in await run.history()]
    assert kinds[0] == "started" and "slept" in kinds


async def test_an_error_keeps_its_type_arguments_cause_and_traceback_text(make: Harness) -> None:
    app = App("failing")

    @app.workflow
    async def fails(ctx: Context) -> None:
        await ctx.sleep(1)
        try:
            int("x")
        except ValueError as error:
            raise LookupError("no such", 3) from error

    engine = await make.engine(app)
    run = await engine.start(fails)
    await engine.advance(2)
    error = await raised(run.result(), LookupError)
    assert error.args == ("no such", 3)
    assert isinstance(error.__cause__, ValueError)
    printed = "".join(traceback.format_exception(error))
    assert "in fails" in printed and "test_life.py" in printed
    assert not vars(error)


async def test_runs_are_listed_and_counted(make: Harness) -> None:
    app, _ = order()
    engine = await make.engine(app)
    for n in range(5):
        run = await engine.start("order", n, id=f"run/{n} é")
        if n < 2:
            await run.signal("paid")
            await run.result()
    await engine.settle()
    assert [info.id for info in await engine.list(status="completed")] == ["run/0 é", "run/1 é"]
    assert await engine.count(status="waiting") == 3
    assert len(await engine.list(limit=2)) == 2


async def test_an_unknown_workflow_leaves_its_run_alone_and_others_go_on(make: Harness) -> None:
    app, _ = order()
    engine = await make.engine(app)
    stranded = await engine.start("order", 1, id="stranded")
    await engine.settle()
    other = App("other")

    @other.workflow
    async def hello(ctx: Context) -> str:
        await ctx.sleep(1)
        return "hi"

    engine = await make.reopen(engine, other)
    await engine.handle("stranded").signal("paid")
    run = await engine.start(hello)
    await engine.advance(5)
    assert await run.result() == "hi"
    assert (await engine.handle("stranded").info()).problem is not None
    engine = await make.reopen(engine, app)
    assert await engine.handle(stranded.id).result() == "shipped"


async def test_a_run_of_an_unknown_workflow_that_never_began_can_be_cancelled(make: Harness) -> None:
    engine = await make.engine(order()[0])
    run = await Client(engine.store).start("gone", id="stranded", start_after="1h")
    await engine.settle()
    assert (await run.info()).problem is not None
    await run.cancel("nobody knows it")
    error = await raised(run.result(), RunCancelled)
    assert "nobody knows it" in str(error)
    assert [row.key for row in await engine.store.scan("", "~") if "stranded" in row.key] == ["run/stranded"]


async def test_cancelling_a_run_that_began_waits_for_who_knows_its_workflow(make: Harness) -> None:
    app, log = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1, id="stranded")
    await engine.settle()
    engine = await make.reopen(engine, App("other"))
    await engine.handle(run.id).cancel("enough")
    await engine.settle()
    assert await engine.handle(run.id).status() == "suspended"
    assert len(await engine.store.scan("inbox/", "inbox0")) == 1
    engine = await make.reopen(engine, app)
    assert "enough" in str(await raised(engine.handle(run.id).result(), RunCancelled))
    assert log == ["reserve 1", "release"]


async def test_timers_of_parked_runs_hide_no_other(make: Harness) -> None:
    from weft_core.engine import agenda
    from weft_core.store import keys
    from weft_core.store.port import Batch

    app = App("sleepers")

    @app.workflow
    async def sleeper(ctx: Context, hours: int) -> str:
        await ctx.sleep(f"{hours}h")
        return "awake"

    engine = await make.engine(app)
    for n in range(5):
        await engine.start(sleeper, 1, id=f"damaged-{n}")
    sound = [await engine.start(sleeper, 2, id=f"sound-{n}") for n in range(5)]
    await engine.settle()
    await engine._halt()
    await engine.store.release()
    await engine.store.commit(Batch(put={keys.fiber(f"damaged-{n}", "0"): "{" for n in range(5)}))
    engine = await make.reopen(engine, app)
    usual, agenda.DUE_SCAN_MAX = agenda.DUE_SCAN_MAX, 2
    try:
        await engine.advance("3h")
    finally:
        agenda.DUE_SCAN_MAX = usual
    assert [await engine.handle(run.id).result() for run in sound] == ["awake"] * 5
    assert [(await engine.handle(f"damaged-{n}").info()).status for n in range(5)] == ["suspended"] * 5


async def test_a_variable_that_looks_like_a_wait_is_none(make: Harness) -> None:
    app = App("lookalike")

    @app.workflow
    async def main(ctx: Context) -> object:
        row = {"wait": {"op": "run"}}
        await ctx.wait_for_signal("go", default=row, timeout="1d")
        return row

    engine = await make.engine(app)
    run = await engine.start(main)
    await engine.settle()
    assert await run.status() == "waiting"
    assert [info.id for info in await engine.list(status="waiting")] == [run.id]
    await run.signal("go")
    await run.result()


async def test_an_argument_that_cannot_be_stored_is_named(make: Harness) -> None:
    app = App("arguments")

    @app.activity
    async def charge(*args: object, **kwargs: object) -> None:
        pass

    @app.workflow
    async def main(ctx: Context, *args: object, **kwargs: object) -> list[str]:
        said = []
        for call in (
            lambda: ctx.run(charge, 1, {"to": open}),
            lambda: ctx.run(charge, 1, to=[2, open]),
        ):
            try:
                await call()
            except CheckpointError as error:
                said.append(error.variable)
        return said

    engine = await make.engine(app)
    error = await raised(engine.start(main, 1, object()), CheckpointError)
    assert str(error).startswith("main(argument 2) cannot be stored")
    error = await raised(engine.start(main, kwargs={"when": {"x": object()}}), CheckpointError)
    assert str(error).startswith("main(when)['x'] cannot be stored")
    assert await engine.list() == []
    run = await engine.start(main)
    assert await run.result() == ["charge(argument 2)['to']", "charge(to)[1]"]


async def test_a_forgotten_await_is_named(make: Harness) -> None:
    app = App("forgetful")

    @app.activity
    async def add(a: int, b: int) -> int:
        return a + b

    @app.workflow
    async def forgetful(ctx: Context) -> int:
        total = ctx.run(add, 1, 2)
        await ctx.sleep(1)
        return total  # type: ignore[return-value]

    engine = await make.engine(app)
    error = await raised((await engine.start("forgetful")).result(), CheckpointError)
    assert "write `await` in front of it" in str(error)
