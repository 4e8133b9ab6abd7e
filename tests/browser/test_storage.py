"""What browsers do to their storage: logs that kills cut off, databases that are gone."""

from __future__ import annotations

import struct

import pytest

from tests.browser import leveldb
from tests.browser.conftest import Browser, open_weft

pytestmark = pytest.mark.browser


DELETE = "(name) => new Promise((ok, no) => { Object.assign(indexedDB.deleteDatabase(name), { onsuccess: ok, onerror: no }); })"


def test_what_a_kill_leaves_in_the_log_costs_no_run(browser: Browser) -> None:
    started = []
    for life in range(3):
        page = browser.page()
        open_weft(page, engine=life == 1)
        found = page.evaluate("it.list().then((runs) => runs.map((run) => run.id))")
        assert found == started, "this browser reads all that earlier ones were told is durable"
        started.append(f"g{life}")
        page.evaluate("(id) => it.start('greet', 'world', { id })", started[-1])
        if life == 1:  # as a kill does that comes when it was deleted and is not there again
            page.evaluate(DELETE, "weft:log")
        browser.kill()
        logs = leveldb.logs(browser.profile)
        assert not any(leveldb.CUT in log for log in logs), "what is written is not behind a cut record"
        leveldb.cut(browser.profile)
    page = browser.page()
    open_weft(page)
    for run in started:
        page.evaluate("(id) => it.run(id).signal('word', 'Hello')", run)
        assert page.evaluate("(id) => it.run(id).result()", run) == "Hello, world!"


def test_a_database_that_is_gone_is_told_as_long_as_there_is_no_new_run(browser: Browser) -> None:
    def lost(then: str = "") -> bool:
        page = browser.page()
        open_weft(page, engine=False, database="kept")
        found: bool = page.evaluate("it.storeLost")
        page.evaluate(f"(async () => {{ {then}; await it.close(); }})()")
        page.close()
        return found

    note = "weft:store:kept"
    assert not lost(), "there was none"
    assert not lost()
    page = browser.page()
    before = page.evaluate("(note) => localStorage.getItem(note)", note)
    page.evaluate(DELETE, "kept")
    assert lost()
    assert any("kept that was here is gone" in message for message in browser.messages)
    assert not lost(), "once"
    page.evaluate("([note, before]) => localStorage.setItem(note, before)", [note, before])
    assert lost("await it.start('greet', 'world')"), "a kill made the browser forget that it was told"
    page.evaluate("([note, before]) => localStorage.setItem(note, before)", [note, before])
    assert not lost(), "what is here is not what was lost"


def test_a_page_that_may_keep_nothing_else_opens_as_well(browser: Browser) -> None:
    page = browser.page()
    page.evaluate(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    open_weft(page, engine=False)
    assert page.evaluate("it.storeLost") is False


def test_a_first_opening_without_room_says_so(browser: Browser) -> None:
    page = browser.page()
    session = browser.context.new_cdp_session(page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": browser.base, "quotaSize": 1_000})
    page.wait_for_function("window.weft !== undefined")
    assert page.evaluate("openWeft({ engine: false }).catch(({ code }) => code)") == "store_full"
    session.send("Storage.overrideQuotaForOrigin", {"origin": browser.base})
    open_weft(page, engine=False)
    assert page.evaluate("it.count()") == 0


def test_the_scratch_database_is_nobodys_store(browser: Browser) -> None:
    page = browser.page()
    page.wait_for_function("window.weft !== undefined")
    said = page.evaluate("openWeft({ database: 'weft:log' }).catch(({ code, message }) => code + ': ' + message)")
    assert said == "store: weft:log is no name for a database"


def test_a_log_that_was_cut_and_written_on_is_recognised() -> None:
    def record(kind: int, length: int, filled: int | None = None) -> bytes:
        return struct.pack("<IHB", 0, length, kind) + b"x" * (length if filled is None else filled)

    whole = record(1, 1_000) + record(1, 2_000)
    cut = whole + record(1, 5_000, filled=100)
    assert not leveldb.torn(whole)
    assert not leveldb.torn(cut), "an incomplete record at the end is left out by whoever reads the log"
    written_on = cut + record(1, 500) * 60
    assert len(written_on) < leveldb.BLOCK + 3_000
    assert leveldb.torn(written_on + record(1, 500) * 10)
    spread = record(1, 20_000) + record(2, leveldb.BLOCK - 20_007 - 7)
    assert not leveldb.torn(spread + record(4, 100))
    assert leveldb.torn(spread + record(1, 100)), "the rest of a record is missing"
