"""What can be seen of runs from outside: their lists, and the lines they log."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness
from tests.suite.test_life import raised
from weft_core import App, Context, DeclarationError, Retry, RunNotFound


def app_of_two() -> App:
    app = App("two")

    @app.workflow
    async def quick(ctx: Context, name: str) -> None:
        ctx.log("hello %s", name)
        ctx.log.warning("about to leave")
        await ctx.sleep(1)
        ctx.log.error("left")

    @app.workflow
    async def slow(ctx: Context) -> None:
        await ctx.sleep("1h")

    @app.workflow
    async def ticks(ctx: Context) -> None:
        count = 0
        while True:
            await ctx.sleep("1h")
            count += 1

    return app


async def test_lists_are_filtered_by_workflow_status_and_beginning_of_the_id(make: Harness) -> None:
    engine = await make.engine(app_of_two())
    for n in range(3):
        await engine.start("quick", "x", id=f"a-{n}")
        await engine.start("slow", id=f"b-{n}")
    await engine.advance("1m")

    async def ids(**filters: object) -> list[str]:
        return [info.id for info in await engine.list(**filters)]  # type: ignore[arg-type]

    assert await ids(workflow="quick") == ["a-0", "a-1", "a-2"]
    assert await ids(id_prefix="b-", limit=2) == ["b-0", "b-1"]
    assert await ids(status="waiting") == ["b-0", "b-1", "b-2"]
    assert await ids(status=["waiting", "completed"], id_prefix="a") == ["a-0", "a-1", "a-2"]
    assert await ids(workflow="quick", status="waiting") == []
    assert await engine.count(workflow="slow") == 3


async def test_a_run_that_waits_is_told_to_wait_wherever_its_status_is_read(make: Harness) -> None:
    engine = await make.engine(app_of_two())
    run = await engine.start("slow")
    await engine.settle()
    told = {
        await run.status(),
        (await run.info()).status,
        (await run.inspect()).status,
        (await engine.list())[0].status,
    }
    assert told == {"waiting"}
    await engine.advance("1h")
    assert (await run.inspect()).status == "completed"


async def test_the_context_is_none_of_the_variables_that_are_shown(make: Harness) -> None:
    engine = await make.engine(app_of_two())
    run = await engine.start("ticks")
    await engine.advance("90m")
    assert (await run.inspect()).locals == {"count": 1}


async def test_what_a_workflow_logs_stands_in_its_history_once(make: Harness) -> None:
    engine = await make.engine(app_of_two())
    run = await engine.start("quick", "Ada")
    await engine.advance("1m")
    logged = [entry for entry in await run.history() if entry["kind"] == "log"]
    assert [(entry["level"], entry["message"]) for entry in logged] == [
        ("info", "hello Ada"),
        ("warning", "about to leave"),
        ("error", "left"),
    ]


async def test_ids_that_cannot_be_are_refused_or_not_found(make: Harness) -> None:
    engine = await make.engine(app_of_two())
    for bad in ("", "x" * 201, "名" * 134):
        error = await raised(engine.start("slow", id=bad), DeclarationError)
        assert "run id" in str(error)
    run = await engine.start("slow", id="名" * 133)
    error = await raised(run.signal("x", id="名" * 200), DeclarationError)
    assert "the signal's id is too long" in str(error)
    await run.signal("x", id="x" * 1_200)
    nobody = engine.handle("名" * 200)
    for call in (nobody.status(), nobody.state(), nobody.history(), nobody.result(), nobody.signal("x", id="1")):
        assert len(str(await raised(call, RunNotFound))) < 200


async def test_a_run_whose_activity_is_tried_again_shows_what_the_last_attempt_said(make: Harness) -> None:
    app = App("patient")
    said = iter(["first", "x" * 5_000])

    @app.activity(retry=Retry(initial="1m", backoff=1, jitter=0))
    async def charge(order: dict[str, int]) -> int:
        for text in said:
            raise KeyError(text)
        return order["cents"]

    @app.workflow
    async def checkout(ctx: Context) -> int:
        return await ctx.run(charge, {"cents": 5})

    async def waits_for() -> dict[str, Any]:
        (fiber,) = (await run.inspect()).fibers
        return fiber.waiting_for or {}

    engine = await make.engine(app)
    run = await engine.start("checkout")
    await engine.settle()
    assert (await waits_for())["attempt"] == 2 and (await waits_for())["last_error"] == "KeyError: 'first'"
    engine = await make.reopen(engine, app)
    run = engine.handle(run.id)
    assert (await waits_for())["last_error"] == "KeyError: 'first'"
    await engine.advance("90s")
    wait = await waits_for()
    assert wait["attempt"] == 3 and wait["last_error"] == f"KeyError: '{'x' * 5_000}"[:2_000]
    await engine.advance("1m")
    assert await run.result() == 5
