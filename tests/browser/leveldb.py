"""What Chromium's own storage does to itself: LevelDB logs that were torn by a kill and written on.

IndexedDB lies in LevelDB. A kill in the middle of a write leaves an incomplete record at the end of the log, which is harmless;
but Chromium opens LevelDB with `reuse_logs`, so the next process appends behind it, and the one after that finds a damaged log
(google/leveldb issue 1287, open in 2026). Chromium then deletes all databases of the origin and begins with empty ones, without
a word to the page. Nothing that a page has stored in IndexedDB survives that, whoever stored it.
"""

from __future__ import annotations

import struct
from pathlib import Path

BLOCK = 32_768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
_HEADER = struct.Struct("<IHB")


def logs(profile: Path) -> list[bytes]:
    """The write-ahead logs of all databases in a profile whose browser is not running."""
    return [path.read_bytes() for path in profile.glob("Default/IndexedDB/*.leveldb/*.log")]


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
