"""Life as it happens in a browser: no Python yet, closed pages, several tabs, killed browsers."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Browser, open_weft, until

pytestmark = pytest.mark.browser
SERVING = "it.engine.view.phase === 'serving'"


def test_a_start_and_a_signal_are_durable_before_any_python_is_loaded(browser: Browser) -> None:
    page = browser.page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_weft(page, engine=False)
    page.evaluate("it.start('greet', 'world', { id: 'g' }).then((run) => run.signal('word', 'Hello', { id: 's' }))")
    assert page.evaluate("it.run('g').status()") == "pending"
    assert not [url for url in requests if "pyodide" in url or "stdlib" in url]
    page.close()
    browser.close()

    page = browser.page()
    open_weft(page)
    assert page.evaluate("it.run('g').result()") == "Hello, world!"
    assert page.evaluate("it.run('g').status()") == "completed"


def test_starting_again_gives_the_same_run_and_another_input_is_refused(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, engine=False)
    page.evaluate("it.start('greet', { b: 1, a: [2] }, { id: 'g' })")
    assert page.evaluate("it.start('greet', { a: [2], b: 1 }, { id: 'g' }).then((run) => run.id)") == "g"
    code = "(error) => error.code"
    assert page.evaluate(f"it.start('greet', 'other', {{ id: 'g' }}).catch({code})") == "already_exists"
    assert page.evaluate(f"it.start('greet', {{ a: [2], b: 1 }}, {{ id: 'g', ifExists: 'fail' }}).catch({code})") == (
        "already_exists"
    )
    assert page.evaluate(f"it.run('nobody').signal('word').catch({code})") == "run_not_found"
    assert page.evaluate(f"it.start('greet', () => 1).catch({code})") == "checkpoint"


def test_closing_the_page_in_the_middle_loses_nothing(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('steps', 60, { id: 's' })")
    browser.ledger.wait_for(10)
    page.close()

    page = browser.page()
    open_weft(page)
    assert page.evaluate("it.run('s').result()") == list(range(60))
    assert browser.ledger.once() == list(range(60))
    assert len(browser.ledger.entries) <= 61, "only the step under way at the close may have run twice"


def test_killing_the_worker_again_and_again_loses_nothing(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('steps', 50, { id: 's' })")
    for seen in (5, 15, 25):
        browser.ledger.wait_for(seen)
        page.evaluate("it.engine.kill()")
        assert page.evaluate("it.engine.view.phase") == "closed"
        page.evaluate("it.engine.start()")
    assert page.evaluate("it.run('s').result()") == list(range(50))
    assert browser.ledger.once() == list(range(50))
    assert len(browser.ledger.entries) <= 53


def test_of_two_tabs_one_leads_and_the_other_takes_over_when_it_ends(browser: Browser) -> None:
    first = browser.page()
    open_weft(first)
    first.evaluate("it.ready")
    second = browser.page()
    open_weft(second)
    second.evaluate("it.ready")
    assert first.evaluate("it.engine.view.leader") == "this"
    # `ready` speaks of any tab's engine; this tab's own worker may only just be asking for the lock.
    second.wait_for_function("it.engine.view.phase === 'waiting'")
    assert second.evaluate("[it.engine.view.phase, it.engine.view.leader]") == ["waiting", "other"]

    second.evaluate("it.start('steps', 40, { id: 's' })")
    browser.ledger.wait_for(10)
    assert second.evaluate("it.engine.view.phase") == "waiting"
    first.close()
    second.wait_for_function(SERVING)
    assert second.evaluate("it.run('s').result()") == list(range(40))
    assert browser.ledger.once() == list(range(40))
    assert len(browser.ledger.entries) <= 41


def test_a_run_waits_for_a_tab_that_was_given_its_activity(browser: Browser) -> None:
    first = browser.page()
    open_weft(first, activities={})
    first.evaluate("it.ready")
    second = browser.page()
    open_weft(second)
    second.wait_for_function("it.engine.view.phase === 'waiting'")
    problem = "it.start('loud', 'x', { id: 'l' }).then((run) => run.result()).catch((error) => error.message)"
    assert "Weft.open({ activities: { shout } })" in second.evaluate(problem)
    assert second.evaluate("it.run('l').status()") == "suspended"
    first.close()
    until(second, "it.run('l').status().then((status) => status === 'completed')")
    assert second.evaluate("it.run('l').result()") == "X"


def test_a_tab_without_an_engine_notices_that_the_leader_is_gone(browser: Browser) -> None:
    leader = browser.page()
    open_weft(leader)
    watcher = browser.page()
    open_weft(watcher, engine=False)
    watcher.evaluate("it.ready")
    assert watcher.evaluate("[it.engine.view.phase, it.engine.view.leader]") == ["closed", "other"]
    leader.close()
    watcher.wait_for_function("it.engine.view.leader === 'none' && !it.engine.advancing")

    again = browser.page()
    open_weft(again)
    watcher.wait_for_function("it.engine.view.leader === 'other' && it.engine.advancing")
    again.evaluate("it.close()")
    watcher.wait_for_function("it.engine.view.leader === 'none'")


def test_lists_are_filtered(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('greet', 'Ada', { id: 'g-1' })")
    page.evaluate("it.start('greet', 'Bob', { id: 'g-2' })")
    assert page.evaluate("it.start('loud', 'x', { id: 'l' }).then((run) => run.result())") == "X"
    until(page, "it.count({ status: 'waiting' }).then((count) => count === 2)")
    names = "it.list({ status: ['completed', 'waiting'], limit: 2 }).then((runs) => runs.map((run) => run.id))"
    assert page.evaluate(names) == ["g-1", "g-2"]
    assert page.evaluate("it.list({ status: 'completed' }).then((runs) => runs.map((run) => run.id))") == ["l"]


def test_a_killed_browser_goes_on_when_its_profile_is_opened_again(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('steps', 60, { id: 's' })")
    for seen in (10, 30):
        browser.ledger.wait_for(seen)
        browser.kill()
        page = browser.page()
        open_weft(page)
    assert page.evaluate("it.run('s').result()") == list(range(60))
    assert browser.ledger.once() == list(range(60))
    assert len(browser.ledger.entries) <= 62


def test_a_page_hears_of_every_state_and_sees_line_and_variables(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate(
        """async () => {
            window.views = [];
            const run = await it.start('greet', 'you', { id: 'g' });
            run.on('change', (view) => views.push(view));
        }"""
    )
    page.wait_for_function("views.at(-1)?.status === 'waiting'")
    view = page.evaluate("views.at(-1)")
    assert view["locals"]["name"] == "you"
    assert view["fibers"][0]["waitingFor"]["name"] == "word"
    source = page.evaluate("fetch('/pages/app.py').then((r) => r.text())").splitlines()
    assert "wait_for_signal" in source[view["line"] - 1]
    page.evaluate("it.run('g').signal('word', 'Hi')")
    page.wait_for_function("views.at(-1)?.status === 'completed'")
    assert [entry["kind"] for entry in page.evaluate("it.run('g').history()")][-1] == "completed"
    assert page.evaluate("it.run('g').signal('word').catch((error) => error.code)") == "run_closed"


def test_activities_of_the_page_give_results_and_errors(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    assert page.evaluate("it.start('loud', 'hé 🎈').then((run) => run.result())") == "HÉ 🎈"
    (call,) = page.evaluate("calls")
    assert call["attempt"] == 1
    assert call["key"]
    assert page.evaluate("it.start('refused').then((run) => run.result())") == "TypeError: TypeError: not today"


def test_a_run_shows_what_the_last_attempt_of_its_activity_said(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('patient', undefined, { id: 'p' })")
    page.evaluate("it.run('p').on('change', ({ fibers }) => { window.wait = fibers[0]?.waitingFor }); 0")
    page.wait_for_function("window.wait?.attempt === 2")
    assert page.evaluate("wait.last_error") == "ActivityError: TypeError: not today"


def test_a_failed_run_says_what_python_said(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    error = page.evaluate(
        "it.start('greet', 1, { id: 'bad', args: [2, 3] }).then((run) => run.result())"
        ".catch(({ code, type, message, status }) => ({ code, type, message, status }))"
    )
    assert error["code"] == "run_failed"
    assert error["type"] == "TypeError"
    assert error["status"] == "failed"
    assert "greet" in error["message"]


def test_an_app_that_cannot_be_loaded_says_why(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, app="missing:app")
    page.wait_for_function("it.engine.view.phase === 'failed'")
    assert "missing" in page.evaluate("it.engine.view.message")


def test_closing_gives_the_lock_to_the_next(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.ready")
    page.evaluate("it.close()")
    assert page.evaluate("navigator.locks.query().then(({ held }) => held.length)") == 0
    open_weft(page)
    page.evaluate("it.ready")
