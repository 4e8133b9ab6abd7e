"""The scenarios that are crashed everywhere: those in which time itself does something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.faults.ledger import Ledger
from tests.faults.scenario import base, persist, scenario, starting
from weft_core import App, Context
from weft_core.testing.engine import TestEngine


@scenario()
def sleeping_loop() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> int:
            total = 0
            for i in range(4):
                await ctx.sleep("5m")
                total += await ctx.run("note", i)
            await ctx.sleep_until(ctx.now())
            return total

        return app

    return make, starting()


@scenario()
def timers_at_one_instant() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> list[Any]:
            out: list[Any] = []
            then = ctx.now()
            try:
                async with ctx.timeout("15m"):
                    for n in range(3):
                        out.append(await ctx.run("note", n))
                        then += timedelta(minutes=5)
                        await ctx.sleep_until(then)
                    await ctx.wait_for_signal("never")
            except TimeoutError:
                await ctx.sleep(0)
            out.append(await ctx.wait_for_signal("never", timeout=0, default="none"))
            await ctx.all(ctx.sleep_until(ctx.now()), ctx.sleep(0))
            return out

        return app

    return make, starting()


@scenario()
def time_limits() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> Any:
            out = []
            for minutes in (1, 30):
                try:
                    async with ctx.timeout("10m"):
                        try:
                            await ctx.sleep(60 * minutes)
                            out.append("slept")
                        finally:
                            await ctx.run("note", minutes)
                except TimeoutError:
                    out.append("over")
            return out

        return app

    return make, starting()


@scenario()
def run_timeout() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow(timeout="30m")
        async def main(ctx: Context) -> None:
            try:
                await ctx.wait_for_signal("never")
            finally:
                await ctx.run("note", "clean")

        return app

    return make, starting()


@scenario()
def delayed_start() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context, x: int) -> Any:
            return await ctx.run("note", x)

        return app

    async def script(engine: TestEngine) -> None:
        await persist(lambda: engine.start("main", 5, id="r", start_after="10m"), engine)
        await engine.advance("1h")

    return make, script
