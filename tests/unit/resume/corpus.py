"""Functions whose points, live names and nested codes must be the same on every Python version."""

from __future__ import annotations

import math
from typing import Any

from weft_core.resume import Operation


class Op(Operation[Any]):
    """Answered with whatever the driver likes."""

    __slots__ = ("value",)

    def __init__(self, value: Any = None) -> None:
        self.value = value


async def loops(items: list[int]) -> list[int]:
    out = []
    for i, x in enumerate(items):
        while x > 0:
            x -= await Op(i)
        else:
            out.append(await Op(x))
    return out


async def handlers(n: int) -> Any:
    total = 0
    try:
        total += await Op(n)
    except (ValueError, KeyError) as error:
        total -= await Op(str(error))
        raise
    else:
        await Op("else")
    finally:
        await Op("finally")
    return total


async def blocks(a: Any, b: Any) -> Any:
    async with a as one, b:
        async for step in one:
            await Op(step)
    with a:
        await Op("inside")
    match await Op("subject"):
        case {"k": v, **rest} if await Op(v):
            return await Op(rest)
        case [first, *others]:
            await Op(others)
            return first
    return None


async def comprehensions(xs: list[int]) -> Any:
    keyed = {await Op(k): v for k, v in enumerate(xs) if k}
    chosen = [y for x in xs if await Op(x) for y in range(x)]
    return keyed, {await Op(c) for c in chosen}, sum(x for x in await Op("first"))


async def closures(n: int, *rest: int, scale: int = 2) -> Any:
    total = 0

    def add(k: int, by: Any = lambda v: v * 2) -> int:
        nonlocal total
        total += by(k)
        return total

    helper = (lambda q: q + n)(await Op("lambda")), [lambda: x for x in rest]  # noqa: B023
    await Op(add(n))
    return add(scale), helper[0], f"{total:{await Op('width')}}"


async def operands(o: Any, i: int) -> Any:
    o[await Op("a")].b += await Op("b")
    x = o.f(i, *[1], k=await Op("c")) if i < await Op("d") < 9 else math.sqrt(await Op("e"))
    assert x and await Op("f"), await Op("g")
    return [x, *o.xs, await Op("h")]


async def groups() -> Any:
    try:
        await Op("try")
    except* ValueError as group:
        await Op(len(group.exceptions))
    except* OSError:
        pass


CORPUS = [loops, handlers, blocks, comprehensions, closures, operands, groups]
