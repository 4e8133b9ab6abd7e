"""The page and its engine worker when things go wrong between them: none of it stops other runs, tabs or the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog

from tests.browser.conftest import Browser, open_weft, until

pytestmark = pytest.mark.browser
FAILURE = "({ code, name, message }) => `${name} ${code}: ${message}`"


def test_an_engine_that_was_started_is_never_closed_before_it_serves(browser: Browser) -> None:
    page = browser.page()
    page.wait_for_function("window.weft !== undefined")
    phases = page.evaluate(
        """openWeft({}).then((it) => new Promise((done) => {
          const phases = [];
          it.engine.on("change", ({ phase }) => {
            phases.push(phase);
            if (phase === "serving") done(phases);
          });
        }))"""
    )
    assert phases[0] == "waiting" and "closed" not in phases and phases[-1] == "serving"


def test_a_late_answer_of_a_killed_worker_is_no_answer_to_the_next(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('held', 'early', { id: 'early' })")
    page.wait_for_function("release.early !== undefined")
    page.evaluate("it.engine.kill()")
    page.evaluate("it.run('early').terminate()")
    page.evaluate("it.start('held', 'late', { id: 'late' })")
    page.evaluate("it.engine.start()")
    page.wait_for_function("release.late !== undefined")
    page.evaluate("release.early()")
    page.evaluate("it.start('loud', 'in between').then((run) => run.result())")  # a whole call later
    assert page.evaluate("it.run('late').status()") == "running"
    page.evaluate("release.late()")
    assert page.evaluate("it.run('late').result()") == "held late"


def test_a_run_that_kills_python_is_parked_and_the_others_go_on(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.ready")
    page.evaluate(
        "it.engine.on('change', ({ phase, message }) => (window.told ??= []).push(`${phase}: ${message}`)); 0"
    )
    page.evaluate("""Promise.all([
        it.start('greet', 'Ada', { id: 'innocent' }),
        it.start('deadly', undefined, { id: 'deadly' }),
        it.start('greet', 'Bob', { id: 'another' }),
    ])""")
    said = page.evaluate(f"it.run('deadly').result().catch({FAILURE})")
    assert said.startswith("RunFailed run_failed: run deadly is parked") and "Python itself died twice" in said
    assert page.evaluate("it.run('deadly').inspect().then(({ status, problem }) => [status, problem.code])") == [
        "suspended",
        "interpreter_died",
    ]
    page.wait_for_function("it.engine.view.phase === 'serving'")
    boots = "told.filter((text) => text === 'booting: starting Python').length"
    assert page.evaluate(boots) == 2  # it died with the others, and then alone
    for run, greeting in (("innocent", "Hello, Ada!"), ("another", "Hello, Bob!")):
        page.evaluate(f"it.run('{run}').signal('word', 'Hello')")
        assert page.evaluate(f"it.run('{run}').result()") == greeting
    page.evaluate("it.run('deadly').terminate('enough')")
    assert page.evaluate(f"it.run('deadly').result().catch({FAILURE})").startswith("RunFailed run_terminated")
    assert page.evaluate(boots) == 2


def test_an_engine_whose_database_was_deleted_ends_and_another_tab_goes_on(browser: Browser) -> None:
    leader = browser.page()
    open_weft(leader)
    leader.evaluate("it.ready")
    leader.evaluate(
        "it.engine.on('change', ({ phase, message }) => (window.told ??= []).push(`${phase}: ${message}`)); 0"
    )
    leader.evaluate("new Promise((done) => { indexedDB.deleteDatabase('test').onsuccess = () => done() })")
    other = browser.page()
    open_weft(other)
    assert other.evaluate("it.start('loud', 'new').then((run) => run.result()).catch(String)") == "NEW"
    leader.wait_for_function("told.some((text) => text.startsWith('failed') && text.includes('was deleted'))")
    assert "was deleted" in leader.evaluate(f"it.start('loud', 'x').catch({FAILURE})")


def test_a_tab_that_shows_a_dialog_keeps_nobody_from_leading(browser: Browser) -> None:
    leader = browser.page()
    open_weft(leader)
    leader.evaluate("it.ready")
    watcher = browser.page()
    open_weft(watcher, engine=False)
    watcher.evaluate("it.ready")
    following = browser.page()
    open_weft(following)
    following.wait_for_function("it.engine.view.phase === 'waiting'")
    dialogs: list[Dialog] = []
    watcher.on("dialog", lambda dialog: dialogs.append(dialog))  # nobody answers
    watcher.evaluate("setTimeout(() => alert('nobody is here'), 0); 0")
    following.wait_for_timeout(300)
    assert dialogs
    leader.close()
    following.wait_for_function("it.engine.view.phase === 'serving'", timeout=20_000)
    dialogs[0].dismiss()
    watcher.wait_for_function("it.engine.view.leader === 'other'")


def test_a_callback_that_throws_in_the_worker_ends_no_engine(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("window.onerror = () => { window.spoiled = true }; 0")
    assert page.evaluate("it.start('strays').then((run) => run.result())") == "gone on"
    for _ in range(3):
        assert page.evaluate("it.start('loud', 'still here').then((run) => run.result())") == "STILL HERE"
    assert page.evaluate("[it.engine.view.phase, window.spoiled ?? false]") == ["serving", False]


def test_closing_ends_also_twice_and_also_when_a_workflow_never_gives_the_thread_back(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('spin', undefined, { id: 's' })")
    until(page, "it.run('s').state().then(({ spinning }) => spinning)")
    page.evaluate("Promise.all([it.close(), it.close(), it.close()])")
    # Chromium takes up to two seconds to end a worker that does not listen; only then are its locks free.
    until(page, "navigator.locks.query().then(({ held, pending }) => held.length + pending.length === 0)", seconds=20)
    assert "closed" in page.evaluate(
        "(() => { try { it.engine.start(); return 'started' } catch (error) { return `${error.code}: closed` } })()"
    )
    page.evaluate("it.engine.kill()")
    assert page.evaluate("it.close().then(() => 'closed')") == "closed"


def test_a_start_that_is_on_its_way_when_the_client_closes_is_told_what_became_of_it(browser: Browser) -> None:
    page = browser.page()
    for n in range(5):
        open_weft(page, engine=False)
        outcome = page.evaluate(
            f"(() => {{ const starting = it.start('loud', 1, {{ id: 'r{n}' }}); it.close();"
            " return starting.then((run) => run.id).catch((error) => error.code) })()"
        )
        open_weft(page, engine=False)
        stored = page.evaluate(f"it.run('r{n}').status().catch((error) => error.code)")
        assert (outcome, stored) in [(f"r{n}", "pending"), ("store_unavailable", "run_not_found")]
        page.evaluate("it.close()")


def test_whatever_an_activity_of_the_page_does_its_run_hears_of_it(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    send = "which cannot be stored; send plain data, a Date or a Uint8Array"
    unstorable = f"WeftError: WeftError: result of misbehave is a {{}}, {send}"
    for how, told, attempts in (
        ("throw nothing", "Error: Error: undefined", 2),
        ("throw an object", "Error: Error: boom", 2),
        ("throw a riddle", "Error: Error: an object that cannot be looked at", 2),
        ("throw for good", "RangeError: RangeError: sold out", 1),
        ("give a map", unstorable.format("Map"), 1),
        ("give a function", unstorable.format("function"), 1),
    ):
        page.evaluate("calls.length = 0")
        assert page.evaluate("(how) => it.start('misbehaved', how).then((run) => run.result())", how) == told
        assert page.evaluate("calls.length") == attempts, how


def test_what_the_page_hands_on_is_in_python_what_it_was(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    sent = "{ at: new Date(1704164645678), raw: new Uint8Array([0, 255]) }"
    results = page.evaluate(
        f"""(async () => {{
          const first = await (await it.start('handed_on', {sent})).result();
          const second = await (await it.start('handed_on', first.value)).result();
          return [first.shown, second.shown, first.same && second.same];
        }})()"""
    )
    assert (
        results[0]
        == results[1]
        == (
            "{'at': datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc), 'raw': b'\\x00\\xff'}"
        )
    )
    assert results[2] is True


def test_an_activity_of_the_page_has_no_keyword_arguments_and_says_so_once(browser: Browser) -> None:
    page = browser.page()
    open_weft(page)
    told = page.evaluate("it.start('named').then((run) => run.result())")
    assert told == "TypeError: JavaScript has no keyword arguments: give shout its text by position"


def test_names_and_places_that_cannot_be_are_refused_or_told(browser: Browser) -> None:
    page = browser.page()
    for name in ("shop/", "/shop", "sh op", "shop?x", ""):
        assert "declaration" in page.evaluate(f"(database) => openWeft({{ database }}).catch({FAILURE})", name)
    elsewhere = browser.base.replace("127.0.0.1", "localhost")
    open_weft(page, assets=f"{elsewhere}/weft")
    page.wait_for_function("it.engine.view.phase === 'failed'")
    assert "own origin" in page.evaluate("it.engine.view.message")
    page.evaluate("it.start('loud', 'durable', { id: 'd' })")
    assert page.evaluate("it.run('d').status()") == "pending"
