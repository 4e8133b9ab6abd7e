"""The event loop of a browser: asyncio's own loop, pumped by JavaScript in short turns.

Pyodide's WebLoop takes one macrotask for each callback, starts timers that cancelling does not stop, and lacks
`eager_start`. Here asyncio's own `BaseEventLoop` keeps its queues, and JavaScript is asked only for "call me soon" and
"call me at the nearest timer". Needs JSPI to be off in this context: a Python frame that suspends into JavaScript would
leave a turn half done.

With `store/indexeddb.py` this is the only module that imports `js` or `pyodide`; nothing imports it outside a browser.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import time
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVarTuple

import js
from pyodide.ffi import create_proxy

TURN_MS_MAX = 8
"""How long one turn may go on before messages of the page get in."""
TIMEOUT_MS_MAX = 30_000
"""The longest time a platform timer is trusted for: clocks jump, machines sleep, and beyond 2^31 ms they fire at once."""

_Ts = TypeVarTuple("_Ts")


class _NoFiles:
    """A selector that watches nothing: all news come by callbacks from JavaScript."""

    def select(self, timeout: float | None = None) -> tuple[()]:
        return ()


class PumpedLoop(asyncio.BaseEventLoop):
    """An asyncio event loop that lives on JavaScript's. Never run with `run_forever`; tasks made on it just run."""

    def __init__(self) -> None:
        self._armed = False
        self._pumping = False
        super().__init__()
        self._selector = _NoFiles()
        self._timeout: Any = None
        self._timeout_at = 0.0
        self._on_turn = create_proxy(self._turn)
        self._on_timeout = create_proxy(self._timed_out)
        self._macrotask = _macrotask(self._on_turn)

    # --- what BaseEventLoop asks of a loop that has a selector ---------------------------------------------------------

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        self._arm()

    # --- every way into the queues ----------------------------------------------------------------------------------

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle: asyncio.Handle = super()._call_soon(callback, args, context)  # type: ignore[misc]
        if not self._armed and not self._pumping:
            self._arm()
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if not self._armed and not self._pumping:
            self._arm()
        return handle

    def is_running(self) -> bool:
        return self._pumping

    def close(self) -> None:
        """Stop for good: drop the timer and the proxies. Tasks that are left never go on."""
        if self.is_closed():
            return
        if self._timeout is not None:
            js.clearTimeout(self._timeout)
            self._timeout = None
        self._armed = True  # nothing arms a closed loop
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self._closed = True
        self._on_turn.destroy()
        self._on_timeout.destroy()

    def run_forever(self) -> None:
        raise RuntimeError("this loop is driven by JavaScript; make tasks on it instead")

    def run_until_complete(self, future: Any) -> Any:
        raise RuntimeError("this loop is driven by JavaScript; make tasks on it instead of waiting for one")

    # --- turns ------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        self._armed = True
        self._macrotask()

    def _turn(self, *_: Any) -> None:
        self._armed = False
        self._pump()

    def _timed_out(self, *_: Any) -> None:
        self._timeout = None
        self._pump()

    def run_now(self, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """For callbacks from JavaScript: call back, and go on at once with what that has set free."""
        if self._pumping or self.is_closed():
            callback(*args)  # in the middle of a turn, which goes on by itself
            return
        self._pumping = True
        try:
            callback(*args)
        finally:
            self._pumping = False
            self._pump()

    def _pump(self) -> None:
        """Run what is ready and what is due, for at most TURN_MS_MAX; then ask to be called again if there is more."""
        if self.is_closed():
            return
        self._pumping = True
        outer, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]
        until = time.monotonic() + TURN_MS_MAX / 1000
        try:
            while True:
                self._run_once()  # type: ignore[attr-defined]
                if not self._ready or time.monotonic() >= until:  # type: ignore[attr-defined]
                    break
        finally:
            events._set_running_loop(outer)
            sys.set_asyncgen_hooks(*hooks)
            self._pumping = False
            if not self.is_closed():
                if self._ready:  # type: ignore[attr-defined]
                    if not self._armed:
                        self._arm()
                elif self._scheduled:  # type: ignore[attr-defined]
                    self._arm_timeout(self._scheduled[0].when())  # type: ignore[attr-defined]

    def _arm_timeout(self, when: float) -> None:
        if self._timeout is not None:
            if self._timeout_at <= when:
                return  # the earlier one will look again
            js.clearTimeout(self._timeout)
        delay = min(max(when - self.time(), 0.0) * 1000 + 0.999, TIMEOUT_MS_MAX)
        self._timeout_at = self.time() + delay / 1000
        self._timeout = js.setTimeout(self._on_timeout, int(delay))


def _macrotask(turn: Any) -> Callable[[], None]:
    """A function that has JavaScript call `turn` in a task of its own, soon, without the 4 ms clamp of timers."""
    if hasattr(js, "setImmediate"):  # Node: a message port would keep the process alive

        def soon() -> None:
            js.setImmediate(turn)

        return soon
    channel = js.MessageChannel.new()
    channel.port1.onmessage = turn
    post = channel.port2.postMessage
    return lambda: post(0)


def run(
    main: Coroutine[Any, Any, None],
    *,
    on_end: Callable[[BaseException | None], None] | None = None,
    loop: PumpedLoop | None = None,
) -> asyncio.Task[None]:
    """Start `main` on a pumped loop and return at once; `on_end` hears how it ended.

    Keep the task that is returned: the loop alone does not keep it alive while it waits.
    """
    loop = loop or PumpedLoop()
    task = loop.create_task(main)
    if on_end is not None:
        report = on_end
        task.add_done_callback(lambda done: report(asyncio.CancelledError() if done.cancelled() else done.exception()))
    return task
