"""`micropip.install` of a built wheel from the site's own origin is all that a plain Pyodide needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, Browser

pytestmark = pytest.mark.browser
PROGRAM = """
import micropip
await micropip.install(wheel)
from app import app
from weft_core import Engine

async with await Engine.open("indexeddb:plain", app) as engine:
    run = await engine.start("greet", "world", id="g")
    await run.signal("word", "Hello")
    first = await run.result(timeout="30s")
async with await Engine.open("indexeddb:plain", app) as engine:
    again = await engine.handle("g").result(timeout="30s")
[first, again, sorted(micropip.list())]
"""


@pytest.mark.parametrize("kind", ["page", "ordinary"])
def test_the_wheel_installs_and_runs_in_plain_pyodide(browser: Browser, tmp_path: Path, kind: str) -> None:
    site = browser.site
    build = ["scripts.page_wheel"] if kind == "page" else ["build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([sys.executable, "-m", *build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("weft_core-*.whl")
    assert ("+page" in wheel.name) == (kind == "page")
    (site / wheel.name).write_bytes(wheel.read_bytes())
    listed = subprocess.run(
        ["node", "browser/scripts/wheels.mjs"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    tools = []
    for path in map(Path, listed.stdout.split()):
        if path.name.startswith(("micropip-", "packaging-")):
            (site / path.name).write_bytes(path.read_bytes())
            tools.append(f"/made/{path.name}")
    page = browser.page("/pages/micropip.html")
    page.wait_for_function("window.useWheel !== undefined")
    told = {"tools": tools, "wheel": f"/made/{wheel.name}", "program": PROGRAM, "source": "/pages/app.py"}
    first, again, installed = page.evaluate("(told) => useWheel(told)", told)
    assert first == again == "Hello, world!"
    assert "weft-core" in installed
