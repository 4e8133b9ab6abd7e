"""Activities replaced by name, as tests of an app do; the app's policy for the name stays."""

from __future__ import annotations

from tests.suite.harness import Harness, raises
from weft_core import App, Context, DeclarationError, Retry, UnknownActivity


def paying() -> App:
    app = App("paying")

    @app.activity(retry=Retry(max_attempts=3, initial="1m", jitter=0.0))
    async def charge(cents: int) -> str:
        raise AssertionError("the real one must not run")

    @app.workflow
    async def pay(ctx: Context, cents: int) -> str:
        return await ctx.run(charge, cents)

    @app.workflow
    async def notify(ctx: Context) -> str:
        try:
            return await ctx.run("send_mail")
        except UnknownActivity:
            return "nobody can send mail"

    return app


async def test_a_fake_takes_the_place_of_an_activity_and_keeps_its_policy(make: Harness) -> None:
    engine = await make.engine(paying())
    tries: list[int] = []

    async def fake(cents: int) -> str:
        tries.append(cents)
        if len(tries) < 3:
            raise ConnectionError("not yet")
        return f"charged {cents}"

    engine.activities["charge"] = fake
    run = await engine.start("pay", 995)
    await engine.advance("30s")
    assert tries == [995]
    await engine.advance("10m")
    assert await run.result() == "charged 995"
    assert tries == [995, 995, 995]


async def test_an_activity_that_only_the_engine_knows(make: Harness) -> None:
    engine = await make.engine(paying())
    without = await engine.start("notify")
    await engine.settle()
    engine.activities["send_mail"] = lambda: "sent"
    having = await engine.start("notify")
    assert await without.result() == "nobody can send mail"
    assert await having.result() == "sent"


async def test_what_is_no_function_takes_no_activitys_place(make: Harness) -> None:
    engine = await make.engine(paying())
    with raises(DeclarationError, match="takes a function, not 5"):
        engine.activities["charge"] = 5  # type: ignore[assignment]
