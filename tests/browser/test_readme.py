"""Whoever puts together what the READMEs show has a page that works."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright

from tests.browser.conftest import FLAGS, ROOT
from tests.repository.files import blocks

pytestmark = pytest.mark.browser
FRONT, CLIENT = ROOT / "README.md", ROOT / "browser" / "README.md"
BUNDLED = """
<script type="importmap">{{"imports": {{"weft-browser": "/weft/weft.js"}}}}</script>
<body><script type="module">{}; document.body.append(JSON.stringify(receipt))</script></body>
"""
"""A page with the client's example in it, as a bundler would make one."""


class Quiet(SimpleHTTPRequestHandler):
    """What `python -m http.server` serves with, without its log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def first(page: Path, language: str) -> str:
    return next(text for _, found, _, text in blocks(page) if found == language)


@pytest.mark.parametrize(
    ("program", "shows", "receipt"),
    [
        (FRONT, FRONT, '{"payment":"paid 995 cents","id":"order-42"}'),
        (CLIENT, CLIENT, '"995 cents from Grace"'),
        (FRONT, CLIENT, '{"payment":"paid 995 cents","id":"order-42"}'),
    ],
    ids=["front", "client", "the program of one, the page of the other"],
)
def test_what_is_shown_works_together(
    playwright: Playwright, chromium: str, site: Path, tmp_path: Path, program: Path, shows: Path, receipt: str
) -> None:
    page_text = first(shows, "html") if shows == FRONT else BUNDLED.format(first(shows, "js"))
    (tmp_path / "index.html").write_text(page_text, "utf-8")
    (tmp_path / "shop.py").write_text(first(program, "python"), "utf-8")
    (tmp_path / "weft").symlink_to(site / "weft")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
    try:
        page = browser.new_page()
        page.on("console", lambda message: print(message.text))
        page.on("pageerror", lambda error: print(error))
        for _ in range(2):  # the same id again is the same run
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.get_by_text(receipt).wait_for(timeout=60_000)
    finally:
        browser.close()
        server.shutdown()
        server.server_close()
