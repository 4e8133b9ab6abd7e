"""The smallest durable program: two steps with a sleep between them. Stop it anywhere, run it again: it goes on."""

from __future__ import annotations

from weft_core import App, Context, run_sync

app = App("hello")


@app.activity
async def greet(name: str) -> str:
    """A side effect: it happens outside, and its result is stored."""
    print(f"(greeting {name})")
    return f"hello, {name}"


@app.workflow
async def welcome(ctx: Context, name: str) -> str:
    """Greet twice, with a pause."""
    first = await ctx.run(greet, name)
    await ctx.sleep("50ms")
    second = await ctx.run(greet, name.upper())
    return f"{first}; {second}"


if __name__ == "__main__":
    # The same id continues the same run; a finished one gives its result again.
    print(run_sync(app, welcome, "Ada", url="sqlite:///hello.db", id="hello-ada"))
