"""What variables hold that is large: cycles, shared parts and parts of `ctx.state` are what they were, also after a restart."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.suite.harness import Harness, cases
from weft_core import App, Context

app = App("large_values")
PAD = ["y" * 50] * 600


@app.activity
async def same(x: Any) -> Any:
    return x


@dataclass(eq=False)
class Node:
    name: str
    parent: Node | None = None
    kids: list[Node] = field(default_factory=list)


def tree(depth: int, parent: Node | None = None) -> Node:
    node = Node("n" * 100, parent)
    node.kids = [tree(depth - 1, node) for _ in range(3)] if depth else []
    return node


@app.workflow
async def children_know_their_parent(ctx: Context) -> Any:
    root = tree(4)
    kid = root.kids[1].kids[2]
    await ctx.run(same, 0)
    kid.name = "renamed"
    await ctx.run(same, 0)
    await ctx.run(same, 0)
    return kid.parent is root.kids[1] and root.kids[1].kids[2].name == "renamed" and root.kids[0].parent is root


@app.workflow
async def two_ways_at_every_level(ctx: Context) -> Any:
    deep: list[Any] = ["y" * 17_000]
    for _ in range(24):
        deep = [deep, deep]
    await ctx.run(same, 0)
    await ctx.run(same, 0)
    return deep[0] is deep[1] and deep[0][1] is deep[1][0]


@app.workflow
async def a_ring(ctx: Context) -> Any:
    one: dict[str, Any] = {"text": "z" * 20_000}
    other: dict[str, Any] = {"of": one, "next": one}
    one["next"] = one["of"] = other
    await ctx.run(same, 0)
    await ctx.run(same, 0)
    return one["next"] is one["of"] is other and other["next"] is one


@app.workflow
async def holds_what_moves_in_the_state(ctx: Context) -> Any:
    ctx.state["items"] = [[0], [1], [2], [3]]
    hold = [*PAD, ctx.state["items"][2]]
    await ctx.run(same, 0)
    ctx.state["items"].pop(0)
    await ctx.run(same, 0)
    await ctx.run(same, 0)
    return hold[-1] == [2] and hold[-1] is ctx.state["items"][1]


@app.workflow
async def holds_what_left_the_state(ctx: Context) -> Any:
    ctx.state["items"] = [[0], [1]]
    hold = [*PAD, ctx.state["items"][1]]
    await ctx.run(same, 0)
    ctx.state["items"].clear()
    await ctx.run(same, 0)
    await ctx.run(same, 0)
    return hold[-1] == [1]


@app.workflow
async def becomes_a_part_of_the_state(ctx: Context) -> Any:
    big: list[Any] = [*PAD, [1]]
    await ctx.run(same, 0)
    ctx.state["big"] = big
    await ctx.run(same, 0)
    big.append(2)
    await ctx.run(same, 0)
    return ctx.state["big"] is big and big[-2:] == [[1], 2]


@app.workflow
async def a_part_of_it_becomes_one_of_the_state(ctx: Context) -> Any:
    big: list[Any] = [*PAD, [1]]
    await ctx.run(same, 0)
    ctx.state["last"] = big[-1]
    await ctx.run(same, 0)
    big[-1].append(2)
    await ctx.run(same, 0)
    return ctx.state["last"] is big[-1] and big[-1] == [1, 2]


@app.workflow
async def holds_all_of_the_state(ctx: Context) -> Any:
    big: list[Any] = [*PAD, ctx.state]
    await ctx.run(same, 0)
    ctx.state["part"] = [1]
    await ctx.run(same, 0)
    big[-1]["part"].append(2)
    await ctx.run(same, 0)
    return big[-1] is ctx.state and ctx.state == {"part": [1, 2]}


@cases(
    "workflow",
    (children_know_their_parent,),
    (two_ways_at_every_level,),
    (a_ring,),
    (holds_what_moves_in_the_state,),
    (holds_what_left_the_state,),
    (becomes_a_part_of_the_state,),
    (a_part_of_it_becomes_one_of_the_state,),
    (holds_all_of_the_state,),
)
async def test_large_data_is_what_it_was(make: Harness, workflow: Any) -> None:
    engine = await make.engine(app)
    assert await (await engine.start(workflow)).result() is True


def containers(*roots: Any) -> list[Any]:
    """Every list and dict inside, in the order they are met."""
    found: list[Any] = []
    waiting = list(roots)
    while waiting:
        x = waiting.pop()
        if isinstance(x, (list, dict)) and not any(x is other for other in found):
            found.append(x)
            waiting.extend(x.values() if isinstance(x, dict) else x)
    return found


def shape(*roots: Any) -> list[str]:
    """What stands where: containers by the order they are met, so that what is one thing is told from its copies."""
    found = containers(*roots)
    at = {id(x): n for n, x in enumerate(found)}
    return [
        repr([(k, at.get(id(v), v)) for k, v in (x.items() if isinstance(x, dict) else enumerate(x))]) for x in found
    ]


def stir(held: dict[str, Any], state: dict[str, Any], kind: int, a: int, b: int) -> None:
    """One step of a random program."""
    parts = containers(held, state)
    x, y = parts[a % len(parts)], parts[b % len(parts)]
    new: Any
    match kind:
        case 0 | 1 | 2:
            new = y if y is not state and y is not held else b
        case 3:
            new = ["p" * (100 + b % 100) for _ in range(200)]
        case 4:
            new = [{"i": i, "pad": "q" * 60} for i in range(a % 3, 200)]
        case 5:
            new = "t" * (17_000 + b)
        case 6:
            new = [b]
        case 7 | 8 if x:
            if isinstance(x, dict):
                del x[list(x)[b % len(x)]]
            else:
                del x[b % len(x)]
            return
        case 9 if x is not state and x is not held:
            state[f"s{b % 3}"] = x
            return
        case 10 if x is not state and x is not held:
            held[f"h{b % 4}"] = x
            return
        case _:
            x.clear()
            return
    if isinstance(x, dict):
        x[f"k{b % 5}"] = new
    else:
        x.insert(b % (len(x) + 1), new)


@app.workflow
async def stirs(ctx: Context, program: list[list[int]]) -> list[str]:
    held: dict[str, Any] = {"h0": [*PAD]}
    for line in program:
        stir(held, ctx.state, *line)
        h0, h1 = held.get("h0"), held.get("h1")
        await ctx.run(same, 0)
        assert h0 is held.get("h0") and h1 is held.get("h1")
    return shape(held, ctx.state)


@cases("seed", *((seed,) for seed in range(12)))
async def test_any_program_over_large_data_and_the_state(make: Harness, seed: int) -> None:
    chance = random.Random(seed)
    program = [[chance.randrange(12), chance.randrange(1_000), chance.randrange(1_000)] for _ in range(16)]
    held: dict[str, Any] = {"h0": [*PAD]}
    state: dict[str, Any] = {}
    for line in program:
        stir(held, state, *line)
    engine = await make.engine(app)
    assert await (await engine.start(stirs, program)).result() == shape(held, state)
