"""The app that the browser tests run."""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from weft_core import ActivityError, App, Context, Retry, activity_info

app = App("test")


@app.activity(retry=Retry(max_attempts=1_000, initial="50ms", max="500ms"))
async def note(value: Any) -> Any:
    """Tell the ledger of the test's server, with the idempotency key."""
    entry = {"key": activity_info().key, "value": value}
    if sys.platform == "emscripten":
        from pyodide.http import pyfetch

        response = await pyfetch("/ledger", method="POST", body=json.dumps(entry))
        response.raise_for_status()
    else:
        print("noted", json.dumps(entry), flush=True)
    return value


@app.workflow
async def steps(ctx: Context, count: int) -> list[int]:
    """Note the numbers below `count`, one after the other."""
    noted = []
    for i in range(count):
        noted.append(await ctx.run(note, i))
        ctx.state["noted"] = len(noted)
    return noted


@app.workflow
async def march(ctx: Context, count: int) -> int:
    """Note the numbers below `count`, remembering how many."""
    for i in range(count):
        await ctx.run(note, i)
        ctx.state["noted"] = i + 1
    return count


@app.workflow
async def greet(ctx: Context, name: str) -> str:
    """Wait for a signal, and give what it said."""
    word = await ctx.wait_for_signal("word")
    return f"{word}, {name}!"


@app.workflow
async def deadly(ctx: Context) -> list[Any]:
    """Make something that Pyodide dies of: freeing it recurses a hundred thousand times, in C."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@app.workflow
async def loud(ctx: Context, text: str) -> str:
    """Call an activity of the page."""
    result: str = await ctx.run("shout", text)
    return result


@app.workflow
async def patient(ctx: Context) -> None:
    """Call an activity of the page that fails, and will be tried again."""
    await ctx.run("refuse", retry=Retry(initial="1h"))


@app.workflow
async def refused(ctx: Context) -> str:
    """Call an activity of the page that fails."""
    try:
        await ctx.run("refuse", retry=Retry(max_attempts=2, initial="10ms"))
    except ActivityError as error:
        return f"{error.type_name}: {error}"
    return "no error"


@app.workflow
async def handed_on(ctx: Context, value: Any) -> dict[str, Any]:
    """Have the page give back a value, and others for which JavaScript has no word."""
    others = [Decimal("1.10"), date(1815, 12, 10), Fraction(1, 3), [value, {"deep": value}]]
    same = [await ctx.run("same", other) == other for other in others]
    value = await ctx.run("same", value)
    return {"value": value, "shown": repr(value), "same": all(same)}


@app.workflow
async def named(ctx: Context) -> str:
    """Call an activity of the page with a keyword argument; another attempt would be long in coming."""
    try:
        return str(await ctx.run("shout", text="x", retry=Retry(max_attempts=2, initial="1h")))
    except TypeError as error:
        return f"TypeError: {error}"


@app.workflow
async def nested(ctx: Context, rows: int, columns: int) -> dict[str, Any]:
    """Waits in nested loops and every part of a `try`; two signals let it go on from the middle."""
    log: list[str] = []
    total = 0
    for row in range(rows):
        for column, name in enumerate("abcdefgh"[:columns]):
            try:
                if (row, column) == (1, 1):
                    log.append(str(await ctx.wait_for_signal("go")))
                total += await ctx.run(note, row * 10 + column)
                if column == 2:
                    raise ValueError(f"{row}{name}")
            except ValueError as error:
                if row == 1:
                    log.append(str(await ctx.wait_for_signal("go on")))
                log.append(f"caught {error}")
            finally:
                log.append(await ctx.run(note, f"end {row}{name}"))
    return {"total": total, "log": log}


@app.workflow
async def held(ctx: Context, text: str) -> str:
    """Call an activity of the page that ends when the test says so."""
    result: str = await ctx.run("hold", text)
    return result


@app.workflow
async def misbehaved(ctx: Context, how: str) -> str:
    """Call an activity of the page that does what it should not."""
    try:
        return str(await ctx.run("misbehave", how, retry=Retry(max_attempts=2, initial="10ms")))
    except ActivityError as error:
        return f"{error.type_name}: {error}"


@app.activity
async def stray() -> None:
    """Leave a callback with the platform that will fail when nobody waits for it."""
    import js  # type: ignore[import-not-found]
    from pyodide.ffi import create_once_callable

    def fail() -> None:
        raise ValueError("astray")

    js.setTimeout(create_once_callable(fail), 0)


@app.workflow
async def strays(ctx: Context) -> str:
    """Leave a callback that fails, and go on."""
    await ctx.run(stray)
    return "gone on"


@app.workflow
async def spin(ctx: Context) -> None:
    """Never give the thread back."""
    ctx.state["spinning"] = True
    await ctx.sleep("1ms")
    while True:
        pass
