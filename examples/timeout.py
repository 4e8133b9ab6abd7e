"""Time limits: on one attempt of an activity, on a block of a workflow, on a wait."""

from __future__ import annotations

import asyncio

from weft_core import ActivityTimeout, App, Context, Retry, run_sync

app = App("timeout")


@app.activity(timeout="20ms", retry=Retry(max_attempts=2, initial="1ms"))
async def stuck() -> None:
    """Never comes back by itself."""
    await asyncio.Event().wait()


@app.workflow
async def impatient(ctx: Context) -> list[str]:
    """Run into each of the three limits, and go on."""
    said = []
    try:
        await ctx.run(stuck)
    except ActivityTimeout:
        said.append("the activity took too long, twice")
    try:
        async with ctx.timeout("20ms"):
            await ctx.sleep("1d")
    except TimeoutError:
        said.append("the block took too long")
    said.append(await ctx.wait_for_signal("never", timeout="20ms", default="nobody called"))
    return said


if __name__ == "__main__":
    print(run_sync(app, impatient))
