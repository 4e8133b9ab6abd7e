"""What can be called: by reference, bound, partial, nested in a workflow, called but not begun."""

from __future__ import annotations

import datetime as dt
import functools
import pathlib
import re
import threading
import zoneinfo
from typing import Any

import pytest

from tests.unit.values import support
from tests.unit.values.support import Fiber, Order, codec, helper
from weft_core import App
from weft_core.errors import CheckpointError, DecodeError
from weft_core.resume import Operation, capture, compile_unit, drop, restore
from weft_core.resume.values import FiberEncoder, ValueCodec

CODEC = codec()


class Wait(Operation):
    __slots__ = ()


def again(value: Any) -> Any:
    return CODEC.decode(CODEC.encode(value))


def test_by_reference() -> None:
    for value in (len, sorted, int, str.upper, helper, support.double, Order, Order.tax, dict):
        assert again(value) is value


def test_bound_methods_keep_their_object() -> None:
    items: list[int] = []
    order = Order(1, [2, 3])
    found = again({"items": items, "append": items.append, "order": order, "total": order.total, "join": ", ".join})
    found["append"](5)
    assert found["items"] == [5]
    found["order"].lines.append(4)
    assert found["total"]() == 9
    assert found["join"](["a", "b"]) == "a, b"
    assert again(Order.empty)() == Order(0)
    assert again({}.fromkeys)([1]) == {1: None}


def test_partials() -> None:
    items = [1]
    made = functools.partial(helper, 3)
    assert again(made)() == 4
    found = again([items, functools.partial(sorted, items, reverse=True)])
    found[0].append(2)
    assert found[1]() == [2, 1]


def test_partials_keep_what_was_said_of_them() -> None:
    made = functools.update_wrapper(functools.partial(helper, 3), helper)
    found = again(made)
    assert (found.__name__, found.__doc__, found()) == (helper.__name__, helper.__doc__, 4)


def test_methods_of_patterns() -> None:
    found = again(re.compile("a+").match)
    assert found("aab")[0] == "aa"


def test_methods_that_change_nothing_outside_are_named() -> None:
    error, items = ValueError("x"), [3, 1]
    found = again({"error": error, "note": error.add_note, "items": items, "get": items.__getitem__})
    found["note"]("y")
    assert found["error"].__notes__ == ["y"]
    found["items"].insert(0, 7)
    assert found["get"](0) == 7
    assert again(pathlib.Path("a").joinpath)("b") == pathlib.Path("a/b")
    assert again(pathlib.PurePosixPath("a").with_suffix)(".b") == pathlib.PurePosixPath("a.b")
    assert again((1j).conjugate)() == -1j
    assert again((5).__add__)(2) == 7
    assert again(dt.UTC.utcoffset)(None) == dt.timedelta(0)
    assert again(zoneinfo.ZoneInfo("UTC").tzname)(None) == "UTC"
    assert again(Callable_(3).__call__)(2) == 5
    assert again(Callable_(3).kept)(2) == 6


class Callable_:
    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, m: int) -> int:
        return self.n + m

    @functools.lru_cache  # noqa: B019
    def kept(self, m: int) -> int:
        return self.n * m


class Shop:
    @staticmethod
    @App("shop").resumable
    async def check(x: int) -> int:
        return x


def test_a_static_method_that_may_wait_is_named() -> None:
    assert again(Shop.check) is Shop.check


class Told(Exception):
    def add_note(self, note: str) -> None:
        """Another one."""


LOCK = threading.Lock()


@pytest.mark.parametrize(
    "value",
    [
        pathlib.Path("a").unlink,
        pathlib.Path("a").read_text,
        [].__init__,
        {}.__reduce_ex__,
        helper.__get__,
        LOCK.acquire,
        Order(1).__setattr__,
        OSError().__setstate__,
        super(Told, Told()).add_note,
    ],
)
def test_methods_that_could_not_be_found_again_are_refused_with_what_to_do(value: Any) -> None:
    with pytest.raises(CheckpointError, match="its method .* cannot be named in stored data.*lambda"):
        CODEC.encode({"held": value})


@pytest.mark.parametrize("value", [eval, exec, open, getattr, __import__, compile], ids=lambda f: f.__name__)
def test_dangerous_builtins_are_refused(value: Any) -> None:
    with pytest.raises(CheckpointError):
        CODEC.encode(value)
    with pytest.raises(DecodeError):
        CODEC.decode(f'{{"$global":"builtins:{value.__name__}"}}')


def start(unit: Any, *args: Any) -> tuple[Any, ValueCodec]:
    made = codec()
    made.registry.add_unit(unit)
    coroutine = unit(*args)
    coroutine.send(None)
    return coroutine, made


def restarted(coroutine: Any, made: ValueCodec) -> Any:
    encoded = FiberEncoder(made).encode(capture(coroutine))
    drop(coroutine)
    return restore(FiberEncoder(made).decode(encoded.text, encoded.new_values.__getitem__))


def finish(coroutine: Any, made: ValueCodec) -> Any:
    """Drive to the end with a restart at every wait."""
    while True:
        coroutine = restarted(coroutine, made)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value


async def counting() -> Any:
    count = 0

    def bump(by: int = 2, *, times: int = 1) -> int:
        nonlocal count
        count += by * times
        return count

    def twice() -> int:
        return bump() + bump(times=2)

    await Wait()
    bump()
    await Wait()
    late = lambda: count * 10  # noqa: E731
    twice()
    await Wait()
    count += 1
    await Wait()
    return count, bump(), late()


def test_nested_functions_keep_nonlocal() -> None:
    unit = compile_unit(counting)
    assert finish(*start(unit)) == (9, 11, 110)


async def recursive() -> Any:
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    key = lambda x: -x  # noqa: E731
    it = map(lambda x: x + len(table), [1, 2, 3])  # noqa: C417
    table = {"f": factorial}
    await Wait()
    first = next(it)
    await Wait()
    return factorial(5), sorted([1, 3, 2], key=key), [first, *it], table["f"] is factorial


async def annotated() -> Any:
    def typed(x: int, *, y: Order) -> str:
        return "x"

    def untold() -> int:
        return 1

    untold.__annotations__["return"] = object()
    await Wait()
    return typed.__annotations__, untold.__annotations__, untold()


def test_nested_functions_keep_the_annotations_that_can_be_stored() -> None:
    found = finish(*start(compile_unit(annotated)))
    assert found == ({"x": "int", "y": "Order", "return": "str"}, {}, 1)


def test_recursive_functions_lambdas_and_maps_over_them() -> None:
    assert finish(*start(compile_unit(recursive))) == (120, [3, 2, 1], [2, 3, 4], True)


async def child(x: Any, *rest: Any, key: int = 5) -> Any:
    await Wait()
    return x, rest, key


CHILD = compile_unit(child)


async def parent() -> Any:
    shared = [1]
    call = CHILD(shared, 2, 3)
    await Wait()
    shared.append(9)
    await Wait()
    return await call


def test_a_call_that_has_not_begun_is_kept() -> None:
    unit = compile_unit(parent)
    coroutine, made = start(unit)
    made.registry.add_unit(CHILD)
    assert finish(coroutine, made) == ([1, 9], (2, 3), 5)


def test_a_call_under_way_is_no_value() -> None:
    call = CHILD(1)
    call.send(None)
    fiber = Fiber()
    with pytest.raises(CheckpointError, match="ctx.start"):
        fiber.keep(fiber.frame({"call": call}))
    drop(call)


def test_a_foreign_coroutine_is_no_value() -> None:
    call = child(1)
    fiber = Fiber()
    with pytest.raises(CheckpointError):
        fiber.keep(fiber.frame({"call": call}))
    call.close()


async def maker() -> Any:
    total = 0

    def make(step: int) -> Any:
        def add() -> int:
            nonlocal total
            total += step
            return total

        return add

    one, two = make(1), make(10)
    await Wait()
    one()
    await Wait()
    two()
    return total, one(), two()


def test_functions_made_by_nested_functions() -> None:
    assert finish(*start(compile_unit(maker))) == (11, 12, 22)


async def closes_over_a_comprehension() -> list[int]:
    x = 1
    kept = [lambda: x, *[lambda x=x: x for x in (2, 3)], *[lambda: x for x in (4, 5)]]  # noqa: B023
    await Wait()
    return [function() for function in kept]


def test_a_variable_of_a_comprehension_is_stored_under_the_users_name() -> None:
    coroutine, made = start(compile_unit(closes_over_a_comprehension))
    text = FiberEncoder(made).encode(capture(coroutine)).text
    assert '"cells":{"x":' in text and "@m" not in text, "or no other Python could read it"
    assert finish(coroutine, made) == [1, 2, 3, 5, 5]
