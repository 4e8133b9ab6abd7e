"""What a page's engine worker runs: an engine on an IndexedDB store, on a pumped loop, with activities of the page.

JavaScript calls `serve` and gets a `Door`; Python calls the functions of the `page` object it was given. Only texts and
numbers cross: arguments and results of the page's activities are JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from weft_core.engine.activities import activity_info
from weft_core.engine.engine import Engine
from weft_core.engine.host_browser import PumpedLoop, run
from weft_core.errors import ActivityError, DeclarationError, InterpreterDied, WeftError
from weft_core.kernel.records import CLOSED
from weft_core.model.app import App


class Door:
    """What JavaScript may ask of the engine. Every method returns at once and never raises."""

    def __init__(self, page: Any, loop: PumpedLoop) -> None:
        self.page = page
        self.loop = loop
        self.engine: Engine | None = None
        self.task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._calls: dict[int, asyncio.Future[str]] = {}
        self._call_count = 0
        self._moving: list[str] = []

    def wake(self) -> None:
        """Look at the store and the clock: something may have changed while timers slept."""
        self.loop.call_soon(self._wake)

    def close(self) -> None:
        """Stop at the last commit."""
        self.loop.call_soon(self._stop.set)

    def returned(self, call: int, text: str) -> None:
        """An activity of the page gave a result."""
        self.loop.call_soon(self._settle, call, text, None)

    def threw(self, call: int, name: str, message: str, final: bool) -> None:
        """An activity of the page failed with a JavaScript error; `final`: another attempt would fail the same way."""
        error = ActivityError(f"{name}: {message}", type_name=name)
        if final:
            error.non_retryable = True  # type: ignore[attr-defined]
        self.loop.call_soon(self._settle, call, None, error)

    # --- on the loop ------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        pump = None if self.engine is None else self.engine._pump
        if pump is not None:
            pump.hint()

    def _settle(self, call: int, text: str | None, error: Exception | None) -> None:
        future = self._calls.get(call)
        if future is None or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(text or "null")

    def _entering(self, run_ids: Iterable[str]) -> None:
        moving = [*run_ids]
        if moving != self._moving:  # a run that moves alone is told once, not at each step
            self._moving = moving
            self.page.entering(json.dumps(moving))

    def activity(self, name: str) -> Any:
        """An activity that the page carries out."""

        async def call_page(*args: Any, **named: Any) -> Any:
            assert self.engine is not None
            if named:
                error = TypeError(
                    f"JavaScript has no keyword arguments: give {name} its {', '.join(named)} by position"
                )
                error.non_retryable = True  # type: ignore[attr-defined]
                raise error
            codec = self.engine.app.codec
            info = activity_info()
            self._call_count += 1
            call = self._call_count
            future = self._calls[call] = self.loop.create_future()
            text = codec.encode(list(args), what=f"arguments of {name}")
            self.page.call(call, name, text, info.run_id, info.key, info.attempt)
            try:
                return codec.decode(await future)
            except asyncio.CancelledError:
                self.page.abort(call)
                raise
            finally:
                del self._calls[call]

        call_page.__name__ = name
        return call_page

    async def main(
        self, url: str, spec: str, activities: list[str], suspects: list[str], guilty: list[tuple[str, str]]
    ) -> None:
        """Load the app, open the engine, and advance runs until closed.

        The interpreter before this one died when the `suspects` moved; with each of the `guilty` alone, in the words given.
        """
        app = load_app(spec)
        self.page.state("booting", f"opening {url}")
        self.engine = engine = await Engine.open(url, app, wait=True)
        engine.activities.elsewhere = True  # other tabs, or this one after a deploy, may give others
        for name in activities:
            engine.activities[name] = self.activity(name)
        engine.host.entering = self._entering
        for run_id, last_words in guilty:
            await _park(engine, run_id, last_words)
        assert engine._pump is not None
        engine._pump.suspect(suspects)
        async with engine:
            self.page.state("serving", f"advancing runs of {spec}")
            served = asyncio.ensure_future(engine.serve())
            stopped = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait([served, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if served.done():
                served.result()
            served.cancel()


async def _park(engine: Engine, run_id: str, last_words: str) -> None:
    try:
        if (await engine.handle(run_id).info()).status in CLOSED:
            return
    except WeftError:
        return  # gone, or it cannot be read: then it is parked for that
    assert engine._pump is not None
    await engine._pump.parking.park(
        run_id,
        InterpreterDied(
            f"Python itself died twice while it moved this run ({last_words}). Data nested thousands deep and recursion in "
            "C do that. Change the code and resume the run, or terminate it"
        ),
    )


def load_app(spec: str) -> App:
    """The `App` that `module:name` names; the module is imported from the app's folder.

    What the module itself raises is left as it is: its line is at fault.
    """
    name, _, path = spec.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DeclarationError(
            f"{spec!r} needs the module {error.name}: give Weft.open its file in `files`, or its wheel in `packages`"
        ) from error
    try:
        for part in (path or "app").split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise DeclarationError(f"{spec!r} leads to no app: {error}; name it as module:variable") from error
    if not isinstance(found, App):
        raise DeclarationError(f"{spec!r} is {type(found).__name__}, not an App")
    return found


def serve(page: Any, options: str) -> Door:
    """Start an engine and return at once; `page.state` hears how it goes. `options` is JSON.

    {"url": "indexeddb:name?durability=…", "app": "module:app", "folder": "/app", "activities": ["name", …],
     "suspects": ["run", …], "guilty": [["run", "how Python died"], …]}
    """
    told = json.loads(options)
    sys.path.insert(0, told["folder"])
    importlib.invalidate_caches()
    loop = PumpedLoop()
    door = Door(page, loop)

    def ended(error: BaseException | None) -> None:
        if error is None:
            page.state("closed", "stopped at the last commit")
        else:
            traceback.print_exception(error)
            page.state("failed", f"{type(error).__name__}: {error}")
        loop.close()

    main = door.main(told["url"], told["app"], told["activities"], told["suspects"], told["guilty"])
    door.task = run(main, on_end=ended, loop=loop)
    return door
