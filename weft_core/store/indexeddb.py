"""A store in an IndexedDB database of this browser origin, for Python inside Pyodide.

The work is done in JavaScript (`browser/src/store`), because a transaction cannot wait for Python. Across the bridge go
numbered requests and, by one lasting callback, their answers; all of it text, so nothing has to be freed.

The bridge is, in this order: `globalThis.weftBridge`, which Weft's own worker sets; a JavaScript module registered as
`weft_bridge`; the copy that this package carries, for pages that are not Weft's (PyScript, JupyterLite, a notebook).

With `engine/host_browser*.py` this is the only module that imports `js` or `pyodide`, and only when a store is opened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from weft_core.errors import Conflict, StoreCorrupt, StoreError, StoreFull, StoreOwned, StoreUnavailable
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row

_HINT = 0
"""The id of an answer that nobody asked for: others committed something."""
_OPENING = 1
"""The id of the answer to opening."""


class IndexedDBStore:
    """A `Store` on the JavaScript object that `bridge.open(name, durability, settle)` gives."""

    def __init__(self, name: str, port: Any, keep: Any) -> None:
        """Made by `open`. `keep` is the callback that JavaScript holds, destroyed when the store is closed."""
        self.url = f"indexeddb:{name}"
        self._port = port
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._last_id = _OPENING
        self._watchers: list[Callable[[], None]] = []
        self._closed = False

    @classmethod
    async def open(
        cls, name: str, *, durability: Literal["strict", "relaxed"] = "strict", bridge: Any = None
    ) -> IndexedDBStore:
        """Open the database, making it when it does not exist. `bridge` replaces the one of this context."""
        settle = keep = _Settle(asyncio.get_running_loop())
        if bridge is None:
            from pyodide.ffi import create_proxy

            bridge = _find_bridge()
            keep = create_proxy(settle)
        store = cls(name, None, keep)
        opened = store._asked[_OPENING] = store._loop.create_future()
        settle.store = store
        store._port = bridge.open(name, durability, keep)
        try:
            await opened
        except BaseException:
            await store.close()
            raise
        return store

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        rows = await self._ask({"op": "get", "keys": list(keys)})
        return {row[0]: Row._make(row) for row in rows}

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        rows = await self._ask({"op": "scan", "start": start, "end": end, "limit": limit, "reverse": reverse})
        return list(map(Row._make, rows))

    async def commit(self, batch: Batch) -> int:
        texts = ["commit", str(len(batch.expect)), str(len(batch.delete)), str(len(batch.delete_range))]
        for key, version in batch.expect.items():
            texts += (key, str(version))
        texts += batch.delete
        for part in (batch.delete_range, batch.put.items()):
            for pair in part:
                texts += pair
        number = int(await self._post("\0".join(texts)))  # see `operationsOf` in bridge.ts
        if number:
            self._ring()
        return number

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._check_open()
        self._watchers.append(callback)

        def undo() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return undo

    async def acquire(self, *, wait: bool = False) -> None:
        await self._ask({"op": "acquire", "wait": wait})

    async def release(self) -> None:
        if not self._closed:
            await self._ask({"op": "release"})

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watchers.clear()
        if self._port is not None:
            self._port.close()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(StoreUnavailable(f"{self.url} was closed meanwhile", applied=None))
                future.exception()  # whoever still waits gets it; nobody need
        self._asked.clear()
        destroy = getattr(self._keep, "destroy", None)
        if destroy is not None:
            destroy()

    async def _ask(self, request: dict[str, Any]) -> Any:
        """Post a request that is no commit and wait for its answer."""
        return json.loads(await self._post(json.dumps(request, separators=(",", ":"))))

    def _post(self, request: str) -> asyncio.Future[str]:
        """The answer to come. ASCII is the fast way into JavaScript. Who stops waiting does not stop the request."""
        self._check_open()
        self._last_id += 1
        number = self._last_id
        future = self._asked[number] = self._loop.create_future()
        self._port.post(number, request)
        return future

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the store {self.url} was closed; open it again", applied=False)

    def _ring(self) -> None:
        for callback in self._watchers.copy():
            callback()

    def _settle(self, number: int, ok: bool, payload: str) -> None:
        """An answer came from JavaScript."""
        if number == _HINT:
            self._ring()
            return
        future = self._asked.pop(number, None)
        if future is None or future.done():
            return
        if ok:
            future.set_result(payload)
        else:
            future.set_exception(_error(json.loads(payload)))


class _Settle:
    """The lasting callback."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.store: IndexedDBStore | None = None
        # A loop that JavaScript drives may offer to go on at once with what an answer set free, instead of asking for a
        # turn of its own first; measured: a tenth of a sequential commit.
        self.run_now: Callable[..., object] | None = getattr(loop, "run_now", None)

    def __call__(self, number: int, ok: bool, payload: str) -> None:
        if self.store is None:
            return
        if self.run_now is None:
            self.store._settle(number, ok, payload)
        else:
            self.run_now(self.store._settle, number, ok, payload)


def _error(told: dict[str, Any]) -> StoreError:
    """The one table from the codes of `browser/src/store/errors.ts` to our errors."""
    message = told["message"]
    match told["code"]:
        case "conflict":
            return Conflict(told["key"], expected=told["expected"], actual=told["actual"])
        case "store_full":
            return StoreFull(message)
        case "store_corrupt":
            return StoreCorrupt(message)
        case "store_owned":
            return StoreOwned(message)
        case "store_unavailable":
            return StoreUnavailable(message, applied=told["applied"], gone=bool(told.get("gone")))
        case _:
            return StoreError(message)


def _find_bridge() -> Any:
    try:
        import js
    except ImportError as error:
        raise StoreError("indexeddb: stores exist in browsers only, with Python inside Pyodide") from error
    if getattr(js, "weftBridge", None) is not None:
        return js.weftBridge
    try:
        import weft_bridge  # type: ignore[import-not-found]

        return weft_bridge
    except ImportError:
        pass
    from importlib.resources import files

    from pyodide.code import run_js

    run_js(files("weft_core.store").joinpath("indexeddb_bridge.js").read_text("utf-8"))
    return js.weftBridge
