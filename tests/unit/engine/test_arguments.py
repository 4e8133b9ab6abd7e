"""What cannot be meant is refused where it is said, and named."""

from __future__ import annotations

import functools
import re
from datetime import timedelta
from typing import Any

import pytest

from weft_core import App, Context, Retry, run_sync
from weft_core.errors import DeclarationError, WeftError
from weft_core.model.durations import DURATION_MAX_MS, milliseconds
from weft_core.testing import TestEngine

app = App("arguments")


@app.workflow
async def waiting(ctx: Context, name: object) -> object:
    return await ctx.wait_for_signal(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("span", [1e308, 1e300, "9" * 400 + "d", timedelta.max, 1e11 * 365])
def test_a_span_that_is_too_long_is_refused_as_such(span: object) -> None:
    with pytest.raises(DeclarationError, match="longer than a thousand years"):
        milliseconds(span)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "ms"),
    [(0.0001, 1), (1.5, 1500), (timedelta(microseconds=1), 1), (timedelta(milliseconds=2), 2), ("1.5ms", 2)],
)
def test_a_span_is_rounded_up(span: object, ms: int) -> None:
    assert milliseconds(span) == ms  # type: ignore[arg-type]
    assert ms < DURATION_MAX_MS


async def test_names_of_signals_are_texts() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(waiting, 5)
        with pytest.raises(DeclarationError, match="a signal's name is a text, not 5"):
            await run.result()
        other = await engine.start(waiting, "5")
        with pytest.raises(DeclarationError, match="not 5"):
            await other.signal(5)  # type: ignore[arg-type]


@app.activity
def pay() -> None: ...


@app.workflow
async def paying(ctx: Context, options: dict[str, Any]) -> None:
    await ctx.run(pay, **options)


@app.workflow
async def limited(ctx: Context, limit: Any) -> None:
    await ctx.all(limit=limit)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_attempts": "3"}, "max_attempts=…) must be 1 to 1,000,000, not '3'"),
        ({"max_attempts": 2.5}, "max_attempts=…) must be 1 to 1,000,000, not 2.5"),
        ({"backoff": "2"}, "backoff=…) must be at least 1, not '2'"),
        ({"jitter": None}, "jitter=…) is a share from 0 to 1, not None"),
        ({"give_up_on": ValueError}, "give_up_on=…) takes a tuple of exception classes, not <class 'ValueError'>"),
        ({"give_up_on": (ValueError("x"),)}, "give_up_on=…) takes exception classes, not ValueError('x')"),
        ({"initial": "10m", "max": "5m"}, "Retry(initial='10m', max='5m'): the longest wait is shorter than the first"),
        ({"max": 0.5}, "Retry(initial=1.0, max=0.5): the longest wait is shorter than the first"),
    ],
)
def test_a_retry_policy_says_what_it_takes(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(problem)):
        Retry(**options)


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({}, [1, 2, 4, 8, 16, 32, 60, 60]),
        ({"initial": "10ms"}, [0.01, 0.02, 0.04]),
        ({"initial": "10m"}, [600, 1_200, 2_400]),
        ({"initial": "10m", "backoff": 100.0}, [600, 36_000, 36_000]),
        ({"initial": "10m", "max": "10m"}, [600, 600]),
        ({"initial": "365000d"}, [365_000 * 86_400] * 2),
    ],
)
def test_the_longest_wait_follows_the_first_where_none_is_given(options: dict[str, Any], waits: list[float]) -> None:
    retry = Retry(**options, jitter=0.0)
    assert [retry.delay_ms(n, salt="") / 1_000 for n in range(1, len(waits) + 1)] == waits


async def test_what_a_call_of_an_activity_takes_is_said() -> None:
    with pytest.raises(DeclarationError, match=r"retry= takes a policy, such as Retry\(max_attempts=3\), not 3"):
        App("other").activity(retry=3)(pay.function)  # type: ignore[call-overload]
    async with TestEngine(app) as engine:
        for options, problem in (
            ({"retry": {"max_attempts": 3}}, r"retry= takes a policy, such as Retry\(max_attempts=3\), not {"),
            ({"key": 5}, "an idempotency key is a text, not 5"),
        ):
            with pytest.raises(DeclarationError, match=problem):
                await (await engine.start(paying, options)).result()
        for limit in (0, "2", 1.5):
            with pytest.raises(DeclarationError, match="limit is a whole number of at least 1"):
                await (await engine.start(limited, limit)).result()


async def test_what_to_do_with_an_id_that_exists_is_one_of_three() -> None:
    async with TestEngine(app) as engine:
        with pytest.raises(DeclarationError, match="if_exists is 'use', 'fail' or 'restart_if_closed', not 'replace'"):
            await engine.start(waiting, "x", if_exists="replace")  # type: ignore[arg-type]


def test_an_activity_without_a_name_of_its_own_needs_one() -> None:
    other = App("other")
    half = functools.partial(pow, 2)
    with pytest.raises(DeclarationError, match=r"has no name of its own: write @app.activity\(name=…\)"):
        other.activity(half)

    @other.workflow
    async def main(ctx: Context) -> object:
        return await ctx.run("power", 5)

    other.activity(name="power")(half)
    assert run_sync(other, main) == 32


async def test_run_sync_inside_of_a_loop_says_what_to_do() -> None:
    with pytest.raises(WeftError, match="open an engine instead"):
        run_sync(app, waiting, "x")


class Shelf:
    @app.resumable
    async def item(self, ctx: Context, x: int) -> int:
        await ctx.sleep(1)
        return x


@app.resumable
async def plus(ctx: Context, x: int, k: int = 0) -> int:
    return x + k


@app.workflow
async def mapped(ctx: Context, how: str) -> list[int]:
    return await ctx.map({"method": Shelf().item, "partial": functools.partial(plus, k=5)}[how], [1, 2])


@pytest.mark.parametrize("how", ["method", "partial"])
async def test_a_map_over_a_bound_resumable_says_what_to_write_instead(how: str) -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(mapped, how)
        with pytest.raises(DeclarationError, match=re.escape("write `ctx.all(*[f(ctx, x) for x in items])`")):
            await run.result()
