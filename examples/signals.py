"""Waiting for people: signals are buffered, come in order, and each is consumed exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

from weft_core import App, Context, Engine

app = App("signals")


@app.workflow
async def order(ctx: Context) -> dict[str, Any]:
    """Collect items until somebody checks out, or nobody does for a day."""
    items: list[str] = []
    while (item := await ctx.wait_for_signal("item", timeout="1d", default=None)) is not None:
        items.append(item)
        ctx.state["items"] = len(items)
        if item == "(that is all)":
            items.pop()
            break
    approved = await ctx.wait_for_signal("approve")
    return {"items": items, "approved_by": approved["by"]}


async def main() -> None:
    """Start an order and send it what it waits for."""
    engine = await Engine.open("memory:", app)
    async with engine:
        run = await engine.start(order, id="order-7")
        await run.signal("approve", {"by": "Grace"})  # early: it is kept until somebody waits for it
        for item in ["tea", "cups", "(that is all)"]:
            await run.signal("item", item)
        print(await run.result(timeout="10s"))


if __name__ == "__main__":
    asyncio.run(main())
