"""The scenarios that are crashed everywhere. Together they use every operation.

A scenario's script is written as a careful client: it may be run again from the top after any crash, because starts
carry ids and signals carry ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.faults.ledger import Ledger
from weft_core import App, Context, Retry, RunCancelled, RunClosed, RunFailed, StoreError, activity_info
from weft_core.testing.engine import TestEngine

TRIES_MAX = 50


async def persist(action: Callable[[], Awaitable[Any]], engine: TestEngine) -> Any:
    """Do it again while the store fails, as a client would."""
    for _ in range(TRIES_MAX):
        try:
            return await action()
        except RunClosed:
            return None
        except StoreError:
            await engine.advance(1)
    raise AssertionError("the store never recovered")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    name: str
    app: Callable[[Ledger], App]
    script: Callable[[TestEngine], Awaitable[None]]
    runs: tuple[str, ...] = ("r",)


SCENARIOS: list[Scenario] = []


def scenario(*, runs: tuple[str, ...] = ("r",)) -> Callable[[Callable[[], Any]], None]:
    """Register a function that gives (app maker, script)."""

    def add(make: Callable[[], Any]) -> None:
        app, script = make()
        SCENARIOS.append(Scenario(name=make.__name__, app=app, script=script, runs=runs))

    return add


def base(ledger: Ledger) -> App:
    app = App("scenario")

    @app.activity(retry=Retry(max_attempts=1))
    async def note(what: Any) -> Any:
        return ledger.effect(what)

    return app


def starting(*actions: Callable[[TestEngine], Awaitable[Any]], advance: str = "2h", args: tuple[Any, ...] = ()) -> Any:
    """A script: start run `r`, do the actions, let time pass."""

    async def script(engine: TestEngine) -> None:
        await persist(lambda: engine.start("main", *args, id="r"), engine)
        for action in actions:
            await persist(lambda action=action: action(engine), engine)
        await engine.advance(advance)

    return script


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


async def outcome(engine: TestEngine, run_id: str) -> Any:
    """How a run stands at the end, comparable between lives."""
    handle = engine.handle(run_id)
    status = await handle.status()
    if status in ("running", "waiting", "pending", "suspended"):
        return status, None
    try:
        return status, await handle.result()
    except StoreError:
        raise
    except (RunCancelled, RunFailed) as error:
        return status, type(error).__name__
    except Exception as error:
        return status, repr(error)
