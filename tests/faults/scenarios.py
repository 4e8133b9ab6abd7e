"""The scenarios that are crashed everywhere. Together they use every operation."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults import scenarios_of_time  # noqa: F401  registers its own
from tests.faults.ledger import Ledger
from tests.faults.scenario import SCENARIOS, base, persist, scenario, starting
from weft_core import App, Context, Retry, activity_info
from weft_core.testing.engine import TestEngine

__all__ = ["SCENARIOS"]


@scenario()
def steps_and_retries() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.activity(retry=Retry(max_attempts=3, initial="5s", jitter=0.0))
        async def flaky(what: str) -> str:
            if activity_info().attempt < 2:
                ledger.effect("tried")
                raise OSError("down")
            return str(ledger.effect("tried"))

        @app.workflow
        async def main(ctx: Context) -> list[Any]:
            out = []
            for i in range(3):
                out.append(await ctx.run("note", i))
            out.append(await ctx.run("flaky", "x"))
            return out

        return app

    return make, starting()


@scenario()
def signals() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> list[Any]:
            got = [await ctx.wait_for_signal("a")]
            got.append(await ctx.run("note", "between"))
            got.append(await ctx.wait_for_signal("a"))
            got.append(await ctx.wait_for_signal("b", timeout="1m", default="late"))
            got.append(await ctx.wait_for_signal("a"))
            return got

        return app

    return make, starting(
        lambda e: e.handle("r").signal("a", 1, id="1"),
        lambda e: e.handle("r").signal("a", 2, id="2"),
        lambda e: e.settle(),
        lambda e: e.handle("r").signal("a", 3, id="3"),
    )


@scenario()
def branches() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.resumable
        async def branch(ctx: Context, n: int) -> int:
            try:
                await ctx.sleep(60 * n)
                return await ctx.run("note", n)
            finally:
                await ctx.run("note", f"end {n}")

        @app.workflow
        async def main(ctx: Context) -> Any:
            return await ctx.all(branch(ctx, 1), ctx.run("note", "x"), ctx.all(branch(ctx, 2), ctx.sleep(1)))

        return app

    return make, starting()


@scenario()
def racing() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.resumable
        async def runner(ctx: Context, n: int) -> int:
            try:
                await ctx.sleep(60 * n)
                return n
            finally:
                await ctx.run("note", f"end {n}")

        @app.workflow
        async def main(ctx: Context) -> Any:
            first = await ctx.race(runner(ctx, 3), runner(ctx, 1), ctx.wait_for_signal("never"))
            return [first, await ctx.run("note", "after")]

        return app

    return make, starting()


@scenario()
def first_error_and_settled() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.activity(retry=Retry(max_attempts=1))
        async def fail() -> None:
            ledger.effect("failed")
            raise ValueError("no")

        @app.workflow
        async def main(ctx: Context) -> Any:
            out: list[Any] = []
            try:
                await ctx.all(ctx.run("fail"), ctx.sleep("1h"), ctx.run("note", 1))
            except ValueError as error:
                out.append(str(error))
            for outcome in await ctx.settled(ctx.run("fail"), ctx.run("note", 2)):
                out.append(outcome.ok)
            return out

        return app

    return make, starting()


@scenario()
def mapping() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.resumable
        async def square(ctx: Context, n: int) -> int:
            await ctx.sleep(n)
            return n * n

        @app.workflow
        async def main(ctx: Context) -> Any:
            return [await ctx.map("note", range(5), limit=2), await ctx.map(square, range(4), limit=3)]

        return app

    return make, starting()


@scenario()
def background() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.resumable
        async def aside(ctx: Context, n: int) -> int:
            try:
                await ctx.sleep(60 * n)
                return n
            finally:
                await ctx.run("note", f"end {n}")

        @app.workflow
        async def main(ctx: Context) -> Any:
            joined, cancelled = ctx.start(aside(ctx, 1)), ctx.start(aside(ctx, 50))
            ctx.start(aside(ctx, 90))
            await ctx.run("note", "here")
            first = await joined
            cancelled.cancel()
            try:
                await cancelled
            except asyncio.CancelledError:
                first += 100
            return [first, await joined]

        return app

    return make, starting(advance="3h")


@scenario()
def cancelling() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> None:
            try:
                await ctx.all(ctx.sleep("1d"), ctx.wait_for_signal("x"))
            finally:
                await ctx.run("note", "clean")
                await ctx.sleep(5)
                await ctx.run("note", "up")

        return app

    return make, starting(lambda e: e.advance(5), lambda e: e.handle("r").cancel("enough"))


@scenario()
def state_and_large_values() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> Any:
            big = ["x" * 50 for _ in range(1_000)]
            ctx.state["seen"] = 0
            for i, text in enumerate(big[:4]):
                await ctx.run("note", [i, text[:1]])
                ctx.state["seen"] = i
                ctx.log.info("at %d", i)
                if i == 2:
                    big.append("changed")
                    await ctx.sleep(1)
            return len(big)

        return app

    return make, starting()


@scenario()
def suspending() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context) -> Any:
            out = [await ctx.run("note", 1)]
            await ctx.sleep("1m")
            out.append(await ctx.wait_for_signal("go"))
            return out

        return app

    return make, starting(
        lambda e: e.handle("r").suspend(),
        lambda e: e.advance("5m"),
        lambda e: e.handle("r").signal("go", "now", id="g"),
        lambda e: e.handle("r").resume(),
    )


@scenario(runs=("r0", "r1", "r2"))
def many_runs() -> Any:
    def make(ledger: Ledger) -> App:
        app = base(ledger)

        @app.workflow
        async def main(ctx: Context, n: int) -> Any:
            await ctx.run("note", n)
            await ctx.sleep("1m")
            return [n, await ctx.wait_for_signal("s")]

        return app

    async def script(engine: TestEngine) -> None:
        for n in range(3):
            await persist(lambda n=n: engine.start("main", n, id=f"r{n}"), engine)
        await engine.settle()
        for n in range(3):
            await persist(lambda n=n: engine.handle(f"r{n}").signal("s", n, id="s"), engine)
        await engine.advance("1h")

    return make, script
