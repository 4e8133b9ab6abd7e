"""What a test of the suite is given: engines on the store under test, closed when the test ends."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from weft_core import App
from weft_core.store.port import Store
from weft_core.testing.engine import Restart, TestEngine


class raises:  # it reads as the one of pytest, which is not there in a browser
    """`with raises(ValueError, match="no"):` asserts that the block raises that, as `value`."""

    value: BaseException

    def __init__(self, kind: type[BaseException], *, match: str = "") -> None:
        self._kind = kind
        self._match = match

    def __enter__(self) -> raises:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        assert error is not None, f"{self._kind.__name__} was not raised"
        if not isinstance(error, self._kind):
            return False
        assert re.search(self._match, str(error)), f"{self._match!r} is not in {str(error)!r}"
        self.value = error
        return True


def cases(names: str, *values: tuple[Any, ...]) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """Make one test of several: it is called with each tuple of values for the (space-separated) names."""

    def decorate(function: Callable[..., Awaitable[None]]) -> Any:
        async def test(make: Harness) -> None:
            for case in values:
                try:
                    await function(make, **dict(zip(names.split(), case, strict=True)))
                except BaseException as error:
                    error.add_note(f"in the case {case!r}")
                    raise

        test.__name__, test.__qualname__, test.__doc__ = function.__name__, function.__qualname__, function.__doc__
        test.__module__ = function.__module__
        return test

    return decorate


PATIENCE = "50ms"
"""What the engines here have with activities: they do no work, or wait for ever."""


class Harness:
    """Makes engines on one fresh store. `restart` is the mode in which the whole suite is being run."""

    def __init__(self, make_store: Callable[[], Awaitable[Store]], *, restart: Restart) -> None:
        self._make_store = make_store
        self._engines: list[TestEngine] = []
        self.restart = restart

    async def engine(self, app: App) -> TestEngine:
        """A started engine with a virtual clock."""
        engine = TestEngine(app, store=await self._make_store(), restart=self.restart, patience=PATIENCE)
        self._engines.append(engine)
        return await engine.__aenter__()

    async def reopen(self, engine: TestEngine, app: App) -> TestEngine:
        """Another engine, of another app, on the same store; the first is stopped."""
        await engine._halt()
        await engine.store.release()
        other = TestEngine(app, store=engine.store, restart=self.restart, patience=PATIENCE)
        other.host.move_to(engine.now_ms)
        self._engines[self._engines.index(engine)] = other
        return await other.__aenter__()

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()
