"""The demo's workflow: real input arrives exactly once, also with restarts everywhere; bad input is explained."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import airport_database  # noqa: E402
import demo_server  # noqa: E402
from import_airports import BadFile, accept, app, import_airports, parse  # noqa: E402

from weft_core.errors import RunClosed  # noqa: E402
from weft_core.testing import TestEngine  # noqa: E402

SAMPLE_ROWS = 3_376


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "airports.db"
    monkeypatch.setenv("AIRPORTS_DB", str(path))
    return path


async def imported(source: dict[str, Any], *, restart: Any) -> dict[str, Any]:
    async with TestEngine(app, restart=restart) as engine:
        run = await engine.start(import_airports, source, id="import")
        with suppress(RunClosed):  # a file that cannot be read ends it at once
            await run.signal("publish", "a test")
        await engine.advance("1h")
        result: dict[str, Any] = await run.result()
        return result


@pytest.mark.parametrize("restart", ["never", "everywhere", 20261123])
async def test_every_real_row_arrives_exactly_once(database: Path, restart: Any) -> None:
    text = demo_server.sample_file().read_text("utf-8")
    summary = await imported({"name": "airports.csv", "text": text, "batch_size": 200}, restart=restart)
    assert (summary["rows"], summary["written"], summary["duplicates"], summary["rejected"]) == (SAMPLE_ROWS,) * 2 + (
        0,
        0,
    )
    assert summary["top"]["column"] == "state"
    report = airport_database.call("report", run_id="import")
    assert report["rows"] == SAMPLE_ROWS
    assert report["batches"] == 17
    assert report["exactly_once"]
    assert report["summary"] == summary


async def test_duplicates_and_bad_rows_are_counted_and_the_rest_arrives(database: Path) -> None:
    text = (
        '\ufeffiata,name,latitude\nA,one,1.5\nB,two,95\nA,again,2\n\nC,three,north\n,four,4\n"D","fi,ve",-90\nA,x,1\n'
    )
    summary = await imported({"name": "few.csv", "text": text, "batch_size": 3}, restart="everywhere")
    assert summary["rows"] == 7
    assert summary["written"] == 2
    assert summary["duplicates"] == 2
    assert summary["rejected_rows"] == [
        "B: latitude 95 is out of range",
        "C: latitude 'north' is not a number",
        "['', 'four', '4']: no iata",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "heading of at least two column names"),
        ("\x00\x01binary", "heading"),
        ("only\n1\n", "heading of at least two"),
        ("a,b\n", "nothing to import"),
        ("a,b\n1,2\n3\n", "bad.csv, line 3: 1 column where the heading has 2"),
        ("a,b\n1,2\n3,4,5\n", "bad.csv, line 3: 3 columns"),
        ('a,b\n1,"2\n', "bad.csv, line 2:"),
    ],
)
async def test_a_malformed_file_is_explained(database: Path, text: str, says: str) -> None:
    with pytest.raises(BadFile) as caught:
        await imported({"name": "bad.csv", "text": text}, restart="everywhere")
    assert says in str(caught.value)
    assert airport_database.call("report", run_id="import")["rows"] == 0


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"batch_size": -1}, "batch_size must be a whole number of at least 1, not -1"),
        ({"batch_size": 0}, "at least 1, not 0"),
        ({"batch_size": "5"}, "at least 1, not '5'"),
        ({"batch_size": 2.5}, "at least 1, not 2.5"),
        ({"batch_size": True}, "at least 1, not True"),
        ({"pause": "zz"}, "pause: 'zz' is not a duration"),
        ({"pause": None}, "pause: None is not a duration"),
        ({"text": None}, "text must be a text, not None"),
        ({"name": None}, "name must be a text, not None"),
        ("few.csv", "an import is an object with a name and a text, not 'few.csv'"),
    ],
)
async def test_a_job_that_cannot_be_meant_is_refused_before_the_first_batch(
    database: Path, job: Any, says: str
) -> None:
    if isinstance(job, dict):
        job = {"name": "few.csv", "text": "a,b\n1,2\n", **job}
    with pytest.raises(ValueError, match="not") as caught:
        await imported(job, restart="everywhere")
    assert says in str(caught.value)
    assert airport_database.call("report", run_id="import")["batches"] == 0


def test_a_line_break_inside_quotes_is_part_of_the_value() -> None:
    assert parse("x", 'a,b\r\n1,"two\r\nlines"\r\n') == (["a", "b"], [["1", "two\r\nlines"]])


def test_a_good_row_says_nothing() -> None:
    rejected: list[str] = []
    assert accept(["iata", "latitude", "longitude"], ["A", "-90", "180"], rejected)
    assert rejected == []


def test_a_batch_delivered_twice_is_applied_once(database: Path) -> None:
    for _ in range(2):
        receipt = airport_database.call(
            "write_batch", batch_key="k", run_id="r", number=1, heading=["a", "b"], rows=[["1", "x"], ["2", "y"]]
        )
        assert receipt == {"number": 1, "rows": 2}
    report = airport_database.call("report", run_id="r")
    assert (report["rows"], report["repeated_deliveries"], report["exactly_once"]) == (2, 1, True)


def test_the_report_sees_a_row_that_was_written_twice(database: Path) -> None:
    for key in ("k1", "k2"):
        airport_database.call("write_batch", batch_key=key, run_id="r", number=1, heading=["a"], rows=[["1"]])
    report = airport_database.call("report", run_id="r")
    assert report["writes_per_row_most"] == 2
    assert not report["exactly_once"]


# --- the page's server ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<h1>demo</h1>")
    made = demo_server.make_server(site=tmp_path / "site", database=tmp_path / "server.db")
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join()


def ask(url: str, document: object = None) -> tuple[int, bytes]:
    body = None if document is None else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body)) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_server_hands_out_the_page_the_workflow_and_the_sample(server: str) -> None:
    assert ask(f"{server}/") == (200, b"<h1>demo</h1>")
    assert ask(f"{server}/import_airports.py") == (200, (EXAMPLES / "import_airports.py").read_bytes())
    assert ask(f"{server}/sample.csv")[1].count(b"\n") >= SAMPLE_ROWS
    assert ask(f"{server}/../airport_database.py")[0] == 404


def test_the_server_owns_the_database(server: str) -> None:
    batch = {"batch_key": "k", "run_id": "r", "number": 1, "heading": ["a", "b"], "rows": [["1", "x"]]}
    assert ask(f"{server}/api/database/write_batch", batch) == (200, b'{"number": 1, "rows": 1}')
    status, text = ask(f"{server}/api/database/look_up", {"keys": ["1", "2"]})
    assert (status, json.loads(text)) == (200, ["1"])


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/api/database/drop", {}, 404),
        ("/elsewhere", {}, 404),
        ("/api/database/report", {}, 400),
        ("/api/database/report", [1], 400),
        ("/api/database/report", {"run_id": "r", "path": "other.db"}, 400),
    ],
)
def test_the_server_explains_what_it_refuses(server: str, path: str, document: object, status: int) -> None:
    answered, text = ask(server + path, document)
    assert answered == status
    assert json.loads(text)["detail"]


def leave(port: int, said: bytes) -> None:
    """Say something, then be killed: the system resets the connection (RST), it is not closed politely."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(said)
    client.close()


def test_a_browser_that_is_killed_is_no_news_and_real_errors_are(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("a real error")

    for said in (b"GET / HTTP/1.1\r\n", b"POST /api/database/report HTTP/1.1\r\ncontent-length: 90\r\n\r\n{"):
        leave(int(server.rpartition(":")[2]), said)
    monkeypatch.setattr(demo_server.airport_database, "call", broken)
    with pytest.raises(http.client.HTTPException):
        ask(f"{server}/api/database/report", {"run_id": "r"})
    complaint = capsys.readouterr().err
    assert "a real error" in complaint
    assert "ConnectionResetError" not in complaint
