"""The store port: an ordered key-value store with atomic conditional batches.

A backend is trusted when `weft_core.testing.check_store` passes on it. Stores never read a clock and never decide
anything: they keep text under keys.

Keys are non-empty strings of printable ASCII without blanks (`!` to `~`; `weft_core.store.keys` makes them), at most
`KEY_LENGTH_MAX` long and ordered byte by byte. Values are JSON text: any string without NUL and lone surrogates, of
any length the backend can hold (ASCII is fastest everywhere).

A row's *version* is the number of the commit that last wrote it: it grows with every write of the row, is never
reused, also not after a delete, and 0 means "absent". That alone gives optimistic concurrency and fencing: the owner
of a store holds the version of the owner row and names it in the preconditions of each commit; whoever takes over
rewrites that row, and every later commit of the former owner is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

KEY_LENGTH_MAX = 2_600
"""Characters, which are bytes, in a key (an index entry of PostgreSQL holds about 2,700)."""
SCAN_LIMIT_DEFAULT = 1_000
"""Rows one `scan` returns when not told otherwise."""


VERSION_MAX = 2**53 - 1
"""The largest commit number: JavaScript counts exactly up to here."""


class Row(NamedTuple):
    """One stored row. `version` is the number of the commit that wrote it (always at least 1)."""

    key: str
    value: str
    version: int


class Batch:
    """What one commit checks and writes. Filled by its maker, not changed after it was handed to `commit`.

    `expect` maps keys to the version they must have (0: absent). Then `delete_range` (start inclusive, end
    exclusive), `delete` and `put` are applied in that order, so a put inside a deleted range survives. Deleting an
    absent key is allowed and does nothing.
    """

    __slots__ = ("delete", "delete_range", "expect", "put")

    def __init__(
        self,
        expect: dict[str, int] | None = None,
        put: dict[str, str] | None = None,
        delete: set[str] | None = None,
        delete_range: list[tuple[str, str]] | None = None,
    ) -> None:
        self.expect = {} if expect is None else expect
        self.put = {} if put is None else put
        self.delete = set() if delete is None else delete
        self.delete_range = [] if delete_range is None else delete_range

    def __repr__(self) -> str:
        return f"Batch({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def __bool__(self) -> bool:
        return bool(self.put or self.delete or self.delete_range)


class Store(Protocol):
    """An ordered key-value store with atomic conditional batches.

    Promised: `commit` is atomic and, when it returns, durable to the degree the store was opened with; `get` and
    `scan` see one consistent moment per call and every commit that returned before they were called; rows come in
    byte order of their keys. Not promised: that a hint from `watch` arrives, or arrives only once.

    Raised: `Conflict` (nothing written), `StoreFull` (nothing written), `StoreUnavailable` (see its `applied`),
    `StoreCorrupt`. Each adapter translates foreign errors in one table. A `Conflict` names the first failing
    precondition in the batch's own order.
    """

    url: str

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        """The rows that exist among `keys`, all seen at one moment."""
        ...

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        """At most `limit` rows with `start <= key < end`, in key order (or reversed), all seen at one moment.

        The bounds need not be keys: `weft_core.store.keys.after(key)` starts just behind a key, to go on with a
        longer range. A range or limit that holds nothing gives an empty list.
        """
        ...

    async def commit(self, batch: Batch) -> int:
        """Apply the batch atomically; return the commit's number, which is the version of every row it put.

        With an outcome unknown to the store itself (a lost connection), it finds out or raises `StoreUnavailable`
        with `applied=None`. A batch without writes only checks its preconditions and returns 0.
        """
        ...

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after commits by others may have happened; returns its undo.

        A hint only: it may be lost, doubled or early. Correctness never depends on it. It is called on the event
        loop, must be cheap and must not raise. Commits made through this very object ring too, before their `commit`
        returns (a client and an engine may share the object): whoever wants to ignore its own sets a flag meanwhile.
        """
        ...

    async def acquire(self, *, wait: bool = False) -> None:
        """Become the one engine on this store, as long as this process (context) lives or until `release`.

        Raises `StoreOwned` when another holds it and `wait` is false. The guard is the platform's (an OS file lock,
        a Web Lock): it is free again the moment its holder dies. It is a courtesy; the owner row is the fence.
        """
        ...

    async def release(self) -> None:
        """Give ownership back. Does nothing when it is not held."""
        ...

    async def close(self) -> None:
        """Release everything. Later calls raise `StoreUnavailable(applied=False)`. Closing twice is fine."""
        ...
