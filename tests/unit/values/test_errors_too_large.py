"""Errors that are too large, and errors about values that are."""

from __future__ import annotations

import gc
import traceback
import weakref
from contextlib import suppress
from typing import Any

import pytest

from tests.unit.values.support import ShopError, codec
from weft_core.errors import ActivityError, CheckpointError
from weft_core.resume.values import encode

CODEC = codec()


def again(error: BaseException) -> BaseException:
    return CODEC.decode_error(CODEC.encode_error(error))


def test_an_error_that_is_too_large_keeps_its_class_and_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "VALUE_BYTES_MAX", 20_000)
    large = "x" * 30_000
    error: BaseException = ShopError(7, hint=large)
    error.args = (large, 1, [large])
    error.__cause__ = ValueError(large)
    try:
        raise error
    except ShopError:
        found: Any = again(error)
    assert type(found) is ShopError
    assert (found.code, found.args[1]) == (7, 1)
    assert found.hint == found.args[0] == "x" * 200 + "… (30,000 characters, too many to store)"
    assert "raise error" in "".join(traceback.format_exception(found))
    assert str(again(ValueError(large))) == found.hint
    assert str(again(OSError(5, large))) == f"[Errno 5] {found.hint}"
    for told in (UnicodeDecodeError("utf8", b"\xff" * 30_000, 0, 1, "bad"), ExceptionGroup("g", [ValueError(large)])):
        found = again(told)
        assert isinstance(found, ActivityError)
        assert str(found).endswith(str(told))
        assert found.type_name == f"builtins.{type(told).__name__}"


def test_a_value_that_is_too_large_is_not_kept_by_the_error_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "VALUE_BYTES_MAX", 20_000)
    error: CheckpointError
    try:
        raise StopIteration("x" * 30_000)
    except StopIteration as stop:
        with pytest.raises(CheckpointError) as caught:
            CODEC.encode(stop.value, what="return value")
        error = caught.value
    found = again(error)
    assert str(found) == str(error)
    assert str(error).startswith(
        "return value cannot be stored: its text has 30,002 characters, more than 20,000 (VALUE"
    )
    assert error.__context__ is None


def test_a_value_that_is_refused_is_free_with_the_error_about_it() -> None:
    class Thing:
        pass

    thing = Thing()
    known = weakref.ref(thing)
    gc.disable()
    try:
        with suppress(CheckpointError):
            CODEC.encode([thing], what="return value")
        del thing
        assert known() is None, "it waits for the garbage collector"
    finally:
        gc.enable()
