"""`ctx.state` is one object with what the workflow's variables hold of it, also after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.suite.harness import Harness, cases, raises
from weft_core import App, Context

app = App("public_state")


@dataclass
class Order:
    items: list[int] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@app.activity
async def same(x: Any) -> Any:
    return x


@app.workflow
async def variables_are_parts(ctx: Context) -> Any:
    items = ctx.state.setdefault("items", [])
    order = ctx.state["order"] = Order()
    inner, notes = order.items, order.notes
    ctx.state["deep"] = {"a": [{"b": []}], "t": ([],)}
    b, in_tuple = ctx.state["deep"]["a"][0]["b"], ctx.state["deep"]["t"][0]
    for i in range(3):
        items.append(await ctx.run(same, i))
        order.items.append(i)
        inner.append(await ctx.run(same, i * 10))
        notes[str(i)] = items
        b.append(i)
        in_tuple.append(i)
    same_parts = [items is ctx.state["items"], order is ctx.state["order"], notes["1"] is items, inner is order.items]
    return [same_parts, items, inner, b, in_tuple]


@app.workflow
async def empties_it(ctx: Context) -> Any:
    mine = ctx.state["items"] = [1]
    await ctx.run(same, 0)
    ctx.state.clear()
    await ctx.sleep("1m")
    mine.append(2)
    return [mine, dict(ctx.state)]


@app.workflow
async def iterates_over_it(ctx: Context) -> list[int]:
    ctx.state["todo"] = [1, 2]
    done = []
    for x in ctx.state["todo"]:
        done.append(await ctx.run(same, x))
        if x < 5:
            ctx.state["todo"].append(x + 2)
    return done


@app.resumable
async def holds(ctx: Context) -> list[Any]:
    mine = ctx.state["list"]
    other = await ctx.wait_for_signal("go")
    mine.append(other)
    return [mine, ctx.state["list"], mine is ctx.state["list"]]


@app.resumable
async def replaces(ctx: Context) -> None:
    await ctx.sleep("1m")
    ctx.state["list"] = []
    await ctx.sleep("1m")
    ctx.state["list"].append("new")


@app.workflow
async def held_and_replaced(ctx: Context) -> Any:
    ctx.state["list"] = ["old"]
    return (await ctx.all(holds(ctx), replaces(ctx)))[0]


@app.resumable
async def given(ctx: Context, part: list[int]) -> bool:
    part.append(2)
    await ctx.run(same, 1)
    return part is ctx.state["list"]


@app.workflow
async def arguments_are_copies(ctx: Context) -> Any:
    ctx.state["list"] = [1]
    part = ctx.state["list"]
    await ctx.run(same, 0)
    return [await ctx.all(given(ctx, part), given(ctx, part)), part, ctx.state["list"]]


@app.workflow
async def replaces_it_all(ctx: Context) -> None:
    ctx.state = {"a": 1}  # type: ignore[misc]


@cases(
    "workflow result",
    (variables_are_parts, [[True] * 4, [0, 1, 2], [0, 0, 1, 10, 2, 20], [0, 1, 2], [0, 1, 2]]),
    (iterates_over_it, [1, 2, 3, 4, 5, 6]),
    (arguments_are_copies, [[False, False], [1], [1]]),
)
async def test_a_variable_that_is_a_part_of_the_state_stays_one(make: Harness, workflow: Any, result: Any) -> None:
    engine = await make.engine(app)
    run = await engine.start(workflow)
    assert await run.result() == result


async def test_a_part_that_another_branch_has_replaced_stays_with_who_holds_it(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(held_and_replaced, id="r")
    await engine.advance("90s")
    await engine.crash()
    await engine.advance("1h")
    await engine.handle(run.id).signal("go", "x")
    assert await engine.handle(run.id).result() == [["old", "x"], ["new"], False]
    assert await engine.handle(run.id).state() == {"list": ["new"]}


async def test_a_part_of_a_state_that_was_emptied_stays_with_who_holds_it(make: Harness) -> None:
    engine = await make.engine(app)
    await engine.start(empties_it, id="r")
    await engine.settle()
    await engine.crash()
    await engine.advance("1m")
    assert await engine.handle("r").result() == [[1, 2], {}]


async def test_the_state_cannot_be_replaced_unseen(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(replaces_it_all)
    with raises(AttributeError, match=r"ctx\.state cannot be replaced"):
        await run.result()
