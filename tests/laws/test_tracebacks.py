"""What the laws compare of tracebacks, and what Python itself makes of them."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest

from weft_core.resume import Operation, compile_unit


@types.coroutine
def pause() -> Generator[None, None, None]:
    yield


async def inner() -> None:
    await pause()


async def in_a_handler() -> None:
    try:
        raise KeyError("handled")
    except KeyError:
        await inner()


async def outside() -> None:
    await inner()


def functions(error: BaseException) -> list[str]:
    found, entry = [], error.__traceback__
    while entry is not None:
        found.append(entry.tb_frame.f_code.co_name)
        entry = entry.tb_next
    return found


def thrown_into(function: Callable[[], Any]) -> list[str]:
    """The functions in the traceback of an error thrown into a suspended call."""
    coroutine = function()
    coroutine.send(None)
    with pytest.raises(ValueError) as caught:
        coroutine.throw(ValueError())
    return functions(caught.value)[1:]


def test_python_311_forgets_frames_of_an_error_thrown_through_a_handler() -> None:
    """Why the laws compare tracebacks that differ on 3.11 a second time, with the error raised instead of thrown."""
    assert thrown_into(outside) == ["outside", "inner", "pause"]
    kept = ["inner", "pause"] if sys.version_info >= (3, 12) else []
    assert thrown_into(in_a_handler) == ["in_a_handler", *kept]


class Turns:
    def __aiter__(self) -> Turns:
        return self

    async def __anext__(self) -> int:
        return await Operation()


async def comprehension_in_a_handler() -> list[int]:
    try:
        raise KeyError("handled")
    except KeyError:
        return [x async for x in Turns()]


async def loop_in_a_handler() -> None:
    try:
        raise KeyError("handled")
    except KeyError:
        async for _ in Turns():
            pass


@pytest.mark.parametrize("function", [comprehension_in_a_handler, loop_in_a_handler])
def test_compiled_code_keeps_as_much_of_a_traceback_as_a_loop_does(function: Callable[[], Any]) -> None:
    """A comprehension that awaits is a loop when compiled, and on 3.11 loses what a loop loses."""
    assert thrown_into(compile_unit(function))[1:] == thrown_into(loop_in_a_handler)[1:]


def unbound() -> Any:
    if False:
        value = 1
    for _ in [1]:
        return value


@pytest.mark.parametrize("traced", [False, True])
def test_python_311_names_another_line_once_the_code_is_warm(traced: bool) -> None:
    """The other reason: two instructions of two lines become one. Not while the code is traced."""
    lines, tracing = set(), sys.gettrace()
    fresh = types.FunctionType(unbound.__code__.replace(co_name="fresh"), {})
    if traced:
        sys.settrace(lambda *_: None)
    try:
        for _ in range(50):
            with pytest.raises(UnboundLocalError) as caught:
                fresh()
            lines.add(caught.tb.tb_next.tb_lineno if caught.tb.tb_next else None)
    finally:
        sys.settrace(tracing)
    assert len(lines) == (1 if traced or sys.version_info >= (3, 12) else 2)
