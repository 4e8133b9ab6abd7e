"""A site that does not answer strands no tab: its engine is tried again. What is missing for good stays a failure."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Browser, open_weft

pytestmark = pytest.mark.browser
RETRYING = "it.engine.view.retryAt !== null"
SERVING = "it.engine.view.phase === 'serving'"
HELD = "navigator.locks.query().then(({ held, pending }) => held.length + pending.length)"


def refuse(browser: Browser, page: Page, path: str, status: int) -> None:
    """From now on, whatever the browser has in its cache."""
    browser.refusals[path] = status
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")


def test_a_tab_that_is_to_lead_while_the_site_is_away_leads_when_it_is_back(browser: Browser) -> None:
    leader = browser.page()
    open_weft(leader)
    leader.evaluate("it.ready")
    heir = browser.page()
    open_weft(heir)
    heir.wait_for_function("it.engine.view.phase === 'waiting'")
    refuse(browser, heir, "/weft/", 503)
    leader.close()
    heir.wait_for_function(RETRYING)
    assert heir.evaluate(HELD) == 0, "another tab may try"
    assert heir.evaluate("[it.engine.view.phase, it.engine.view.leader]") == ["waiting", "none"]
    said = heir.evaluate("it.engine.view.message")
    assert "503" in said and "trying again in" in said and "copy" not in said
    heir.evaluate("it.start('loud', 'durable', { id: 'd' })")
    assert heir.evaluate("it.run('d').status()") == "pending"
    pauses = heir.evaluate(
        """new Promise((done) => {
          const pauses = [];
          it.engine.on("change", ({ retryAt, message }) => {
            if (retryAt !== null) pauses.push(Number(message.match(/again in (\\d+) s/)[1]));
            if (pauses.length === 3) done(pauses);
          });
        })"""
    )
    assert pauses[1:] == [2 * pause for pause in pauses[:-1]]
    browser.refusals.clear()
    assert heir.evaluate("(dispatchEvent(new Event('online')), it.engine.view.retryAt)") is None, "at once"
    assert heir.evaluate("it.run('d').result()") == "DURABLE"


def test_whatever_part_of_the_site_is_away_at_first_the_engine_starts_by_itself(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, engine=False)
    for path, status in (
        ("/weft/weft-worker.js", 503),
        ("/weft/stdlib.zip", 0),
        ("/weft/pyodide.mjs", 429),
        ("/pages/app.py", 502),
    ):
        refuse(browser, page, path, status)
        page.evaluate("it.engine.start()")
        page.wait_for_function(RETRYING)
        said = page.evaluate("it.engine.view.message")
        assert path in said and (str(status) if status else "cannot be reached") in said
        browser.refusals.clear()
        page.wait_for_function(SERVING)
        assert page.evaluate("it.engine.view.retryAt") is None
        page.evaluate("it.engine.kill()")


def test_what_is_missing_for_good_stays_a_failure(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, engine=False)
    for path, status, advice in (
        ("/weft/weft-worker.js", 404, "(404); copy the whole folder of assets"),
        ("/weft/stdlib.zip", 404, "(404); copy the whole folder of assets"),
        ("/pages/app.py", 404, "(404); it was given in `files` for app.py"),
        # What a host of a single page answers for a file that it does not have.
        ("/weft/weft-worker.js", 200, "(a page came instead); copy the whole folder of assets"),
        ("/weft/pyodide.mjs", 200, "(a page came instead); copy the whole folder of assets"),
        ("/weft/stdlib.zip", 200, "(a page came instead); copy the whole folder of assets"),
        ("/pages/app.py", 200, "(a page came instead); it was given in `files` for app.py"),
    ):
        refuse(browser, page, path, status)
        page.evaluate("it.engine.start()")
        page.wait_for_function("it.engine.view.phase === 'failed'")
        said = page.evaluate("it.engine.view.message")
        assert said.endswith(f"{path} is not served {advice}"), said
        assert f"Weft: {said}" in browser.messages, "told where nobody listens"
        assert page.evaluate("it.engine.view.retryAt") is None
        browser.refusals.clear()
        page.evaluate("it.engine.kill()")


def test_a_page_among_the_files_of_an_app_is_a_file_like_any_other(browser: Browser) -> None:
    page = browser.page()
    files = {"app.py": "/pages/app.py", "mails/thanks.html": "/pages/blank.html", "old.HTM": "/pages/blank.html"}
    open_weft(page, files=files)
    page.wait_for_function("['serving', 'failed'].includes(it.engine.view.phase)")
    assert page.evaluate("it.engine.view.phase") == "serving", page.evaluate("it.engine.view.message")


def test_a_client_that_is_closed_or_killed_while_it_waits_tries_no_more(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, packages=["/made/none.whl"], engine=False)
    browser.refusals["/made/"] = 503
    page.evaluate("it.engine.start()")
    page.wait_for_function(RETRYING)
    page.evaluate("it.engine.kill()")
    assert page.evaluate("[it.engine.view.phase, it.engine.view.retryAt]") == ["closed", None]
    page.evaluate("it.engine.start()")
    page.wait_for_function(RETRYING)
    assert page.evaluate("(document.dispatchEvent(new Event('visibilitychange')), it.engine.view.retryAt)") is None
    page.wait_for_function(RETRYING)
    page.evaluate("it.close()")
    assert page.evaluate("[it.engine.view.phase, it.engine.view.retryAt]") == ["closed", None]
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(100)
    assert page.evaluate("it.engine.view.phase") == "closed"
    assert page.evaluate(HELD) == 0
