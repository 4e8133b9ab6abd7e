"""What a client says of runs from outside, and of what is asked of it wrongly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from weft_core import AlreadyExists, App, Client, Context, DeclarationError, DecodeError, UnknownWorkflow
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing import TestEngine

app = App("client")


@app.workflow
async def waiting(ctx: Context, x: object = None) -> object:
    return await ctx.wait_for_signal("go")


async def test_a_wait_for_a_result_that_is_over_says_whose_and_that_the_run_goes_on() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(waiting, id="w")
        with pytest.raises(
            TimeoutError, match=r"run 'w' has not ended within 0.01 s; it was left alone, and goes on unless"
        ):
            await run.result(timeout="10ms")
        await run.suspend()
        with pytest.raises(TimeoutError, match=r"suspended: .* resume\(\) it"):
            await run.result(timeout="10ms")
        await run.resume()
        await run.signal("go", 1)
        assert await run.result(timeout="10s") == 1


async def test_lists_and_counts_take_a_workflow_or_its_name() -> None:
    async with TestEngine(app) as engine:
        await engine.start(waiting)
        assert len(await engine.list(workflow=waiting, limit=1)) == await engine.count(workflow=waiting) == 1
        assert await engine.count(workflow="waiting", status=("waiting", "failed")) == 1
        assert await engine.list(workflow="gone") == []  # runs may outlive their workflow's declaration


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"status": "nope"}, "there is no status 'nope'; there are pending, running, waiting, suspended, completed,"),
        ({"status": ["failed", "nope"]}, "there is no status 'nope'"),
        ({"status": 5}, "there is no status 5"),
        ({"workflow": 5}, "workflow= takes a workflow or its name, not 5"),
        ({"workflow": app}, "workflow= takes a workflow or its name, not <app client"),
        ({"limit": 0}, "limit= takes a whole number of at least 1, not 0"),
        ({"limit": "5"}, "limit= takes a whole number of at least 1, not '5'"),
        ({"limit": True}, "limit= takes a whole number of at least 1, not True"),
        ({"id_prefix": None}, "id_prefix= takes a text, not None"),
    ],
)
async def test_what_a_list_cannot_be_asked_for_is_refused(asked: dict[str, Any], problem: str) -> None:
    async with TestEngine(app) as engine:
        for call in (engine.list, engine.count):
            if call == engine.list or asked.keys() <= {"status", "workflow"}:
                with pytest.raises(DeclarationError, match=re.escape(problem)):
                    await call(**asked)


async def test_an_input_is_the_same_only_if_a_workflow_could_not_tell() -> None:
    async with TestEngine(app) as engine:
        await engine.start(waiting, 1, id="one")
        await engine.start(waiting, {"a": [1, {"b": 2.0, "c": None}], "d": "x"}, id="deep")
        await engine.start(waiting, 1, id="one")
        await engine.start(waiting, {"d": "x", "a": [1, {"c": None, "b": 2.0}]}, id="deep")
        for other in (True, 1.0, "1", [1]):
            with pytest.raises(AlreadyExists, match="with another input"):
                await engine.start(waiting, other, id="one")
        for one, two in ((True, 2.0), (1.0, 2.0), (1, 2)):
            with pytest.raises(AlreadyExists, match="with another input"):
                await engine.start(waiting, {"a": [one, {"b": two, "c": None}], "d": "x"}, id="deep")


async def stored(**rows: str) -> Client:
    """A client on a store with the run `w`, and with these of its rows damaged."""
    client = Client(MemoryStore(), app)
    await client.start(waiting, id="w")
    names = {"record": "run/w", "state": "state/w", "fiber": "fiber/w/0"}
    await client.store.commit(Batch(put={names[name]: text for name, text in rows.items()}))
    return client


@pytest.mark.parametrize("text", ["[1]", "5", "{", '{"$object":["shop:Order",{}]}'])
async def test_a_state_that_cannot_be_read_is_a_decode_error_of_its_run(text: str) -> None:
    run = (await stored(state=text)).handle("w")
    with pytest.raises(DecodeError, match="the state of run 'w' cannot be read: .* restore the store from a backup"):
        await run.state()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"frames":5}',
        '{"frames":[5]}',
        '{"frames":"x"}',
        '{"frames":null}',
        '{"wait":5}',
        '{"frames":[{"line":"x"}]}',
        '{"frames":[{"locals":5}]}',
        '{"frames":[{"line":null}]}',
    ],
)
async def test_a_checkpoint_that_cannot_be_shown_is_a_decode_error_of_its_run(text: str) -> None:
    run = (await stored(fiber=text)).handle("w")
    with pytest.raises(DecodeError, match="the row of fiber 0 of run 'w' is damaged: .* Restore the store"):
        await run.inspect()
    assert await run.history() == []
    assert (await run.info()).id == "w"


async def test_what_of_a_history_is_damaged_is_left_out() -> None:
    whole = '{"n":1,"at":5,"kind":"log"}'
    for bad in ('{"n":"x","at":5,"kind":"log"}', '{"n":2}', '[2,"x","pay","0"]', '{"n":2,"at":null,"kind":"log"}', "5"):
        client = await stored(fiber=f'{{"e":[{bad}]}}')
        await client.store.commit(Batch(put={"history/w/0000": f"[{whole}]", "history/w/0001": f"[{bad},{whole}]"}))
        assert await client.handle("w").history() == [{"n": 1, "at": 5, "kind": "log"}]


@pytest.mark.parametrize("text", ["{", "[]", "{}", "RECORD"])
@pytest.mark.parametrize("field", ['"started_at":"x"', '"closed_at":[1]', '"problem":5', '"cancel_reason":{}'])
async def test_a_damaged_record_says_whose_it_is_and_is_not_written_over(text: str, field: str) -> None:
    record = '{"id":"w","workflow":"waiting","version":"1","status":"running","input":[[],{}],"created_at":1,' + field
    text = text.replace("RECORD", record + "}")
    client = await stored(record=text)
    run = client.handle("w")
    says = "the record of run 'w' is damaged: .* until its row 'run/w' is restored from a backup"
    for call in (
        run.info(),
        run.status(),
        run.inspect(),
        run.result(),
        run.terminate(),
        run.cancel(),
        run.signal("go"),
    ):
        with pytest.raises(DecodeError, match=says):
            await call
    with pytest.raises(DecodeError, match=says):
        await client.start(waiting, id="w")
    (info,) = await client.list()
    assert info.status == "suspended" and info.problem is not None and info.problem["code"] == "decode"
    assert (await client.store.get(["run/w"]))["run/w"].value == text


async def test_a_client_without_an_app_takes_a_workflow_by_its_name_only() -> None:
    async with await Client.open(MemoryStore()) as client:
        with pytest.raises(UnknownWorkflow, match=re.escape("`Client.open(url, app)`, or give its name, 'waiting'")):
            await client.start(waiting)
        run = await client.start("waiting")
        assert await run.status() == "pending"
