"""Only what may still be read is kept: exactly, for functions a person can check."""

from __future__ import annotations

from typing import Any

from tests.unit.resume.corpus import Op
from weft_core.resume import compile_unit


def live(function: Any) -> list[set[str]]:
    return [{name for name in point.live if name[0] != "@"} for point in compile_unit(function).points]


async def used_before(client: Any, order: dict[str, Any]) -> Any:
    price = client.price(order)
    await Op(1)
    return price


def test_what_was_used_before_the_wait_is_not_kept() -> None:
    assert live(used_before) == [{"price"}]


async def rebound(a: int, b: int) -> int:
    await Op(1)
    a = b
    await Op(2)
    return a


def test_what_is_bound_again_before_it_is_read_is_not_kept() -> None:
    assert live(rebound) == [{"b"}, {"a"}]


async def either(flag: bool) -> int:
    while True:
        await Op(1)
        if flag:
            value = 1
        else:
            value = 2
        if value > await Op(2):
            return value


def test_both_branches_bind() -> None:
    assert live(either) == [{"flag"}, {"flag", "value"}]


async def protected(a: int, b: int, c: int) -> Any:
    try:
        await Op(1)
        await Op(a)
    except ValueError:
        return b
    await Op(2)
    return c


def test_what_a_handler_reads_is_kept_in_the_try_only() -> None:
    assert live(protected) == [{"a", "b", "c"}, {"b", "c"}, {"c"}]


async def looping(items: list[int]) -> int:
    total = 0
    for item in items:
        await Op(1)
        total += item
        await Op(2)
    return total


def test_a_loop_keeps_its_iterator_not_its_list() -> None:
    unit = compile_unit(looping)
    assert [set(point.live) for point in unit.points] == [{"@i1", "item", "total"}, {"@i1", "total"}]


async def once(items: list[int]) -> Any:
    for item in items:
        return await Op(item)


def test_a_loop_left_at_once_keeps_nothing() -> None:
    assert compile_unit(once).points[0].live == ()


async def deleted(big: Any) -> int:
    size = len(big)
    del big
    await Op(1)
    return size


def test_what_is_deleted_is_gone() -> None:
    assert live(deleted) == [{"size"}]


async def shared(n: int) -> Any:
    def more() -> int:
        nonlocal n
        n += 1
        return n

    await Op(more)
    n = 5
    await Op(1)
    return more()


def test_a_shared_variable_is_kept_while_anything_may_use_it() -> None:
    assert live(shared) == [{"more", "n"}, {"more"}]


async def cleaned(a: int, b: int) -> None:
    try:
        await Op(a)
    finally:
        await Op(b)


def test_a_finally_block_that_waits_keeps_how_it_was_entered() -> None:
    unit = compile_unit(cleaned)
    assert [set(point.live) for point in unit.points] == [{"b"}, {"@c1", "@r1"}]
