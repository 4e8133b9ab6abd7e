"""A checkpoint is portable: written by CPython 3.11 in the middle of nested loops and a `try`, it goes on in Pyodide."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import ROOT, Browser, open_weft, until

pytestmark = pytest.mark.browser
CARRY = ROOT / "tests" / "browser" / "carry.py"


def oldest_python() -> str:
    """CPython 3.11 where there is one, else the interpreter that runs the tests."""
    found = [shutil.which("python3.11"), shutil.which("python3")]
    found += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.11.*/bin/python"))]
    for path in found:
        if (
            path
            and subprocess.run([path, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"]).returncode == 0
        ):
            return path
    return sys.executable


def carry(command: str, told: Any = None) -> dict[str, Any]:
    done = subprocess.run(
        [oldest_python(), str(CARRY), command], input=json.dumps(told), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    print(f"{command} on CPython {answer['python']}")
    return answer


def put_rows(page: Page, rows: list[list[str]]) -> None:
    page.evaluate(
        """async (rows) => {
            const { openStore } = await import("/tools/store.js");
            const store = await openStore("test");
            await store.commit({ put: Object.fromEntries(rows) });
            store.close();
        }""",
        rows,
    )


def rows_of(page: Page) -> list[list[str]]:
    rows: list[list[str]] = page.evaluate(
        """async () => {
            const { openStore } = await import("/tools/store.js");
            const store = await openStore("test");
            const rows = await store.scan("!", "~~", { limit: 100000 });
            store.close();
            return rows.filter((row) => row.key !== "owner").map((row) => [row.key, row.value]);
        }"""
    )
    return rows


def waits_for(name: str) -> str:
    return f"(async () => (await it.run('carried').inspect()).fibers.some((f) => f.waitingFor?.name === '{name}'))()"


def test_a_run_of_cpython_finishes_in_the_browser(browser: Browser, tools: None) -> None:
    whole = carry("whole")
    begun = carry("out")
    page = browser.page()
    put_rows(page, begun["rows"])
    open_weft(page)
    page.evaluate("it.run('carried').signal('go', 'one')")
    page.evaluate("it.run('carried').signal('go on', 'two')")
    assert page.evaluate("it.run('carried').result()") == whole["result"]
    assert begun["noted"] + browser.ledger.once() == whole["noted"], (
        "each step ran once, in order, on one side or the other"
    )


def test_a_run_of_the_browser_finishes_on_cpython(browser: Browser, tools: None) -> None:
    whole = carry("whole")
    page = browser.page()
    open_weft(page)
    page.evaluate("it.start('nested', 3, { id: 'carried', args: [4] })")
    until(page, waits_for("go"))
    page.evaluate("it.run('carried').signal('go', 'one')")
    until(page, waits_for("go on"))
    page.evaluate("it.close()")
    finished = carry("home", {"rows": rows_of(page), "signals": [["go on", "two"]]})
    assert finished["result"] == whole["result"]
    assert browser.ledger.once() + finished["noted"] == whole["noted"]
