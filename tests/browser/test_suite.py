"""The behaviour suite, unchanged, inside Pyodide in Chromium on IndexedDB."""

from __future__ import annotations

import pytest

from tests.browser.conftest import ROOT, Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TESTS_MIN = 40
"""The suite has at least this many tests: fewer would mean that they were not found."""


@pytest.mark.parametrize("mode", ["never", "everywhere"])
def test_the_behaviour_suite_passes_on_indexeddb(browser: Browser, mode: str) -> None:
    files = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests" / "__init__.py", *sorted((ROOT / "tests" / "suite").glob("*.py")))
        if path.name != "conftest.py"
    ]
    page = browser.page("/pages/suite.html")
    page.wait_for_function("window.runSuite !== undefined")
    failures = page.evaluate(
        "(options) => runSuite(options)",
        {"files": files, "url": "indexeddb:suite?durability=relaxed", "mode": mode, "words": ""},
    )
    lines: list[str] = page.evaluate("lines")
    print("\n".join(lines))
    assert failures == 0, "\n".join(line for line in lines if line.startswith("FAILED"))
    assert sum(line.startswith("ok ") for line in lines) >= TESTS_MIN
