"""Real Chromium on a persistent profile: an in-memory profile would make every claim about durability empty."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page, Playwright, sync_playwright

from tests.browser.server import Ledger, make_server

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path(__file__).parent / "pages"
TOOLS = ROOT / "build" / "test-tools"
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
]


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    subprocess.run(["npm", "run", "--silent", "site"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / "site"


@pytest.fixture(scope="session")
def tools(site: Path) -> None:
    """Parts of browser/src that tests use and pages do not: `/tools/store.js`."""
    subprocess.run(["node", "browser/scripts/test_tools.mjs", str(TOOLS)], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> str:
    found = subprocess.run([str(ROOT / "scripts" / "chromium")], capture_output=True, text=True, check=True)
    return found.stdout.strip()


class Browser:
    """One profile and one server. `open` starts Chromium on the profile; `kill` ends it as the kernel would."""

    def __init__(
        self, playwright: Playwright, chromium: str, profile: Path, base: str, ledger: Ledger, site: Path
    ) -> None:
        self._playwright = playwright
        self._chromium = chromium
        self.profile = profile
        self._context: BrowserContext | None = None
        self.base = base
        self.ledger = ledger
        self.site = site
        """A folder that the server hands out as /made/."""
        self.refusals: dict[str, int] = {}
        """What the server does not hand out at the moment: the beginning of a path, and the status or 0 for silence."""
        self.messages: list[str] = []

    @property
    def context(self) -> BrowserContext:
        if self._context is None:
            self._context = self._playwright.chromium.launch_persistent_context(
                str(self.profile), executable_path=self._chromium, headless=True, args=FLAGS
            )
            self._context.set_default_timeout(60_000)
        return self._context

    def page(self, path: str = "/pages/blank.html") -> Page:
        """A new tab, with the client in `window.weft`."""
        page = self.context.new_page()
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.goto(self.base + path)
        return page

    def kill(self) -> None:
        """SIGKILL every process of this browser, then let go of it."""
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)
        self.close()

    def _processes(self) -> list[int]:
        """The processes that name our profile, and their descendants. Parents first."""
        parents: dict[int, int] = {}
        ours = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    if f"--user-data-dir={self.profile}" in (entry / "cmdline").read_text().split("\0"):
                        ours.add(int(entry.name))
                except OSError:
                    continue
        assert ours, "the browser is not running"
        grown = True
        while grown:
            children = {pid for pid, parent in parents.items() if parent in ours} - ours
            ours |= children
            grown = bool(children)
        return sorted(ours)

    def close(self) -> None:
        if self._context is not None:
            context, self._context = self._context, None
            with contextlib.suppress(Error):  # a killed browser cannot answer
                context.close()


@pytest.fixture
def browser(
    request: pytest.FixtureRequest, playwright: Playwright, chromium: str, site: Path, tmp_path: Path
) -> Iterator[Browser]:
    """A fresh profile and a fresh server. What the pages said is printed when the test fails."""
    ledger = Ledger()
    made_folder = tmp_path / "made"
    made_folder.mkdir()
    mounts = {
        "/": site,
        "/pages/": PAGES,
        "/repository/": ROOT,
        "/tools/": TOOLS,
        "/made/": made_folder,
        "/pyodide/": ROOT / "node_modules" / "pyodide",
    }
    refusals: dict[str, int] = {}
    server = make_server(mounts, ledger, refusals)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = Browser(
        playwright, chromium, tmp_path / "profile", f"http://127.0.0.1:{server.server_port}", ledger, made_folder
    )
    made.refusals = refusals
    try:
        yield made
    finally:
        print("\n".join(made.messages))
        made.close()
        server.shutdown()
        server.server_close()


def open_weft(page: Page, **options: Any) -> None:
    """`Weft.open` on the tests' app, kept in `window.it`."""
    page.wait_for_function("window.weft !== undefined")
    page.evaluate("async (options) => { window.it = await openWeft(options); }", options)


def until(page: Page, condition: str, *, seconds: int = 60) -> None:
    """Wait until a condition in the page holds, which may be a promise (`wait_for_function` takes any promise for true)."""
    page.evaluate(
        f"""async () => {{
            const end = performance.now() + {1_000 * seconds};
            while (!(await ({condition}))) {{
                if (performance.now() > end) throw new Error({json.dumps(f"not within {seconds} s: {condition}")});
                await new Promise((next) => setTimeout(next, 20));
            }}
        }}"""
    )
