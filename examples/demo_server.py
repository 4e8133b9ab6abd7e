"""The server of the demo's page: hands out the built site and owns the database. Loopback only, standard library only.

GET  /...                        files of the built site (--site, default build/site)
GET  /import_airports.py         the workflow file, the very one that the terminal runs
GET  /sample.csv                 the sample file, 3,376 real airports
POST /api/database/<method>      look_up, write_batch, write_summary, report of airport_database, JSON in and out
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sqlite3
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import airport_database  # noqa: E402

PORT = 8737
BODY_BYTES_MAX = 16 * 1024 * 1024
"""The largest request body that is read."""


def sample_file() -> Path:
    """The sample: airports.csv of the package vega_datasets, found without importing the package."""
    spec = importlib.util.find_spec("vega_datasets")
    places = [] if spec is None else spec.submodule_search_locations or []
    for place in places:
        path = Path(place) / "_data" / "airports.csv"
        if path.is_file():
            return path
    raise FileNotFoundError("airports.csv of the package vega_datasets is not installed; run `make setup`")


class Handler(SimpleHTTPRequestHandler):
    """Static files, and the database under /api/database/."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".py": "text/x-python; charset=utf-8",
        ".whl": "application/zip",
    }

    def __init__(self, *args: object, database: Path, quiet: bool, **kwargs: object) -> None:
        self.database = database
        self.quiet = quiet
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """One of the files."""
        match urlsplit(self.path).path:
            case "/import_airports.py":
                self._send_file(HERE / "import_airports.py", "text/x-python; charset=utf-8")
            case "/sample.csv":
                self._send_file(sample_file(), "text/csv; charset=utf-8")
            case "/favicon.ico":
                self._send(HTTPStatus.NO_CONTENT, b"", "image/x-icon")
            case _:
                super().do_GET()

    def do_POST(self) -> None:
        """One call of the database."""
        prefix = "/api/database/"
        path = urlsplit(self.path).path
        length = self.headers.get("content-length", "")
        if not path.startswith(prefix):
            return self._problem(HTTPStatus.NOT_FOUND, f"nothing to post to at {path}")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self._problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {BODY_BYTES_MAX:,} bytes of JSON")
        try:
            arguments = json.loads(self.rfile.read(int(length)))
            if not isinstance(arguments, dict) or "path" in arguments:
                raise TypeError("the body must be an object of arguments")
            answer = airport_database.call(path.removeprefix(prefix), path=str(self.database), **arguments)
        except LookupError as error:
            return self._problem(HTTPStatus.NOT_FOUND, str(error))
        except (TypeError, ValueError) as error:
            return self._problem(HTTPStatus.BAD_REQUEST, str(error))
        except sqlite3.Error as error:
            return self._problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def end_headers(self) -> None:
        """Nothing is cached by age: the page is developed while it is looked at."""
        self.send_header("cache-control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing when told so."""
        if not self.quiet:
            super().log_message(format, *args)

    def _send_file(self, path: Path, kind: str) -> None:
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            return self._problem(HTTPStatus.NOT_FOUND, str(error))
        self._send(HTTPStatus.OK, content, kind)

    def _problem(self, status: HTTPStatus, detail: str) -> None:
        self._send(status, json.dumps({"status": status, "detail": detail}).encode(), "application/problem+json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """A thread for each connection. Browsers that are killed, and tabs that close, leave in mid-sentence: no news."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Called in the `except` clause around one connection. Real errors are printed with their traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def make_server(*, site: Path, database: Path, port: int = 0, quiet: bool = True) -> ThreadingHTTPServer:
    """A server on the loopback address; `server_address[1]` is its port. Port 0 takes a free one."""
    handler = partial(Handler, directory=str(site), database=database, quiet=quiet)
    return Server(("127.0.0.1", port), handler)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=HERE.parent / "build" / "site", help="folder of the built site")
    parser.add_argument("--database", type=Path, default=Path("airports.db"))
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    server = make_server(site=options.site, database=options.database, port=options.port, quiet=False)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
