"""What `Weft.open` is given wrongly is told before anything is opened, stored or started."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Browser, open_weft

pytestmark = pytest.mark.browser
REFUSED = "({ name, code, message }) => `${name} ${code}: ${message}`"
APP = "app: 'app:app'"
WRONG = {
    "": "an object with any of: app, files",
    "null": "an object with any of: app, files",
    "'app:app'": "an object with any of: app, files",
    "{}": 'app names the app as "module:variable", not undefined',
    "{ app: 5 }": 'app names the app as "module:variable", not 5',
    "{ app: () => 1 }": "not the function app",
    f"{{ {APP}, file: {{}} }}": 'Weft.open has no option "file", only: app, files',
    f"{{ {APP}, files: ['a.py'] }}": "files is an object of URLs by path",
    f"{{ {APP}, files: {{ 'a.py': 'http://[' }} }}": 'files["a.py"] is a URL, not "http://["',
    f"{{ {APP}, files: {{ 'a.py': 5 }} }}": 'files["a.py"] is a URL, not 5',
    f"{{ {APP}, files: {{ '../a.py': '/a.py' }} }}": 'not "../a.py"',
    f"{{ {APP}, packages: 'x.whl' }}": "packages is an array of URLs",
    f"{{ {APP}, packages: [5] }}": "packages[0] is a URL, not 5",
    f"{{ {APP}, activities: [() => 1] }}": "activities is an object of functions",
    f"{{ {APP}, activities: {{ x: 5 }} }}": 'the activity "x" is a function, not 5',
    f"{{ {APP}, database: 5 }}": "database is the name of one, not 5",
    f"{{ {APP}, durability: 'fast' }}": 'durability is "strict" or "relaxed", not "fast"',
    f"{{ {APP}, assets: 5 }}": "assets is the URL of a folder",
    f"{{ {APP}, engine: 'no' }}": "engine is true or false",
}


def test_options_that_cannot_be_are_refused_and_leave_nothing_behind(browser: Browser) -> None:
    page = browser.page()
    page.wait_for_function("window.weft !== undefined")
    page.evaluate(
        "window.made = 0; window.Worker = class extends Worker { constructor(...x) { super(...x); made++ } }; 0"
    )
    for given, said in WRONG.items():
        told = page.evaluate(f"weft.Weft.open({given}).then(() => 'opened').catch({REFUSED})")
        assert told.startswith("WeftError declaration: ") and said in told, (given, told)
    assert page.evaluate("indexedDB.databases()") == []
    assert page.evaluate("navigator.locks.query().then(({ held, pending }) => held.length + pending.length)") == 0
    assert page.evaluate("made") == 0
    assert browser.messages == []


def test_counts_and_listeners_are_judged_as_well(browser: Browser) -> None:
    page = browser.page()
    open_weft(page, engine=False, database="other")
    for given in ("null", "{ limit: 5 }", "{ status: 'bogus' }"):
        assert page.evaluate(f"it.count({given}).catch({REFUSED})").startswith("WeftError declaration: ")
    for call in ("it.engine.on('chnge', () => 1)", "it.engine.on('change')", "it.run('x').on('change')"):
        told = page.evaluate(f"(() => {{ try {{ {call} }} catch (error) {{ return ({REFUSED})(error) }} }})()")
        assert told.startswith("WeftError declaration: "), call
    assert page.evaluate("it.count({ status: undefined })") == 0
