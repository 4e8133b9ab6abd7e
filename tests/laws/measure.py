"""`python -m tests.laws.measure`: what compiling costs at run time, against the native coroutine."""

from __future__ import annotations

import sys
import time
from typing import Any

from weft_core.resume import Operation, capture, compile_unit, drop, restore

TURNS = 300_000


async def loop(count: int, label: str) -> int:
    total = 0
    for index in range(count):
        answer = await Operation()
        total += answer
        if total < index:
            label = str(total)
    return total + len(label)


def awaits_per_second(function: Any) -> float:
    coroutine = function(TURNS, "x")
    coroutine.send(None)
    send = coroutine.send
    began = time.perf_counter()
    try:
        while True:
            send(1)
    except StopIteration:
        return TURNS / (time.perf_counter() - began)


def microseconds(action: Any, times: int = 100_000) -> float:
    began = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - began) / times * 1e6


if __name__ == "__main__":
    unit = compile_unit(loop)
    native, compiled = (max(awaits_per_second(f) for _ in range(3)) for f in (loop, unit))
    suspended = unit(3, "x")
    suspended.send(None)
    captured = min(microseconds(lambda: capture(suspended)) for _ in range(3))

    def again() -> None:
        drop(restore(capture(suspended)))

    print(f"python {sys.version.split()[0]}: awaits/s native {native:,.0f}, compiled {compiled:,.0f}")
    print(f"capture of one frame {captured:.2f} us; capture, restore and drop {microseconds(again, 20_000):.2f} us")
