"""Side by side: branches of `ctx.all`, a bounded `ctx.map`, and a race whose loser is really cancelled."""

from __future__ import annotations

from typing import Any

from weft_core import App, Context, run_sync

app = App("parallel")


@app.activity
async def size(page: str) -> int:
    """How long a page is."""
    return len(page) * 100


@app.resumable
async def twice(ctx: Context, page: str) -> int:
    """A helper that waits; branches and loops may call it like any function."""
    first = await ctx.run(size, page)
    return first + await ctx.run(size, page)


@app.resumable
async def patience(ctx: Context) -> str:
    """Sleeps too long to win; its `finally` block runs when it has lost."""
    try:
        await ctx.sleep("1h")
        return "slow"
    finally:
        ctx.state["loser"] = "cleaned up"


@app.workflow
async def crawl(ctx: Context, pages: list[str]) -> dict[str, Any]:
    """Everything at once, in order, at most two at a time, and the first of two."""
    both = await ctx.all(ctx.run(size, pages[0]), twice(ctx, pages[1]))
    every = await ctx.map(size, pages, limit=2)
    winner = await ctx.race(ctx.run(size, "fast"), patience(ctx))
    return {"both": both, "every": every, "winner": winner, "loser": ctx.state["loser"]}


if __name__ == "__main__":
    print(run_sync(app, crawl, ["a", "bb", "ccc"]))
