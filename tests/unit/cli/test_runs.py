"""`weft runs`: listing, showing, signalling and ordering, without an engine."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import sys
from contextlib import closing

import pytest

from tests.unit.cli.conftest import Shop
from weft_core import Client, Engine
from weft_core.cli.exits import Exit
from weft_core.cli.loading import load_app
from weft_core.cli.progress import ERROR_SHOWN_MAX, awaited
from weft_core.inspection import FiberView


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


def test_show_tells_why_an_activity_is_tried_again() -> None:
    wait = {"op": "run", "activity": "charge", "attempt": 4, "last_error": f"KeyError: 'cents'\n{'x' * 500}"}
    told = awaited(FiberView(id="0", frames=(), waiting_for=wait, ended=False))
    assert told == f" in activity charge, attempt 4 after KeyError: 'cents' {'x' * (ERROR_SHOWN_MAX - 18)}"
    del wait["last_error"]
    assert awaited(FiberView(id="0", frames=(), waiting_for=wait, ended=False)) == " in activity charge, attempt 4"


def edit(shop: Shop, old: str, new: str) -> None:
    """Change the app's source, and forget the module that was loaded."""
    assert old in shop.path.read_text()
    shop.path.write_text(shop.path.read_text().replace(old, new) + "# changed\n")
    sys.modules.pop(shop.module, None)
    importlib.invalidate_caches()


def test_show_tells_a_result(stored: Shop) -> None:
    assert '  result: {"paid": 5}' in stored.weft("runs", "show", "done").out
    document = stored.weft("runs", "show", "done", "--json").json
    assert (document["result"], document["error"], document["reason"]) == ({"paid": 5}, None, None)
    document = stored.weft("runs", "show", "waits", "--json").json
    assert (document["result"], document["error"], document["reason"]) == (None, None, None)


def test_show_tells_why_a_run_failed_and_where(stored: Shop) -> None:
    edit(stored, "raise ValueError(", 'raise Refused from KeyError("cents")\n        raise ValueError(')
    edit(stored, "raise Refused", 'raise Refused("a price cannot be negative")')
    edit(stored, 'app = App("shop")', 'app = App("shop")\n\n\nclass Refused(Exception): ...')
    assert stored.weft("run", stored.app, "checkout", "--arg", '{"cents": -1}', "--id", "bad").exit == Exit.RUN_FAILED
    stored.path.write_text("# its classes are not needed to tell\n")
    said = stored.weft("runs", "show", "bad")
    assert said.exit == Exit.OK
    lines = said.out.splitlines()
    at = lines.index("  error: Refused: a price cannot be negative")
    assert lines[at + 1] == "    Traceback (most recent call last):"
    assert "in charge" in said.out and 'raise Refused("a price cannot be negative")' in said.out
    assert "  caused by: KeyError: 'cents'" in lines
    document = stored.weft("runs", "show", "bad", "--json").json
    error = document["error"]
    assert document["status"] == "failed" and document["result"] is None
    assert (error["type"], error["message"]) == (f"{stored.module}:Refused", "a price cannot be negative")
    assert error["traceback"].startswith("Traceback (most recent call last):\n")
    assert error["cause"]["type"] == "KeyError"


@pytest.mark.parametrize(("order", "ended"), [("cancel", "cancelled"), ("terminate", "terminated")])
def test_show_tells_why_a_run_was_stopped(stored: Shop, order: str, ended: str) -> None:
    stored.weft("runs", order, "waits", "--reason", "nobody asks")
    stored.weft("resume", stored.app, "waits")
    assert "  reason: nobody asks" in stored.weft("runs", "show", "waits").out
    document = stored.weft("runs", "show", "waits", "--json").json
    assert (document["status"], document["reason"]) == (ended, "nobody asks")


def test_show_tells_that_a_run_ran_out_of_time(stored: Shop) -> None:
    edit(stored, "@app.workflow\nasync def approval", '@app.workflow(timeout="10ms")\nasync def late')
    assert stored.weft("run", stored.app, "late", "--id", "late").exit == Exit.RUN_FAILED
    assert "  reason: the run passed its workflow's timeout" in stored.weft("runs", "show", "late").out
    document = stored.weft("runs", "show", "late", "--json").json
    assert (document["status"], document["reason"]) == ("timed_out", "the run passed its workflow's timeout")


def test_show_tells_that_an_error_is_damaged(stored: Shop) -> None:
    stored.weft("run", stored.app, "checkout", "--arg", '{"cents": -1}', "--id", "bad")
    with closing(sqlite3.connect("weft.db")) as db, db:
        db.execute("""UPDATE kv SET value = json_set(value, '$.error', 5) WHERE key = 'run/bad'""")
    said = stored.weft("runs", "show", "bad", "--json")
    assert said.exit == Exit.OK
    assert "the error of run 'bad' is damaged" in said.json["damaged"]


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
        assert db.execute("UPDATE kv SET value = substr(value, 1, 10) WHERE key = ?", (key,)).rowcount == 1


def test_a_damaged_checkpoint_does_not_hide_the_rest_of_its_run(stored: Shop) -> None:
    damage("fiber/waits/0")
    said = stored.weft("runs", "show", "waits")
    assert said.exit == Exit.OK
    assert "not all of it can be shown: the row of fiber 0 of run 'waits' is damaged: the row is not JSON" in said.out
    assert "waits  approval  waiting" in said.out
    said = stored.weft("runs", "show", "waits", "--json")
    assert said.json["history"] == []  # its few entries were in the row that is damaged
    assert said.json["fibers"] == [] and "not JSON" in said.json["damaged"]
    said = stored.weft("resume", stored.app, "waits")
    assert said.exit == Exit.PARKED
    assert "restore the store from a backup" in said.err and "intact" not in said.err


def test_a_damaged_state_does_not_hide_the_rest_of_its_run(stored: Shop) -> None:
    damage("state/done")
    said = stored.weft("runs", "show", "done")
    assert said.exit == Exit.OK
    assert "not all of it can be shown: the state of run 'done' cannot be read" in said.out
    assert '  result: {"paid": 5}' in said.out
    said = stored.weft("runs", "show", "done", "--json")
    assert said.json["state"] == {} and "cannot be read" in said.json["damaged"]
    assert said.json["result"] == {"paid": 5}


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
