"""SIGKILL at random moments, in real Chromium on one profile: nothing is lost, no committed step is repeated."""

from __future__ import annotations

import os
import random
import struct
import time

import pytest
from playwright.sync_api import Page

from tests.browser import leveldb
from tests.browser.conftest import Browser, open_weft

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KILLS = int(os.environ.get("WEFT_BROWSER_KILLS", "6"))
"""How often the browser is killed; the long run asks for 50."""
STEPS = 1_000_000
"""More than there is time for."""
MOMENT_MS_MAX = 1_500
"""A kill comes at a random moment up to so long after runs advance again; some come before."""


def test_a_browser_killed_at_random_moments_loses_and_repeats_nothing(browser: Browser) -> None:
    seed = int(os.environ.get("WEFT_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with WEFT_SEED={seed})")
    dice = random.Random(seed)
    page, kills, wiped = _begin(browser), 0, 0
    for _ in range(KILLS):
        if dice.random() < 0.8:
            page.evaluate("it.ready")
        time.sleep(dice.uniform(0, MOMENT_MS_MAX) / 1000)  # the kill's moment is the point of the test
        browser.kill()
        kills += 1
        before = leveldb.logs(browser.profile)
        page = browser.page()
        open_weft(page)
        if page.evaluate("it.run('s').status().catch(({ code }) => code)") == "run_not_found":
            assert any(map(leveldb.torn, before)), (
                "the database is empty, and it was not Chromium that could not read it"
            )
            wiped += 1
            assert wiped <= 1 + KILLS // 10
            print(f"Chromium tore its own log and deleted the database after {kills} kills; from the beginning again")
            _check(browser, kills)
            browser.ledger.entries.clear()
            page, kills = _begin(browser), 0
    page.evaluate("it.ready")
    committed = page.evaluate("it.run('s').state().then((state) => state.noted ?? 0)")
    page.evaluate("it.run('s').terminate('enough was seen')")
    values, again = _check(browser, kills)
    print(f"{KILLS} kills, {committed} steps committed, {again} attempts made again; Chromium lost {wiped} databases")
    assert values >= committed
    assert committed > 0 or kills < KILLS


def _begin(browser: Browser) -> Page:
    page = browser.page()
    open_weft(page)
    page.evaluate("(count) => it.start('march', count, { id: 's' })", STEPS)
    return page


def _check(browser: Browser, kills: int) -> tuple[int, int]:
    """How many values arrived, and how many once more. None was left out, none committed was done again."""
    values, entries = browser.ledger.once(), browser.ledger.entries
    assert values == list(range(len(values))), "steps ran in order, and each has one idempotency key"
    again = len(entries) - len(values)
    assert again <= kills, "only the step under way at a kill may run again"
    return len(values), again


def test_a_log_that_was_torn_and_written_on_is_recognised() -> None:
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
