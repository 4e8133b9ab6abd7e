"""`weft runs`: listing, showing, signalling and ordering, without an engine."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from tests.unit.cli.conftest import Shop
from weft_core import Client, Engine
from weft_core.cli.exits import Exit
from weft_core.cli.loading import load_app


@pytest.fixture
def stored(shop: Shop) -> Shop:
    """A store with a run that ended, one that waits, and one that never began."""

    async def fill() -> None:
        app = load_app(shop.app)
        engine = await Engine.open("sqlite:///weft.db", app)
        async with engine:
            await (await engine.start("checkout", {"cents": 5}, id="done")).result(timeout="10s")
            run = await engine.start("approval", id="waits")
            while not (await run.inspect()).locals:
                await asyncio.sleep(0)
        async with await Client.open("sqlite:///weft.db") as client:
            await client.start("approval", id="young", start_after="1h")

    asyncio.run(fill())
    return shop


def test_list_shows_every_run(stored: Shop) -> None:
    said = stored.weft("runs", "list")
    lines = said.out.splitlines()
    assert [line.split()[0:3] for line in lines] == [
        ["RUN", "WORKFLOW", "STATUS"],
        ["done", "checkout", "completed"],
        ["waits", "approval", "waiting"],
        ["young", "approval", "pending"],
    ]


def test_list_filters(stored: Shop) -> None:
    said = stored.weft("runs", "list", "--json", "--status", "pending", "--status", "completed")
    assert [run["id"] for run in said.json] == ["done", "young"]
    said = stored.weft("runs", "list", "--json", "--workflow", "approval", "--limit", "1")
    assert [run["id"] for run in said.json] == ["waits"]
    assert stored.weft("runs", "list", "--status", "weird").exit == Exit.USAGE


def test_show_tells_where_a_run_stands(stored: Shop) -> None:
    said = stored.weft("runs", "show", "waits")
    assert said.exit == Exit.OK
    assert "waiting for signal approve" in said.out
    assert 'waiting_since = "Monday"' in said.out
    document = stored.weft("runs", "show", "waits", "--json").json
    (fiber,) = document["fibers"]
    assert fiber["frames"][0]["locals"]["waiting_since"] == "Monday"
    line = fiber["frames"][0]["line"]
    assert "wait_for_signal" in stored.path.read_text().splitlines()[line - 1]


def test_show_knows_the_source_line_from_the_store(stored: Shop) -> None:
    stored.path.write_text("# the code has changed since, or is not even here\n")
    said = stored.weft("runs", "show", "waits")
    assert 'said = await ctx.wait_for_signal("approve")' in said.out
    assert stored.path.name in said.out


def test_show_tells_what_an_ended_run_did(stored: Shop) -> None:
    said = stored.weft("runs", "show", "done")
    assert "completed" in said.out
    assert 'stage = "paying"' in said.out
    assert "activity completed charge" in said.out


def test_a_signal_is_stored(stored: Shop) -> None:
    said = stored.weft("runs", "signal", "waits", "approve", '"yes"', "--dedupe", "x")
    assert (said.exit, said.out) == (Exit.OK, "")
    assert stored.weft("runs", "signal", "waits", "approve", '"yes"', "--dedupe", "x", "--json").json["stored"]
    assert stored.weft("resume", stored.app, "waits", "--quiet").out == "yes after Monday\n"


def test_cancel_is_carried_out_by_the_next_engine(stored: Shop) -> None:
    assert stored.weft("runs", "cancel", "waits", "--reason", "nobody asks").exit == Exit.OK
    said = stored.weft("resume", stored.app, "waits", "--json")
    assert said.exit == Exit.RUN_FAILED
    assert said.json["status"] == "cancelled"
    assert said.json["error"]["code"] == "run_cancelled"
    assert "nobody asks" in said.json["error"]["message"]


@pytest.mark.parametrize(
    ("words", "exit", "says"),
    [
        (["show", "nobody"], Exit.NOT_FOUND, "no run 'nobody'"),
        (["signal", "nobody", "approve"], Exit.NOT_FOUND, "no run 'nobody'"),
        (["signal", "done", "approve"], Exit.REFUSED, "has ended (completed)"),
        (["cancel", "done"], Exit.REFUSED, "has ended (completed)"),
        (["signal", "waits", "approve", "yes"], Exit.USAGE, "the payload is not JSON"),
        (["signal", "waits", "approve", "1", "--dedupe", "名" * 401], Exit.USAGE, "the signal's id is too long"),
        (["show", "名" * 401], Exit.NOT_FOUND, "(401 characters) in this store"),
        (["list", "--db", "sqlite:///elsewhere.db"], Exit.NOT_FOUND, "there is no store at elsewhere.db"),
        (["list", "--limit", "0"], Exit.USAGE, "--limit must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_explained(stored: Shop, words: list[str], exit: Exit, says: str) -> None:
    said = stored.weft("runs", *words)
    assert said.exit == exit
    assert says in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not (stored.folder / "elsewhere.db").exists()


def damage(key: str) -> None:
    with closing(sqlite3.connect("weft.db")) as db, db:
        assert db.execute("UPDATE kv SET value = substr(value, 1, 20) WHERE key = ?", (key,)).rowcount == 1


def test_a_damaged_checkpoint_does_not_hide_the_rest_of_its_run(stored: Shop) -> None:
    damage("fiber/waits/0")
    said = stored.weft("runs", "show", "waits")
    assert said.exit == Exit.OK
    assert "its stacks cannot be shown: the row of fiber 0 of run 'waits' is damaged: the row is not JSON" in said.out
    assert "waits  approval  waiting" in said.out
    said = stored.weft("runs", "show", "waits", "--json")
    assert said.json["history"] == []  # its few entries were in the row that is damaged
    assert said.json["fibers"] == [] and "not JSON" in said.json["damaged"]
    said = stored.weft("resume", stored.app, "waits")
    assert said.exit == Exit.PARKED
    assert "restore the store from a backup" in said.err and "intact" not in said.err


def test_a_damaged_record_hides_no_other_run(stored: Shop) -> None:
    damage("run/waits")
    said = stored.weft("runs", "list", "--json")
    assert said.exit == Exit.OK
    shown = {run["id"]: (run["status"], (run["problem"] or {}).get("code")) for run in said.json}
    assert shown == {"done": ("completed", None), "waits": ("suspended", "decode"), "young": ("pending", None)}
    said = stored.weft("runs", "show", "waits")
    assert said.exit == Exit.STORE
    assert "the record of run 'waits' is damaged" in said.err
    assert len(said.err.strip().splitlines()) == 1
    said = stored.weft("runs", "terminate", "waits")
    assert said.exit == Exit.STORE
    assert "until its row 'run/waits' is restored from a backup" in said.err
