"""The app that interprets random programs, and the outside world that its activities touch.

A program is plain data (nested lists, see `generate`), so that one app with a few fixed functions runs all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from weft_core import App, Context, Retry, activity_info

app = App("simulation")


class World:
    """What outlives every engine: which effects happened, under which keys, in which life."""

    def __init__(self) -> None:
        self.life = 0
        self.operations = 0
        self.violations: list[str] = []
        self.effects: dict[str, Any] = {}
        self.call_at: Callable[[int, Callable[[], None]], Any] | None = None
        self.now_ms: Callable[[], int] = lambda: 0
        self._asked: dict[str, Any] = {}
        self._begun: set[tuple[int, str, int]] = set()
        self._sealed: set[str] = set()

    def begun(self, what: Any) -> int:
        """An attempt begins; gives its number. Notes what must never be."""
        info = activity_info()
        self.operations += 1
        if info.key in self._sealed:
            self.violations.append(f"{info.key} ({what}) was committed and is done again")
        if (self.life, info.key, info.attempt) in self._begun:
            self.violations.append(f"attempt {info.attempt} of {info.key} ({what}) begins twice in one life")
        self._begun.add((self.life, info.key, info.attempt))
        if self._asked.setdefault(info.key, what) != what:
            self.violations.append(f"{info.key} stands for {self._asked[info.key]} and for {what}")
        return info.attempt

    def did(self, what: Any) -> Any:
        """The effect happens, once for each key."""
        return self.effects.setdefault(activity_info().key, what)

    def died(self, open_keys: set[str]) -> None:
        """The engine is gone. Operations that the store does not wait for are over for good."""
        self._sealed |= self._asked.keys() - open_keys
        self.life += 1

    async def pass_time(self, seconds: float) -> None:
        """Take virtual time."""
        assert self.call_at is not None
        over = asyncio.Event()
        undo = self.call_at(self.now_ms() + int(seconds * 1000), over.set)
        try:
            await over.wait()
        finally:
            undo()


here: list[World] = []
"""The world of the seed that is being played."""

ONCE = Retry(max_attempts=1)


@app.activity(retry=ONCE)
async def note(what: Any) -> Any:
    here[-1].begun(what)
    return here[-1].did(what)


@app.activity(retry=ONCE)
async def fail(what: Any) -> None:
    here[-1].begun(what)
    raise ValueError(f"fail {what}")


@app.activity(retry=Retry(max_attempts=3, initial=1, backoff=60.0, max=60, jitter=0.0))
async def flaky(what: Any, failures: int) -> Any:
    if here[-1].begun(what) <= failures:
        raise OSError(f"flaky {what}")
    return here[-1].did(what)


@app.activity(retry=ONCE)
async def slow(what: Any, seconds: float) -> Any:
    here[-1].begun(what)
    await here[-1].pass_time(seconds)
    return here[-1].did(what)


BARE = frozenset(("note", "fail", "flaky", "slow", "sleep", "until", "wait", "group", "map"))


def operation(ctx: Context, node: Any, env: Any) -> Any:
    """The operation that a node without parts in sequence stands for."""
    match node:
        case ["note", what]:
            return ctx.run(note, what)
        case ["fail", what]:
            return ctx.run(fail, what)
        case ["flaky", what, failures]:
            return ctx.run(flaky, what, failures)
        case ["slow", what, seconds]:
            return ctx.run(slow, what, seconds)
        case ["slow", what, seconds, limit]:
            return ctx.run(slow, what, seconds, timeout=limit)
        case ["sleep", seconds]:
            return ctx.sleep(seconds)
        case ["until", seconds]:
            from datetime import timedelta

            return ctx.sleep_until(ctx.started_at + timedelta(seconds=seconds))
        case ["wait", name, None, _]:
            return ctx.wait_for_signal(name)
        case ["wait", name, limit, None]:
            return ctx.wait_for_signal(name, timeout=limit)
        case ["wait", name, limit, default]:
            return ctx.wait_for_signal(name, timeout=limit, default=default)
        case ["group", "race", parts, _, shared]:
            return ctx.race(*(branch(ctx, part, env if shared else {}) for part in parts))
        case ["group", mode, parts, limit, shared]:
            return getattr(ctx, mode)(*(branch(ctx, part, env if shared else {}) for part in parts), limit=limit)
        case ["map", "note", items, limit]:
            return ctx.map(note, items, limit=limit)
        case ["map", _, items, limit]:
            return ctx.map(mapped, items, limit=limit)
    raise AssertionError(node)


def branch(ctx: Context, node: Any, env: Any) -> Any:
    """What a node gives as a branch: a bare operation, a task that is there, or the call of a resumable function."""
    if node[0] in BARE:
        return operation(ctx, node, env)
    if node[0] == "join" and node[1] in env:
        return env[node[1]]
    return do(ctx, node, env)


def told(value: Any) -> Any:
    """A result that can be compared: outcomes and errors as text."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if hasattr(value, "ok"):
        return ["outcome", value.ok, told(value.value), said(value.error)]
    return value


def said(error: BaseException | None) -> str | None:
    return None if error is None else f"{type(error).__name__}: {error}"


def catches(what: str, error: BaseException) -> bool:
    match what:
        case "timeout":
            return isinstance(error, TimeoutError)
        case "value":
            return isinstance(error, ValueError)
        case "all":
            return isinstance(error, Exception)
        case "swallow":
            return True
        case _:
            return False


def raised(kind: str) -> BaseException:
    return {"value": ValueError, "key": KeyError, "timeout": TimeoutError}[kind]("raised")


def entered(ctx: Context, ident: int, by: int) -> None:
    """Count in the public state who is inside of which `try`."""
    if ident:
        inside = ctx.state.setdefault("inside", {})
        inside[str(ident)] = inside.get(str(ident), 0) + by
        if by > 0:
            ctx.state["entered"] = ctx.state.get("entered", 0) + 1


@app.resumable
async def mapped(ctx: Context, node: Any) -> Any:
    return await do(ctx, node, {})


@app.resumable
async def do(ctx: Context, node: Any, env: Any) -> Any:
    """Do what a node says; gives what became of it."""
    kind = node[0]
    if kind in BARE:
        return told(await operation(ctx, node, env))
    if kind == "seq":
        out = []
        for part in node[1]:
            out.append(await do(ctx, part, env))
        return out
    if kind == "loop":
        out = []
        for _ in range(node[1]):
            out.append(await do(ctx, node[2], env))
        return out
    if kind == "limit":
        async with ctx.timeout(node[1]):
            return await do(ctx, node[2], env)
    if kind == "try":
        _, ident, body, catch, handler, final = node
        entered(ctx, ident, 1)
        try:
            try:
                return await do(ctx, body, env)
            except BaseException as error:
                if not catches(catch, error):
                    raise
                return [said(error), await do(ctx, handler, env)]
            finally:
                if final is not None:
                    await do(ctx, final, env)
        finally:
            entered(ctx, ident, -1)
    if kind == "raise":
        raise raised(node[1])
    if kind == "start":
        env[node[1]] = ctx.start(branch(ctx, node[2], env if node[3] else {}))
        return "started"
    if kind == "join":
        task = env.get(node[1])
        return "none" if task is None else told(await task)
    if kind == "stop":
        task = env.get(node[1])
        if task is not None:
            task.cancel()
        return None if task is None else task.done
    if kind == "state":
        ctx.state.setdefault("counts", {})
        counts = ctx.state["counts"]
        counts[node[1]] = counts.get(node[1], 0) + 1
        value = await do(ctx, node[2], env)
        counts[node[1]] += 1
        return value
    if kind == "large":
        text = [f"{node[1]} {n}" for n in range(3_000)]
        value = await do(ctx, node[2], env)
        return [len(text), text[-1], value]
    if kind == "log":
        ctx.log.info("at %s", node[1])
        return (ctx.now() - ctx.started_at).total_seconds()
    raise AssertionError(node)


@app.workflow
async def main(ctx: Context, program: Any) -> Any:
    return await do(ctx, program, {})


@app.workflow(timeout="10m")
async def limited(ctx: Context, program: Any) -> Any:
    return await do(ctx, program, {})
