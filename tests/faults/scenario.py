"""What a scenario is, and what scenarios are made of; `SCENARIOS` has them all once `scenarios` is imported.

A scenario's script is written as a careful client: it may be run again from the top after any crash, because starts
carry ids and signals carry ids.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.ledger import Ledger
from weft_core import App, Retry, RunCancelled, RunClosed, RunFailed, StoreError
from weft_core.testing.engine import TestEngine

TRIES_MAX = 50


async def persist(action: Callable[[], Awaitable[Any]], engine: TestEngine) -> Any:
    """Do it again while the store fails, as a client would."""
    for _ in range(TRIES_MAX):
        try:
            return await action()
        except RunClosed:
            return None
        except StoreError:
            await engine.advance(1)
    raise AssertionError("the store never recovered")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    name: str
    app: Callable[[Ledger], App]
    script: Callable[[TestEngine], Awaitable[None]]
    runs: tuple[str, ...] = ("r",)


SCENARIOS: list[Scenario] = []


def scenario(*, runs: tuple[str, ...] = ("r",)) -> Callable[[Callable[[], Any]], None]:
    """Register a function that gives (app maker, script)."""

    def add(make: Callable[[], Any]) -> None:
        app, script = make()
        SCENARIOS.append(Scenario(name=make.__name__, app=app, script=script, runs=runs))

    return add


def base(ledger: Ledger) -> App:
    app = App("scenario")

    @app.activity(retry=Retry(max_attempts=1))
    async def note(what: Any) -> Any:
        return ledger.effect(what)

    return app


def starting(*actions: Callable[[TestEngine], Awaitable[Any]], advance: str = "2h", args: tuple[Any, ...] = ()) -> Any:
    """A script: start run `r`, do the actions, let time pass."""

    async def script(engine: TestEngine) -> None:
        await persist(lambda: engine.start("main", *args, id="r"), engine)
        for action in actions:
            await persist(lambda action=action: action(engine), engine)
        await engine.advance(advance)

    return script


async def outcome(engine: TestEngine, run_id: str) -> Any:
    """How a run stands at the end, comparable between lives."""
    handle = engine.handle(run_id)
    status = await handle.status()
    if status in ("running", "waiting", "pending", "suspended"):
        return status, None
    try:
        return status, await handle.result()
    except StoreError:
        raise
    except (RunCancelled, RunFailed) as error:
        return status, type(error).__name__
    except Exception as error:
        return status, repr(error)
