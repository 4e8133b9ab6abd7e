"""What cannot be resumable is refused with file, line, construct and remedy: at the decorator, else at the `await`."""

from __future__ import annotations

import asyncio
import gc
import linecache
from typing import Any

import pytest

from weft_core.errors import NotDurable, UnsupportedConstruct
from weft_core.resume import Operation, capture, compile_unit, drop, restore

REFUSED = {
    "nested async def": "    async def inner():\n        pass\n    await x\n",
    "async generator": "    await x\n    yield 1\n",
    "async generator expression": "    return list(await y for y in x)\n",
    "exec": "    exec('a = 1')\n    await x\n",
    "eval": "    await x\n    return eval('x')\n",
    "locals": "    await x\n    return locals()\n",
}


def define(source: str, **names: Any) -> Any:
    filename = f"<test {abs(hash(source))}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope = dict(names)
    exec(compile(source, filename, "exec"), scope)
    return scope["f"]


@pytest.mark.parametrize("construct", REFUSED)
def test_refused_at_the_decorator(construct: str) -> None:
    function = define("async def f(x):\n" + REFUSED[construct])
    with pytest.raises(UnsupportedConstruct) as caught:
        compile_unit(function)
    assert caught.value.line in (2, 3)
    assert caught.value.filename.startswith("<test")
    assert caught.value.remedy
    assert "f" in str(caught.value)


def test_without_source() -> None:
    scope: dict[str, Any] = {}
    exec("async def f():\n    pass\n", scope)
    with pytest.raises(UnsupportedConstruct, match="source"):
        compile_unit(scope["f"])


async def sleeper() -> None:
    before = 1
    await asyncio.sleep(before)


def test_a_foreign_awaitable_is_refused_at_the_await() -> None:
    async def main() -> None:
        coroutine = compile_unit(sleeper)()
        coroutine.send(None)
        with pytest.raises(NotDurable, match="sleep") as caught:
            capture(coroutine)
        assert caught.value.filename == __file__
        assert caught.value.line == sleeper.__code__.co_firstlineno + 2
        drop(coroutine)

    asyncio.run(main())


class Client:
    """Something that cannot be stored."""


RAN: list[str] = []


async def guarded() -> None:
    try:
        try:
            await Operation()
        except BaseException:
            RAN.append("except")
            raise
    finally:
        RAN.append("finally")
        await Operation()


def test_being_forgotten_runs_no_user_code() -> None:
    RAN.clear()
    unit = compile_unit(guarded)
    coroutine = unit()
    coroutine.send(None)
    images = capture(coroutine)
    del coroutine  # by reference count
    cyclic: list[Any] = [restore(images)]
    cyclic.append(cyclic)
    del cyclic
    gc.collect()
    assert RAN == []


async def reconnecting(times: int) -> int:
    total = 0
    for _ in range(times):
        client = Client()
        total += id(client) > 0
        await Operation()
    return total


async def connected_late(times: int) -> int:
    client = Client()
    if times > 1:
        await Operation()
        client = Client()  # noqa: F841 - rebinding it is the point
    await Operation()
    return 1


@pytest.mark.parametrize("function", [reconnecting, connected_late])
def test_what_is_rebound_before_it_is_read_is_not_stored(function: Any) -> None:
    unit = compile_unit(function)
    assert all("client" not in point.live for point in unit.points)
    coroutine = unit(3)
    coroutine.send(None)
    while True:
        images = capture(coroutine)
        assert not any(isinstance(value, Client) for image in images for value in image.locals.values())
        coroutine = restore(images)
        try:
            coroutine.send(None)
        except StopIteration:
            return


async def reads_too_early(x: Any) -> Any:
    return [[1, 2][z : (await x)] for y in [1] if [1][z : (await x)] for z in [1]]  # noqa: F821


def test_an_unbound_comprehension_target_is_noticed_before_the_await_after_it() -> None:
    """Found by program 1188: it was noticed only when the operation had been done."""
    coroutine = compile_unit(reads_too_early)(Operation())
    with pytest.raises(NameError):
        coroutine.send(None)
