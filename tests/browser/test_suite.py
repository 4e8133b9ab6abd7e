"""The behaviour suite, unchanged, inside Pyodide in Chromium on IndexedDB."""

from __future__ import annotations

import pytest

from tests.browser.conftest import ROOT, Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TESTS_MIN = 40
"""The suite has at least this many tests: fewer would mean that they were not found."""


def run_inside(browser: Browser, package: str, folder: str, *, mode: str) -> list[str]:
    """Run a package of tests in a worker; its lines, with one `ok …` a test. Fails when a test does."""
    sources = [*ROOT.glob("tests/__init__.py"), *ROOT.glob("tests/browser/__init__.py"), *ROOT.glob(f"{folder}/*.py")]
    page = browser.page("/pages/suite.html")
    page.wait_for_function("window.runSuite !== undefined")
    told = {
        "package": package,
        "files": [path.relative_to(ROOT).as_posix() for path in sources if path.name != "conftest.py"],
        "url": "indexeddb:suite?durability=relaxed",
        "mode": mode,
        "words": "",
    }
    failures = page.evaluate("(told) => runSuite(told)", told)
    lines: list[str] = page.evaluate("lines")
    print("\n".join(lines))
    assert failures == 0, "\n".join(line for line in lines if not line.startswith("ok "))
    return [line for line in lines if line.startswith("ok ")]


@pytest.mark.parametrize("mode", ["never", "everywhere"])
def test_the_behaviour_suite_passes_on_indexeddb(browser: Browser, mode: str) -> None:
    assert len(run_inside(browser, "tests.suite", "tests/suite", mode=mode)) >= TESTS_MIN


def test_the_pumped_loop_keeps_what_asyncio_promises(browser: Browser) -> None:
    assert len(run_inside(browser, "tests.browser.inside", "tests/browser/inside", mode="never")) >= 10
