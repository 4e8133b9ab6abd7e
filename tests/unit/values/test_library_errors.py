"""Exceptions of Python's own library are stored by name and come back as what they are; nothing else of it is named."""

from __future__ import annotations

import asyncio
import configparser
import csv
import http.client
import imaplib
import io
import json
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import zoneinfo
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest

from tests.unit.values.support import Fiber, codec
from tests.unit.values.test_errors import again
from weft_core.errors import ActivityError, DecodeError

CODEC = codec()


def raised_by(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def twice() -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (a unique)")
        database.execute("insert into t values (1)")
        database.execute("insert into t values (1)")


@pytest.mark.parametrize(
    "error",
    [
        raised_by(lambda: json.loads("{x")),
        raised_by(twice),
        subprocess.CalledProcessError(3, ["make"], b"out", "err"),
        subprocess.TimeoutExpired("make", 2.5),
        asyncio.CancelledError("stop"),
        asyncio.TimeoutError("late"),  # noqa: UP041
        asyncio.IncompleteReadError(b"x", 3),
        raised_by(lambda: zoneinfo.ZoneInfo("No/Where")),
        raised_by(lambda: re.compile("(")),
        raised_by(lambda: "é".encode("ascii")),
        urllib.error.URLError("no host"),
        http.client.IncompleteRead(b"ab", 3),
        http.client.RemoteDisconnected("gone"),
        configparser.NoOptionError("a", "b"),
        socket.gaierror(-2, "unknown"),
        csv.Error("line"),
        imaplib.IMAP4.abort("bye"),
        io.UnsupportedOperation("read"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_of_the_library_comes_back_exactly(error: BaseException) -> None:
    error.add_note("noted")
    for found in (again(error), Fiber().through(e=error)["e"]):
        assert type(found) is type(error)
        assert (found.args, str(found), vars(found)) == (error.args, str(error), vars(error))
    assert CODEC.decode(CODEC.encode([type(error)])) == [type(error)]


def test_what_hangs_on_an_error_of_an_activity_is_text() -> None:
    found = again(urllib.error.HTTPError("http://x", 404, "not found", Message(), io.BytesIO(b"body")))
    assert isinstance(found, urllib.error.HTTPError)
    assert (found.code, found.filename, str(found)) == (404, "http://x", "HTTP Error 404: not found")
    assert type(Fiber().through(e=found)["e"]) is urllib.error.HTTPError


def test_a_process_that_has_not_imported_the_module_yet_reads_it_too() -> None:
    text = CODEC.encode_error(raised_by(twice))
    script = (
        "import sys; from weft_core import App; before = 'sqlite3' in sys.modules\n"
        f"found = App('a').codec.decode_error({text!r})\n"
        "print(before, type(found).__module__, type(found).__name__, found)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False sqlite3 IntegrityError UNIQUE constraint failed: t.a\n"


def test_classes_have_one_name_in_every_python() -> None:
    assert json.loads(CODEC.encode_error(re.error("x")))["type"] == "re:error"


@pytest.mark.parametrize("name", ["os:system", "subprocess:Popen", "json:loads", "json.decoder:JSONDecoder", "io:open"])
def test_only_exceptions_are_named(name: str) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode(json.dumps({"$global": name}))
    assert isinstance(CODEC.decode_error(json.dumps({"type": name, "message": "m"})), ActivityError)


@pytest.mark.parametrize("name", ["this:Error", "antigravity:Error", "tests.unit.values.nowhere:Error"])
def test_a_module_is_never_imported_because_the_data_says_so(name: str) -> None:
    module = name.partition(":")[0]
    assert isinstance(CODEC.decode_error(json.dumps({"type": name, "message": "m"})), ActivityError)
    assert module not in sys.modules
