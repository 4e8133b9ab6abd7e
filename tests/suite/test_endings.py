"""How branches, tasks and runs end: what they did to the public state counts, nothing waits for what is gone, nothing is
received twice or lost."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness, cases, raises
from weft_core import App, Context, Retry, RunFailed
from weft_core.errors import Cancelled


def endings() -> App:
    app = App("endings")

    @app.activity(retry=Retry(max_attempts=1))
    async def note(what: Any) -> Any:
        if what == "fail":
            raise ValueError("failed")
        return what

    @app.resumable
    async def tells(ctx: Context, name: str, ending: str) -> str:
        await ctx.run(note, name)
        ctx.state[name] = "done"
        if ending == "raise":
            raise ValueError(name)
        return name

    @app.resumable
    async def cleans(ctx: Context) -> None:
        try:
            await ctx.sleep("1h")
        finally:
            await ctx.sleep("1s")
            await ctx.run(note, "cleaned")

    @app.workflow
    async def branches_tell(ctx: Context) -> Any:
        outcomes = await ctx.settled(tells(ctx, "a", "return"), tells(ctx, "b", "raise"), ctx.wait_for_signal("go"))
        return [o.ok for o in outcomes], dict(ctx.state)

    @app.workflow
    async def tells_and_fails(ctx: Context) -> None:
        ctx.state["phase"] = "began"
        await ctx.run(note, 1)
        ctx.state["phase"] = "rejected"
        raise ValueError("no")

    @app.workflow
    async def stopped_with_a_limit(ctx: Context) -> str:
        try:
            await ctx.all(cleans(ctx), ctx.run(note, "fail"), ctx.run(note, 3), ctx.run(note, 4), limit=2)
        except ValueError as error:
            return str(error)
        return "?"

    @app.workflow
    async def waits_with_a_limit(ctx: Context) -> None:
        await ctx.settled(cleans(ctx), cleans(ctx), ctx.run(note, 3), ctx.run(note, 4), limit=2)

    @app.workflow
    async def races_for_signals(ctx: Context, names: list[str]) -> list[Any]:
        first = await ctx.race(*[ctx.wait_for_signal(name) for name in names])
        return [first, await ctx.wait_for_signal(names[-1], timeout="1h", default="lost")]

    @app.workflow
    async def gathers_signals(ctx: Context, n: int) -> list[Any]:
        return await ctx.all(*[ctx.wait_for_signal("s") for _ in range(n)])

    @app.workflow
    async def cancels_before_it_begins(ctx: Context) -> str:
        task = ctx.start(ctx.all(ctx.run(note, 1), ctx.race(ctx.sleep("1d"), ctx.sleep("2d"))))
        task.cancel()
        return "done"

    @app.workflow
    async def awaits_again(ctx: Context) -> list[Any]:
        task, other = ctx.start(ctx.run(note, "t")), ctx.start(ctx.run(note, "o"))
        first = await task
        both = await ctx.all(task, ctx.run(note, "x"))
        won = await ctx.race(task, ctx.sleep("1d"))
        settled = await ctx.settled(task, other)
        return [first, both, won, [o.value for o in settled], await other]

    @app.resumable
    async def awaits(ctx: Context, task: Any) -> Any:
        return await task

    @app.workflow
    async def lends(ctx: Context) -> list[Any]:
        task = ctx.start(ctx.run(note, "t"))
        lent = await ctx.all(awaits(ctx, task), awaits(ctx, task))
        await ctx.sleep("1m")
        return [*lent, await task]

    @app.workflow
    async def in_time(ctx: Context) -> str:
        task = ctx.start(ctx.sleep("1d"))
        try:
            async with ctx.timeout("1m"):
                await task
        except TimeoutError:
            pass
        await ctx.sleep("1m")
        try:
            await task
        except Cancelled as error:
            return f"cancelled: {error}"
        return "?"

    @app.workflow
    async def fails_by_cancelling(ctx: Context) -> None:
        task = ctx.start(ctx.sleep("1h"))
        await ctx.sleep(0)
        task.cancel("not wanted")
        await task

    @app.workflow
    async def leaves(ctx: Context, how: str) -> Any:
        await ctx.sleep(1)
        if how == "workflow":
            raise SystemExit(3)
        if how == "generator":
            raise GeneratorExit
        return await ctx.run(leaving)

    @app.activity(retry=Retry(max_attempts=2, initial="1s"))
    async def leaving() -> None:
        raise SystemExit("bye")

    return app


async def test_what_a_branch_did_to_the_state_is_stored_with_its_end(make: Harness) -> None:
    engine = await make.engine(endings())
    run = await engine.start("branches_tell", id="r")
    await engine.settle()
    assert await run.state() == {"a": "done", "b": "done"}
    await engine.crash()
    await engine.handle("r").signal("go")
    assert await engine.handle("r").result() == ([True, False, True], {"a": "done", "b": "done"})


async def test_what_a_run_did_to_its_state_before_it_failed_is_stored(make: Harness) -> None:
    engine = await make.engine(endings())
    run = await engine.start("tells_and_fails")
    with raises(ValueError, match="no"):
        await run.result()
    assert await run.state() == {"phase": "rejected"}


@cases("crash", (False,), (True,))
async def test_a_join_with_a_limit_that_was_stopped_completes_after_a_restart(make: Harness, crash: bool) -> None:
    engine = await make.engine(endings())
    await engine.start("stopped_with_a_limit", id="r")
    await engine.start("waits_with_a_limit", id="w")
    await engine.settle()
    await engine.handle("w").cancel("enough")
    await engine.settle()
    if crash:
        await engine.crash()
    await engine.advance("5s")
    assert await engine.handle("r").result() == "failed"
    with raises(RunFailed, match="enough"):
        await engine.handle("w").result()


@cases(
    "names buffered",
    (["a", "b"], "before the race"),
    (["s", "s"], "before the race"),
    (["a", "b"], "in one round"),
    (["s", "s"], "in one round"),
)
async def test_the_loser_of_a_race_for_signals_consumes_nothing(make: Harness, names: list[str], buffered: str) -> None:
    engine = await make.engine(endings())
    if buffered == "in one round":
        await engine.start("races_for_signals", names, id="r")
        await engine.settle()
        await engine._halt()
    else:
        await engine._halt()
        await engine.start("races_for_signals", names, id="r")
    for n, name in enumerate(names):
        await engine.handle("r").signal(name, n)
    engine = await make.reopen(engine, endings())
    await engine.advance("2h")
    assert await engine.handle("r").result() == [0, 1]


async def test_many_buffered_signals_are_given_in_order(make: Harness) -> None:
    engine = await make.engine(endings())
    await engine._halt()
    run = await engine.start("gathers_signals", 50, id="r")
    for n in range(50):
        await run.signal("s", n)
    engine = await make.reopen(engine, endings())
    assert await engine.handle("r").result() == list(range(50))


async def test_a_task_that_is_cancelled_before_it_begins_keeps_nothing_open(make: Harness) -> None:
    engine = await make.engine(endings())
    assert await (await engine.start("cancels_before_it_begins")).result() == "done"


@cases(
    "workflow result",
    ("awaits_again", ["t", ["t", "x"], "t", ["t", "o"], "o"]),
    ("lends", ["t", "t", "t"]),
    ("in_time", "cancelled: ctx.timeout is over"),
)
async def test_a_task_may_be_awaited_again_by_whoever_has_it(make: Harness, workflow: str, result: Any) -> None:
    engine = await make.engine(endings())
    run = await engine.start(workflow)
    await engine.advance("1h")
    assert await run.result() == result


async def test_a_failed_run_never_looks_like_the_callers_own_cancellation(make: Harness) -> None:
    engine = await make.engine(endings())
    run = await engine.start("fails_by_cancelling")
    await engine.advance("1m")
    with raises(RunFailed, match="not wanted") as caught:
        await run.result()
    assert isinstance(caught.value.__cause__, Cancelled)


@cases("how name", ("workflow", "SystemExit"), ("generator", "GeneratorExit"), ("activity", "SystemExit"))
async def test_leaving_ends_the_run_and_not_the_engine(make: Harness, how: str, name: str) -> None:
    engine = await make.engine(endings())
    run = await engine.start("leaves", how)
    await engine.advance("1m")
    with raises(RunFailed, match=name):
        await run.result()
    if how == "activity":
        kinds = [entry["kind"] for entry in await run.history()]
        assert "activity_retried" in kinds and "activity_failed" in kinds
    assert await (await engine.start("cancels_before_it_begins")).result() == "done"


async def test_what_arrives_together_with_the_end_of_a_run_does_not_change_it(make: Harness) -> None:
    app = App("ended-first")

    @app.workflow
    async def main(ctx: Context) -> Any:
        return await ctx.wait_for_signal("go")

    engine = await make.engine(app)
    run = await engine.start(main)
    await engine.settle()
    await engine._halt()
    for act in (lambda: run.signal("go", 1), run.suspend, run.terminate, run.cancel):
        await act()
    engine = await make.reopen(engine, app)
    await engine.settle()
    run = engine.handle(run.id)
    assert await run.status() == "completed"
    assert await run.result() == 1
    assert [entry["kind"] for entry in await run.history()] == ["started", "signal_received", "completed"]
