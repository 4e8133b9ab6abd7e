"""Stores: where runs live. `open_store(url)` opens one; `port` is the contract every backend keeps.

    memory:                       this process only; gone when it ends
    sqlite:///shop.db             a file (three slashes: relative to the working directory, four: absolute)
    indexeddb:shop                a database of this browser origin (inside Pyodide)

`?durability=relaxed` lets a commit return once the operating system has the data: it survives a crash of the process
or browser, but not a power cut. The default, `strict`, waits for the disk.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

from weft_core.errors import StoreError
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row, Store

__all__ = ["SCAN_LIMIT_DEFAULT", "Batch", "Durability", "Row", "Store", "open_store"]

Durability: TypeAlias = Literal["strict", "relaxed"]


async def open_store(url: str) -> Store:
    """Open the store that `url` names, creating it when it does not exist. Raises `StoreError` for an unknown url."""
    scheme, colon, rest = url.partition(":")
    place, durability = _options(url, rest)
    match scheme if colon else "":
        case "memory" if place in ("", "//"):
            from weft_core.store.memory import MemoryStore

            return MemoryStore()
        case "sqlite" if place.startswith("///") and len(place) > 3:
            from weft_core.store.sqlite import SqliteStore

            return await SqliteStore.open(place[3:], durability=durability)
        case "indexeddb" if place.strip("/"):
            from weft_core.store.indexeddb import IndexedDBStore

            return await IndexedDBStore.open(place.strip("/"), durability=durability)
        case _:
            raise StoreError(
                f"{url!r} is not the url of a store. Known are memory:, sqlite:///shop.db (relative to the working "
                "directory), sqlite:////var/lib/shop.db (absolute) and, in a browser, indexeddb:shop"
            )


def _options(url: str, rest: str) -> tuple[str, Durability]:
    """Split `place?durability=…`."""
    place, _, query = rest.partition("?")
    durability = "strict"
    for option in query.split("&") if query else ():
        name, _, durability = option.partition("=")
        if name != "durability" or durability not in ("strict", "relaxed"):
            raise StoreError(f"{url!r}: the only option of a store is durability=strict or durability=relaxed")
    return place, cast(Durability, durability)
