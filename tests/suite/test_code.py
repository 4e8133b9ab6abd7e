"""Code that changes while runs are under way: each run ends on the code it started with."""

from __future__ import annotations

from tests.suite.harness import Harness
from weft_core import App, Context


def before() -> App:
    app = App("shop")

    @app.workflow(name="order", version="1")
    async def order(ctx: Context, item: str) -> str:
        steps = ["old"]
        steps.append(await ctx.wait_for_signal("paid"))
        return f"{item}: {' '.join(steps)}, shipped by post"

    return app


def after() -> App:
    app = App("shop")

    @app.workflow(name="order", version="2")
    async def order(ctx: Context, item: str) -> str:
        await ctx.sleep("1m")
        paid = await ctx.wait_for_signal("paid")
        return f"{item}: {paid}, shipped by drone"

    return app


async def test_a_run_ends_on_the_code_it_started_with(make: Harness) -> None:
    engine = await make.engine(before())
    await engine.start("order", "tea", id="started-before")
    await engine.settle()
    engine = await make.reopen(engine, after())
    await engine.start("order", "cups", id="started-after")
    for run_id in ("started-before", "started-after"):
        await engine.handle(run_id).signal("paid", "cash")
    await engine.advance("2m")
    assert await engine.handle("started-before").result() == "tea: old cash, shipped by post"
    assert await engine.handle("started-after").result() == "cups: cash, shipped by drone"
    infos = {info.id: info.version for info in await engine.list()}
    assert infos == {"started-before": "1", "started-after": "2"}


async def test_a_crash_between_does_not_change_that(make: Harness) -> None:
    engine = await make.engine(before())
    await engine.start("order", "tea", id="r")
    await engine.settle()
    engine = await make.reopen(engine, after())
    await engine.crash()
    await engine.handle("r").signal("paid", "cash")
    assert await engine.handle("r").result() == "tea: old cash, shipped by post"
