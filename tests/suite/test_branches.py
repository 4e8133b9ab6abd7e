"""Branches side by side: all, settled, race, map, background tasks; their errors and cancellation."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness
from weft_core import App, Context, Retry


def branching() -> tuple[App, list[Any]]:
    app, log = App("branching"), []

    @app.activity(retry=Retry(max_attempts=1))
    async def note(what: Any) -> Any:
        log.append(what)
        if what == "fail":
            raise ValueError("failed")
        return what

    @app.resumable
    async def slow(ctx: Context, seconds: int, value: Any) -> Any:
        try:
            await ctx.sleep(seconds)
            return await ctx.run("note", value)
        finally:
            await ctx.run("note", f"end {value}")

    @app.workflow
    async def all_of(ctx: Context) -> list[Any]:
        return await ctx.all(slow(ctx, 30, "a"), ctx.run("note", "b"), slow(ctx, 10, "c"), ctx.sleep(5))

    @app.workflow
    async def first_error(ctx: Context) -> Any:
        try:
            await ctx.all(slow(ctx, 30, "a"), slow(ctx, 10, "fail"), slow(ctx, 60, "c"))
        except ValueError as error:
            return str(error)

    @app.workflow
    async def racing(ctx: Context) -> Any:
        winner = await ctx.race(slow(ctx, 30, "tortoise"), slow(ctx, 10, "hare"), ctx.wait_for_signal("never"))
        await ctx.sleep(100)
        return winner

    @app.workflow
    async def each_settled(ctx: Context) -> Any:
        outcomes = await ctx.settled(ctx.run("note", 1), ctx.run("note", "fail"), slow(ctx, 5, 3))
        return [(o.ok, o.value, None if o.error is None else str(o.error)) for o in outcomes]

    @app.workflow
    async def mapped(ctx: Context, n: int, limit: int | None) -> list[Any]:
        return await ctx.map("note", range(n), limit=limit)

    @app.resumable
    async def square(ctx: Context, x: int) -> int:
        await ctx.sleep(10)
        return x * x

    @app.workflow
    async def mapped_calls(ctx: Context) -> Any:
        before = ctx.now()
        squares = await ctx.map(square, [1, 2, 3, 4, 5], limit=2)
        return [squares, (ctx.now() - before).total_seconds()]

    @app.workflow
    async def background(ctx: Context) -> Any:
        task = ctx.start(slow(ctx, 60, "bg"))
        await ctx.sleep(10)
        early = task.done
        result = await task
        return [early, result, task.done, await task]

    @app.workflow
    async def abandoned(ctx: Context) -> str:
        ctx.start(slow(ctx, 600, "bg"))
        await ctx.sleep(10)
        return "left"

    @app.workflow
    async def cancelled_task(ctx: Context) -> Any:
        task = ctx.start(slow(ctx, 600, "bg"))
        await ctx.sleep(10)
        task.cancel()
        try:
            await task
        except BaseException as error:
            return type(error).__name__

    @app.workflow
    async def nested(ctx: Context) -> Any:
        return await ctx.all(
            ctx.all(ctx.run("note", 1), ctx.run("note", 2)), ctx.race(ctx.sleep(1), ctx.run("note", 3)), ctx.all()
        )

    @app.workflow
    async def limited(ctx: Context) -> Any:
        before = ctx.now()
        await ctx.all(*[ctx.sleep(10) for _ in range(5)], limit=2)
        return (ctx.now() - before).total_seconds()

    return app, log


async def run(make: Harness, name: str, *args: Any, advance: str = "10m") -> tuple[Any, list[Any]]:
    app, log = branching()
    engine = await make.engine(app)
    handle = await engine.start(name, *args)
    await engine.advance(advance)
    result = await handle.result()
    # A finished run leaves no fibers, timers, values or inbox behind.
    for prefix in ("fiber", "timer", "value", "inbox", "ready"):
        rows = await engine.store.scan(f"{prefix}/", f"{prefix}0")
        assert rows == [], rows
    return result, log


async def test_all_gives_results_in_order(make: Harness) -> None:
    result, log = await run(make, "all_of")
    assert result == ["a", "b", "c", None]
    assert log == ["b", "c", "end c", "a", "end a"]


async def test_the_first_error_cancels_the_rest_and_their_finally_runs(make: Harness) -> None:
    result, log = await run(make, "first_error")
    assert result == "failed"
    assert log[:2] == ["fail", "end fail"]
    assert sorted(log[2:]) == ["end a", "end c"]


async def test_a_race_has_one_winner_and_the_losers_are_cancelled(make: Harness) -> None:
    result, log = await run(make, "racing")
    assert result == "hare"
    assert log == ["hare", "end hare", "end tortoise"]


async def test_settled_never_raises(make: Harness) -> None:
    result, _ = await run(make, "each_settled")
    assert [list(row) for row in result] == [[True, 1, None], [False, None, "failed"], [True, 3, None]]


async def test_map_keeps_the_order_with_and_without_a_limit(make: Harness) -> None:
    for limit in (None, 3):
        result, log = await run(make, "mapped", 25, limit)
        assert result == list(range(25))
        assert sorted(log) == list(range(25))


async def test_map_over_a_resumable_function_respects_its_limit(make: Harness) -> None:
    result, _ = await run(make, "mapped_calls")
    assert result == [[1, 4, 9, 16, 25], 30.0]


async def test_a_background_branch_goes_on_and_can_be_awaited_twice(make: Harness) -> None:
    result, log = await run(make, "background")
    assert result == [False, "bg", True, "bg"]
    assert log == ["bg", "end bg"]


async def test_a_background_branch_ends_with_the_run(make: Harness) -> None:
    result, log = await run(make, "abandoned")
    assert result == "left"
    assert log == ["end bg"]


async def test_a_background_branch_can_be_cancelled(make: Harness) -> None:
    result, log = await run(make, "cancelled_task")
    assert result == "Cancelled"
    assert log == ["end bg"]


async def test_branches_nest(make: Harness) -> None:
    result, _ = await run(make, "nested")
    assert result == [[1, 2], 3, []]


async def test_all_respects_its_limit(make: Harness) -> None:
    result, _ = await run(make, "limited")
    assert result == 30.0


async def test_branches_begin_in_order_so_the_same_one_wins_everywhere(make: Harness) -> None:
    app, began = App("order"), list[str]()

    @app.activity
    async def go(name: str) -> str:
        began.append(name)
        return name

    @app.workflow
    async def main(ctx: Context) -> list[Any]:
        names = [f"{letter}{n}" for n in range(6) for letter in "zya"]
        return [await ctx.map(go, names), await ctx.race(*(ctx.run(go, name) for name in names))]

    engine = await make.engine(app)
    run = await engine.start(main)
    names = [f"{letter}{n}" for n in range(6) for letter in "zya"]
    assert await run.result() == [names, "z0"]
    assert began[: len(names)] == names


async def test_a_function_that_takes_something_else_than_an_item_is_refused_where_it_is_given(make: Harness) -> None:
    app = App("arity")

    @app.resumable
    async def both(ctx: Context, one: int, other: int) -> int:
        return one + other

    @app.workflow
    async def main(ctx: Context) -> Any:
        try:
            return await ctx.map(both, [1, 2])
        except TypeError as error:
            return [str(error), await ctx.map(both, [])]

    engine = await make.engine(app)
    run = await engine.start(main)
    await engine.settle()
    assert await run.status() == "completed"
    told, nothing = await run.result()
    assert "other" in told and nothing == []
