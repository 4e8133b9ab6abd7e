"""What a test of the suite is given: engines on the store under test, closed when the test ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from weft_core import App
from weft_core.store.port import Store
from weft_core.testing.engine import Restart, TestEngine


class Harness:
    """Makes engines on one fresh store. `restart` is the mode in which the whole suite is being run."""

    def __init__(self, make_store: Callable[[], Awaitable[Store]], *, restart: Restart) -> None:
        self._make_store = make_store
        self._engines: list[TestEngine] = []
        self.restart = restart

    async def engine(self, app: App) -> TestEngine:
        """A started engine with a virtual clock."""
        engine = TestEngine(app, store=await self._make_store(), restart=self.restart)
        self._engines.append(engine)
        return await engine.__aenter__()

    async def reopen(self, engine: TestEngine, app: App) -> TestEngine:
        """Another engine, of another app, on the same store; the first is stopped."""
        await engine._halt()
        await engine.store.release()
        other = TestEngine(app, store=engine.store, restart=self.restart)
        other.host.move_to(engine.now_ms)
        self._engines[self._engines.index(engine)] = other
        return await other.__aenter__()

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()
