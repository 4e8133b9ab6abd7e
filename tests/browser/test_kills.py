"""SIGKILL at random moments, in real Chromium on one profile: nothing is lost, no committed step is repeated."""

from __future__ import annotations

import os
import random
import time

import pytest

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
    page = browser.page()
    open_weft(page)
    page.evaluate("(count) => it.start('march', count, { id: 's' })", STEPS)
    for kill in range(KILLS):
        if dice.random() < 0.8:
            page.evaluate("it.ready")
        time.sleep(dice.uniform(0, MOMENT_MS_MAX) / 1000)  # the kill's moment is the point of the test
        browser.kill()
        torn = [leveldb.torn(log) for log in leveldb.logs(browser.profile)]
        page = browser.page()
        open_weft(page)
        status = page.evaluate("it.run('s').status().catch(({ code }) => code)")
        assert status in ("pending", "running", "waiting"), f"{status} after {kill + 1} kills; logs written on: {torn}"
        assert not any(torn)
    page.evaluate("it.ready")
    committed = page.evaluate("it.run('s').state().then((state) => state.noted ?? 0)")
    page.evaluate("it.run('s').terminate('enough was seen')")
    values, entries = browser.ledger.once(), browser.ledger.entries
    assert values == list(range(len(values))), "steps ran in order, and each has one idempotency key"
    again = len(entries) - len(values)
    assert again <= KILLS, "only the step under way at a kill may run again"
    print(f"{KILLS} kills, {committed} steps committed, {again} attempts made again")
    assert len(values) >= committed > 0
