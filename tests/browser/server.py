"""The site under test: the built assets beside the tests' own pages and apps, and a ledger that activities write to."""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BODY_BYTES_MAX = 1_000_000


class Ledger:
    """What arrived from activities, in order: the outside world, which remembers everything that was done to it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.changed = threading.Condition()

    def add(self, entry: dict[str, Any]) -> None:
        with self.changed:
            self.entries.append(entry)
            self.changed.notify_all()

    def wait_for(self, count: int, seconds: float = 60) -> None:
        """Until there are so many entries. Raises `TimeoutError`."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.entries) >= count, seconds):
                raise TimeoutError(f"{len(self.entries)} of {count} entries arrived in {seconds} s")

    def once(self) -> list[Any]:
        """The values in order of their first arrival, each idempotency key counted once."""
        return [entry["value"] for entry in {e["key"]: e for e in reversed(self.entries)}.values()][::-1]


class Handler(SimpleHTTPRequestHandler):
    """Files below any of the mounted folders, by the longest prefix; POST /ledger.

    What `refusals` names is answered with that status instead, with a page for 200, or with silence for 0.
    """

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".py": "text/x-python; charset=utf-8",
        ".whl": "application/zip",
    }

    def __init__(
        self, *args: Any, mounts: dict[str, Path], ledger: Ledger, refusals: dict[str, int] | None = None, **kwargs: Any
    ) -> None:
        self.mounts = mounts
        self.refusals = {} if refusals is None else refusals
        self.ledger = ledger
        super().__init__(*args, **kwargs)

    def translate_path(self, path: str) -> str:
        plain = unquote(urlsplit(path).path)
        prefix = max((p for p in self.mounts if plain.startswith(p)), key=len)
        parts = [part for part in plain[len(prefix) :].split("/") if part not in ("", ".", "..")]
        return str(self.mounts[prefix].joinpath(*parts))

    def send_head(self) -> Any:
        path = urlsplit(self.path).path
        status = next((status for prefix, status in self.refusals.items() if path.startswith(prefix)), None)
        if status == HTTPStatus.OK:
            self.path = "/index.html"
        if status in (None, HTTPStatus.OK):
            return super().send_head()
        self.close_connection = True
        if status:
            self.send_error(status)
        return None

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if urlsplit(self.path).path != "/ledger" or length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.ledger.add(json.loads(self.rfile.read(length)))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Killed browsers leave in mid-sentence; only what else goes wrong is printed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(mounts: dict[str, Path], ledger: Ledger, refusals: dict[str, int] | None = None) -> ThreadingHTTPServer:
    """A server on a free port of the loopback address. `refusals` may be changed while it runs."""
    return Server(("127.0.0.1", 0), partial(Handler, mounts=mounts, ledger=ledger, refusals=refusals))
