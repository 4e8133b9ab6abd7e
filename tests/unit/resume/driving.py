"""Driving compiled functions by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft_core.resume import capture, drop, restore


def drive(coroutine: Any, answer: Callable[[Any], Any] = lambda value: value, *, restart: bool = False) -> Any:
    """Answer every operation with `answer(its value)` (an exception is thrown) and give the result."""
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            operation = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        if restart:
            frames = capture(coroutine)
            drop(coroutine)
            coroutine = restore(frames)
        got = answer(operation.value)
        value, error = (None, got) if isinstance(got, BaseException) else (got, None)


def until(coroutine: Any, count: int, answer: Any = 1) -> Any:
    """Advance to the `count`-th wait."""
    coroutine.send(None)
    for _ in range(count - 1):
        coroutine.send(answer)
    return coroutine
