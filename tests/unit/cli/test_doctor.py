"""`weft doctor`: every way in which a store and an app can be unwell is found, named, and given a remedy."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.unit.cli.conftest import Shop
from weft_core import Engine
from weft_core.cli.exits import Exit
from weft_core.cli.loading import load_app


@pytest.fixture
def stored(shop: Shop) -> Shop:
    """A store with a run that waits for a signal."""

    async def fill() -> None:
        engine = await Engine.open("sqlite:///weft.db", load_app(shop.app))
        async with engine:
            run = await engine.start("approval", id="waits")
            while not (await run.inspect()).locals:
                await asyncio.sleep(0)

    asyncio.run(fill())
    return shop


def edit(shop: Shop, change: Callable[[str], str]) -> None:
    """Change the app's source, and forget the module that was loaded."""
    shop.path.write_text(change(shop.path.read_text()) + "# changed\n")
    sys.modules.pop(shop.module, None)
    importlib.invalidate_caches()


def damage(sql: str, *values: object) -> None:
    with closing(sqlite3.connect("weft.db")) as db, db:
        assert db.execute(sql, values).rowcount == 1


def levels(said_json: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """The worst level of each topic."""
    order = ["ok", "warning", "error"]
    worst: dict[str, str] = {}
    for finding in said_json["findings"]:
        assert finding["hint"] or finding["level"] == "ok", finding
        now = worst.get(finding["topic"], "ok")
        worst[finding["topic"]] = max(now, finding["level"], key=order.index)
    return worst


def test_a_healthy_store_and_app(stored: Shop) -> None:
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.OK
    assert said.json["healthy"] is True
    assert set(levels(said.json).values()) == {"ok"}
    text = stored.weft("doctor", stored.app).out
    assert "1 open run can go on in the code of this app" in text
    assert "no engine is running on it" in text
    assert "1 run: 1 waiting" in text
    assert "waiting" in stored.weft("runs", "list").out


def test_it_changes_nothing(stored: Shop) -> None:
    def content() -> list[object]:
        with closing(sqlite3.connect("weft.db")) as db:
            return db.execute("SELECT * FROM kv ORDER BY key").fetchall()

    before = content()
    stored.weft("doctor", stored.app)
    assert content() == before


def test_a_run_in_changed_code_is_named_and_its_source_is_kept(stored: Shop) -> None:
    edit(stored, lambda text: text.replace('return f"{said} after', 'return f"{said} long after'))
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.OK
    assert levels(said.json)["code"] == "warning"
    assert "'waits' waits in an earlier version of approval" in str(said.json)


def test_a_workflow_that_is_gone_is_an_error(stored: Shop) -> None:
    edit(stored, lambda text: text[: text.rindex("@app.workflow")])
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.UNHEALTHY
    assert levels(said.json)["code"] == "error"
    assert "does not declare" in str(said.json)


def test_changed_code_whose_old_source_is_lost_is_an_error(stored: Shop) -> None:
    edit(stored, lambda text: text.replace('return f"{said} after', 'return f"{said} long after'))
    with closing(sqlite3.connect("weft.db")) as db, db:
        db.execute("DELETE FROM kv WHERE key LIKE 'unit/%'")
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.UNHEALTHY
    assert "the source of 'approval' is lost" in str(said.json)


@pytest.mark.parametrize("line", ["async def inner(): ...", "no Python at all", "locals()"])
def test_an_app_that_does_not_compile_is_an_error_and_the_store_is_looked_at_all_the_same(
    stored: Shop, line: str
) -> None:
    edit(stored, lambda text: text.replace("    waiting_since =", f"    {line}\n    waiting_since ="))
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.UNHEALTHY
    assert levels(said.json)["app"] == "error"
    assert levels(said.json)["store"] == "ok"


def test_an_app_whose_module_runs_a_loop_of_its_own_is_loaded(stored: Shop) -> None:
    edit(stored, lambda text: text + "\n\nasync def main(): ...\n\nimport asyncio\nasyncio.run(main())\n")
    said = stored.weft("doctor", stored.app, "--json")
    assert (said.exit, levels(said.json)["app"]) == (Exit.OK, "ok")


def test_a_damaged_record_is_named_and_others_are_looked_at(stored: Shop) -> None:
    damage("UPDATE kv SET value = '{' WHERE key = 'run/waits'")
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.UNHEALTHY
    assert "the record of 'waits' is damaged" in str(said.json)


def test_a_damaged_checkpoint_is_named(stored: Shop) -> None:
    damage("UPDATE kv SET value = substr(value, 1, length(value) - 5) WHERE key LIKE 'fiber/waits/%'")
    said = stored.weft("doctor", stored.app, "--json")
    assert said.exit == Exit.UNHEALTHY
    assert levels(said.json)["checkpoint"] == "error"


def test_a_run_without_its_checkpoint_is_named(stored: Shop) -> None:
    damage("DELETE FROM kv WHERE key = 'fiber/waits/0'")
    for app in ([], [stored.app]):
        said = stored.weft("doctor", *app, "--json")
        assert said.exit == Exit.UNHEALTHY
        assert "'waits' cannot go on: 1 checkpoint missing, such as fiber/waits/0" in str(said.json)


def test_a_run_without_one_of_its_branches_is_named(stored: Shop) -> None:
    edit(
        stored,
        lambda text: (
            text
            + """
@app.workflow
async def both(ctx: Context) -> list:
    return await ctx.all(ctx.wait_for_signal("a"), ctx.wait_for_signal("b"), limit=1)
"""
        ),
    )

    async def begin() -> None:
        engine = await Engine.open("sqlite:///weft.db", load_app(stored.app))
        async with engine:
            run = await engine.start("both", id="both")
            while len((await run.inspect()).fibers) < 3:
                await asyncio.sleep(0)

    asyncio.run(begin())
    assert stored.weft("doctor", stored.app).exit == Exit.OK
    damage("DELETE FROM kv WHERE key = 'fiber/both/0.2'")
    said = stored.weft("doctor", "--json")
    assert said.exit == Exit.UNHEALTHY
    assert "'both' cannot go on: 1 checkpoint missing, such as fiber/both/0.2" in str(said.json)


def test_a_layout_of_another_version_is_an_error(stored: Shop) -> None:
    damage("UPDATE kv SET value = '{\"format\":99}' WHERE key = 'meta/format'")
    said = stored.weft("doctor", "--json")
    assert said.exit == Exit.UNHEALTHY
    assert "layout 99" in str(said.json)


def test_a_file_that_is_no_store_is_an_error(shop: Shop) -> None:
    (shop.folder / "weft.db").write_text("this is not a database, it is a letter to a friend" * 100)
    said = shop.weft("doctor", "--json")
    assert said.exit == Exit.UNHEALTHY
    assert levels(said.json)["store"] == "error"


def test_a_parked_run_is_named_with_its_reason(stored: Shop, caplog: pytest.LogCaptureFixture) -> None:
    edit(stored, lambda text: text[: text.rindex("@app.workflow")])

    async def park() -> None:
        engine = await Engine.open("sqlite:///weft.db", load_app(stored.app))
        async with engine:
            await engine.handle("waits").signal("approve", 1)
            while (await engine.handle("waits").info()).problem is None:
                await asyncio.sleep(0)

    asyncio.run(park())
    said = stored.weft("doctor", "--json")
    assert said.exit == Exit.UNHEALTHY
    assert levels(said.json)["parked"] == "error"
    listed = stored.weft("runs", "list").out
    assert "unknown_workflow" in listed
    caplog.clear()
    resumed = stored.weft("resume", stored.app, "waits")
    assert resumed.exit == Exit.PARKED
    assert resumed.err.count("parked") == 1
    assert len([record for record in caplog.records if "is parked" in record.getMessage()]) == 1
    resumed = stored.weft("resume", stored.app, "waits", "--json")
    assert resumed.exit == Exit.PARKED
    assert resumed.json["error"]["code"] == "unknown_workflow"


def test_no_store_is_said_and_none_is_made(shop: Shop) -> None:
    said = shop.weft("doctor")
    assert said.exit == Exit.NOT_FOUND
    assert not (shop.folder / "weft.db").exists()
