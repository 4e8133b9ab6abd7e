"""What a kill can leave in Chromium's storage, and what Chromium makes of it when nobody sees to it.

IndexedDB lies in LevelDB. A kill in the middle of a write leaves an incomplete record at the end of the log, which is harmless;
but Chromium opens LevelDB with `reuse_logs`, so the next process appends behind it, and the one after that finds a damaged log
(google/leveldb issue 1287, open in 2026). Chromium then deletes all databases of the origin and begins with empty ones, without
a word to the page. `browser/src/store/fresh_log.ts` sees to it.
"""

from __future__ import annotations

import struct
from pathlib import Path

BLOCK = 32_768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
CUT = b"cut off by a kill "
"""What the record holds that `cut` leaves."""
_HEADER = struct.Struct("<IHB")


def logs(profile: Path) -> list[bytes]:
    """The write-ahead logs of all databases in a profile whose browser is not running."""
    return [path.read_bytes() for path in profile.glob("Default/IndexedDB/*.leveldb/*.log")]


def cut(profile: Path) -> None:
    """Leave at the end of each log what a kill in the middle of a write leaves: the beginning of a record."""
    for path in profile.glob("Default/IndexedDB/*.leveldb/*.log"):
        with path.open("ab") as log:
            at = log.tell() % BLOCK
            length = min(5_000, BLOCK - at - _HEADER.size)
            assert length > 0, "this log ends where no record can begin"
            log.write(_HEADER.pack(0, length, FULL) + (CUT * length)[: length // 2])


def torn(log: bytes) -> bool:
    """Whether blocks follow in this log on one that holds an incomplete record, or part of a record is missing."""
    at, inside = 0, False
    while at + _HEADER.size <= len(log):
        left = BLOCK - at % BLOCK
        if left < _HEADER.size:
            at += left
            continue
        _, length, kind = _HEADER.unpack_from(log, at)
        if not FULL <= kind <= LAST or _HEADER.size + length > left:
            return at + left < len(log)  # in the last block it is the end, as far as anybody can tell
        if (kind in (FULL, FIRST)) == inside:
            return True
        inside = kind in (FIRST, MIDDLE)
        at += _HEADER.size + length
    return False
