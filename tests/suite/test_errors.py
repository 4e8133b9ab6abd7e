"""What a workflow has at hand while it waits: errors of the library in flight, modules that it imports, what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
import traceback
import zoneinfo
from dataclasses import dataclass
from typing import Any

from tests.suite.harness import Harness, cases, raises
from weft_core import App, CheckpointError, Context, Retry, RunFailed


@dataclass(frozen=True)
class Declined(Exception):
    code: int


def errors() -> tuple[App, list[str]]:
    app, released = App("errors"), list[str]()

    @app.activity
    async def release(what: str) -> None:
        released.append(what)

    @app.activity(retry=Retry(max_attempts=1))
    async def fails(how: str) -> None:
        raise_(how)

    @app.workflow
    async def finally_(ctx: Context, how: str) -> None:
        try:
            raise_(how)
        finally:
            await ctx.run(release, how)

    @app.resumable
    async def declines(ctx: Context) -> None:
        await ctx.sleep(1)
        raise Declined(7)

    @app.workflow
    async def frozen(ctx: Context, how: str) -> None:
        if how == "activity":
            await ctx.run(fails, "Declined")
        elif how == "branch":
            await ctx.all(declines(ctx), ctx.sleep(5))
        raise_("Declined")

    @app.workflow
    async def except_(ctx: Context, how: str) -> str:
        try:
            await ctx.run(fails, how)
        except (json.JSONDecodeError, subprocess.CalledProcessError, zoneinfo.ZoneInfoNotFoundError) as error:
            await ctx.run(release, how)
            return type(error).__name__
        return "nothing"

    @app.resumable
    async def cancels(ctx: Context) -> None:
        await ctx.sleep(1)
        raise asyncio.CancelledError("mine")

    @app.workflow
    async def of_branches(ctx: Context) -> list[Any]:
        try:
            await ctx.all(cancels(ctx))
        except Exception:
            return ["an Exception"]
        except asyncio.CancelledError as error:
            await ctx.sleep(1)
            return [type(error).__name__, *error.args]
        return []

    @app.workflow
    async def imports(ctx: Context) -> list[Any]:
        import math
        import xml.etree.ElementTree as tree
        from json import dumps

        def half(x: float) -> float:
            return math.floor(x / 2)

        await ctx.sleep(1)
        return [half(5), dumps([1]), tree.fromstring("<a/>").tag]

    @app.workflow
    async def hands_over(ctx: Context) -> list[Any]:
        try:
            await ctx.run(release, threading.Lock())
        except CheckpointError as error:
            assert error.__traceback__ is not None
            return [error.filename, error.line, error.__traceback__.tb_lineno]
        return []

    @app.workflow
    async def keeps(ctx: Context, how: str) -> Any:
        if how == "with":
            with contextlib.suppress(KeyError):
                await ctx.run(release, how)
        if how == "operation":
            operation = ctx.run(release, how)
            await operation
            await operation
        if how == "task":
            return await ctx.all(starts(ctx))
        return None

    @app.resumable
    async def starts(ctx: Context) -> Any:
        task = ctx.start(cancels(ctx))
        await ctx.sleep(0.5)
        return task

    return app, released


def raise_(how: str) -> None:
    if how == "JSONDecodeError":
        json.loads("{x")
    if how == "CalledProcessError":
        raise subprocess.CalledProcessError(3, ["make"])
    if how == "ZoneInfoNotFoundError":
        raise zoneinfo.ZoneInfoNotFoundError("No/Where")
    if how == "Declined":
        raise Declined(7)
    raise asyncio.CancelledError(how)


@cases("how", ("JSONDecodeError",), ("CalledProcessError",), ("ZoneInfoNotFoundError",), ("CancelledError",))
async def test_a_finally_block_may_wait_whatever_of_the_library_is_in_flight(make: Harness, how: str) -> None:
    app, released = errors()
    engine = await make.engine(app)
    run = await engine.start("finally_", how)
    with raises(Exception) as caught:
        await run.result()
    error = caught.value.__cause__ if isinstance(caught.value, RunFailed) else caught.value
    assert (type(error).__name__, released) == (how, [how])


@cases("how", ("JSONDecodeError",), ("CalledProcessError",), ("ZoneInfoNotFoundError",))
async def test_an_error_of_the_library_is_caught_by_its_class(make: Harness, how: str) -> None:
    app, released = errors()
    engine = await make.engine(app)
    assert await (await engine.start("except_", how)).result() == how
    assert released == [how]


@cases("how notes", ("workflow", []), ("activity", ["activity 'fails' failed after 1 attempt"]), ("branch", []))
async def test_a_frozen_error_fails_its_run_as_others_do(make: Harness, how: str, notes: list[str]) -> None:
    engine = await make.engine(errors()[0])
    run = await engine.start("frozen", how)
    await engine.advance(3)
    with raises(Declined) as caught:
        await run.result()
    assert (await run.status(), caught.value) == ("failed", Declined(7))
    assert getattr(caught.value, "__notes__", []) == notes


async def test_an_activity_that_cancels_itself_fails_with_what_did_so_and_where(make: Harness) -> None:
    engine = await make.engine(errors()[0])
    run = await engine.start("except_", "pool closed")
    with raises(RuntimeError, match="cancelled from inside: pool closed") as caught:
        await run.result()
    cause = caught.value.__cause__
    assert isinstance(cause, asyncio.CancelledError) and cause.args == ("pool closed",)
    assert "raise asyncio.CancelledError(how)" in "".join(traceback.format_exception(cause))


async def test_a_cancelled_error_of_a_branch_of_its_own_stays_one(make: Harness) -> None:
    engine = await make.engine(errors()[0])
    run = await engine.start("of_branches")
    await engine.advance(3)
    assert await run.result() == ["CancelledError", "mine"]


@cases(
    "how text",
    ("with", "the context manager of a `with` cannot be stored"),
    ("operation", "an operation .RunActivity., which cannot be kept over an await"),
    ("task", r"return value cannot be stored \(.*:\d+\): it is a Task"),
)
async def test_what_is_refused_is_named_as_people_know_it(make: Harness, how: str, text: str) -> None:
    app, released = errors()
    engine = await make.engine(app)
    run = await engine.start("keeps", how)
    await engine.advance(3)
    with raises(CheckpointError, match=text):
        await run.result()
    assert released == []


async def test_an_argument_that_cannot_be_stored_is_told_with_its_await(make: Harness) -> None:
    app, released = errors()
    engine = await make.engine(app)
    filename, line, awaited = await (await engine.start("hands_over")).result()
    assert (filename, line, released) == (errors.__code__.co_filename, awaited, [])


async def test_what_a_workflow_imports_in_its_body_is_there_after_a_wait(make: Harness) -> None:
    engine = await make.engine(errors()[0])
    run = await engine.start("imports")
    await engine.advance(2)
    assert await run.result() == [2, "[1]", "a"]
