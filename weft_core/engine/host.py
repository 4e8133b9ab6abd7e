"""The door to the platform: time, timers, tasks and threads. Tests and browsers bring their own."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

THREADS_MAX = 64
"""Plain (not `async`) activities at work at the same time in one engine; more wait for a thread."""
THREAD_NAMES = "weft-activity"
"""What the names of those threads begin with."""
TIMER_SPAN_MAX_MS = 30_000
"""The longest time a platform timer is trusted for: clocks jump, machines sleep, browsers throttle."""


class Host:
    """The ordinary host: wall clock, asyncio, threads where the platform has them."""

    threads = sys.platform != "emscripten"
    entering: Callable[[Iterable[str]], None] | None = None
    """Told which runs are about to move, where somebody outlives this interpreter: the page around an engine worker."""
    _executor: ThreadPoolExecutor | None = None

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at about `at_ms`, at the latest after TIMER_SPAN_MAX_MS; gives the undo."""
        delay = min(max(at_ms - self.now_ms(), 0), TIMER_SPAN_MAX_MS)
        return asyncio.get_running_loop().call_later(delay / 1000, callback).cancel

    def spawn(
        self, coroutine: Coroutine[Any, Any, None], context: contextvars.Context, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Task[None]:
        """Start an activity's attempt. Where Python can (3.12), it runs at once up to its first wait."""
        if sys.version_info >= (3, 12):
            return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)
        return loop.create_task(coroutine, context=context)

    async def in_thread(self, function: Callable[[], Any]) -> Any:
        """Run a blocking function without stopping the event loop, where the platform has threads."""
        if not self.threads:
            return function()
        if self._executor is None:
            from concurrent.futures import ThreadPoolExecutor

            # Of its own: activities that hang must not stop what else the program does in threads.
            self._executor = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=THREAD_NAMES)
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, context.run, function)

    def close(self) -> None:
        """Let go of the threads; those at work end with what they do."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
