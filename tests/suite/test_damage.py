"""Rows that somebody outside of Weft has damaged or deleted: their run is parked, can be ended, and stops no other."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness, cases
from tests.suite.test_life import order, raised
from weft_core import App, Context, RunTerminated


async def test_a_damaged_row_parks_its_run_and_no_other(make: Harness) -> None:
    from weft_core.store import keys
    from weft_core.store.port import Batch

    app, _ = order()
    engine = await make.engine(app)
    damaged = await engine.start("order", 1, id="damaged")
    sound = await engine.start("order", 1, id="sound")
    await engine.settle()
    await engine._halt()
    await engine.store.release()
    await engine.store.commit(Batch(put={keys.fiber("damaged", "0"): '{"n":1,"h":1,"frames":[{"un'}))
    engine = await make.reopen(engine, app)
    await engine.handle("damaged").signal("paid")
    await engine.handle("sound").signal("paid")
    assert await engine.handle(sound.id).result() == "shipped"
    await engine.settle()
    info = await engine.handle(damaged.id).info()
    assert info.status == "suspended" and info.problem is not None and info.problem["code"] == "decode"
    # Nobody can go on with it, but it can be ended, and leaves nothing behind.
    await engine.handle(damaged.id).terminate("beyond repair")
    await engine.settle()
    info = await engine.handle(damaged.id).info()
    assert info.status == "terminated" and info.problem is None
    error = await raised(engine.handle(damaged.id).result(), RunTerminated)
    assert "beyond repair" in str(error)
    left = [row.key for row in await engine.store.scan("!", "~") if "damaged" in row.key]
    assert {key.split("/")[0] for key in left} == {"run", "history"} or left == ["run/damaged"]


@cases("gone", ("0",), ("0.2",), ("0.1",))
async def test_a_run_whose_row_was_deleted_is_parked_and_can_be_ended(make: Harness, gone: str) -> None:
    from weft_core.store import keys
    from weft_core.store.port import Batch

    app = App("deleted")

    @app.workflow
    async def main(ctx: Context) -> Any:
        return await ctx.all(ctx.wait_for_signal("a"), ctx.wait_for_signal("b"))

    engine = await make.engine(app)
    await engine.start(main, id="r")
    await engine.settle()
    await engine._halt()
    await engine.store.release()
    await engine.store.commit(Batch(delete={keys.fiber("r", gone)}))
    engine = await make.reopen(engine, app)
    await engine.handle("r").signal("a")
    await engine.settle()
    info = await engine.handle("r").info()
    assert info.problem is not None and info.problem["code"] == "decode" and "is missing" in info.problem["message"]
    await engine.handle("r").terminate()
    await engine.settle()
    assert await engine.handle("r").status() == "terminated"


async def test_a_message_that_cannot_be_read_keeps_nobody_from_ending_its_run(make: Harness) -> None:
    from weft_core.store import keys
    from weft_core.store.port import Batch

    app, _ = order()
    engine = await make.engine(app)
    run = await engine.start("order", 1, id="spoiled")
    await engine.settle()
    await engine._halt()
    await engine.store.release()
    for n, row in enumerate(('{"kind":"signal","payload":oops}', '{"kind":"shout"}', '{"kind":"signal","at":[]}'), 1):
        await engine.store.commit(
            Batch(
                put={
                    keys.inbox("spoiled", n): row,
                    keys.seq("spoiled"): f'{{"n":{n}}}',
                    keys.ready("spoiled"): '{"at":1}',
                }
            )
        )
    engine = await make.reopen(engine, app)
    await engine.settle()
    info = await engine.handle(run.id).info()
    assert info.status == "suspended" and info.problem is not None
    await engine.handle(run.id).terminate("spoiled")
    await engine.settle()
    assert (await engine.handle(run.id).info()).status == "terminated"
    assert "spoiled" in str(await raised(engine.handle(run.id).result(), RunTerminated))
    assert not await engine.store.scan("inbox/", "inbox0")
