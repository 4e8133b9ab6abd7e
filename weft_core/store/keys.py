"""The key space: which row stands under which key. Pages written in JavaScript use the same layout.

    meta/format                         {"format": 1}
    owner                               the engine that owns the store: {"owner": id, "fence": n, "at": ms}
    run/<run>                           the run record
    fiber/<run>/<fiber>                 one fiber: its frames and what it waits for, or its outcome
    state/<run>                         the run's public state
    value/<run>/<digest>                a large value of the run, content-addressed
    seq/<run>                           how many inbox rows the run was ever sent: {"n": n}
    inbox/<run>/<n, 12 digits>          a signal or command that arrived and is not yet consumed
    seen/<run>/<id>                     a signal id that was accepted (deduplication)
    ready/<run>                         the run needs an engine's attention
    timer/<due ms, 15 digits>/<run>/<fiber>   a due time; fiber "" is the run's own timeout
    history/<run>/<slot, 4 digits>      what the run did, for people: a ring of bounded length
    unit/<digest>                       source of a compiled unit that some run uses

Components are percent-encoded so that keys are printable ASCII, `/` only separates, and byte order is the same in
Python, SQLite, PostgreSQL and IndexedDB. A component is never empty except where said: an empty one is written `~`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from weft_core.errors import LimitExceeded

INBOX_DIGITS = 12
DUE_DIGITS = 15
SLOT_DIGITS = 4
COMPONENT_LENGTH_MAX = 1_200
"""Characters in one quoted component, so that a key with two of them stays under `KEY_LENGTH_MAX`."""

_PLAIN = re.compile(r"[A-Za-z0-9._:@=+,-]+\Z")


@lru_cache(maxsize=4096)
def quote(text: str) -> str:
    """One key component: ASCII letters, digits and `._:@=+,-` stay, all else becomes `%XX` per UTF-8 byte.

    Raises `LimitExceeded` when the result is longer than `COMPONENT_LENGTH_MAX`.
    """
    if not text:
        return "~"
    quoted = text
    if not _PLAIN.match(text):
        quoted = "".join(
            chr(b) if chr(b).isascii() and _PLAIN.match(chr(b)) else f"%{b:02X}"
            for b in text[: COMPONENT_LENGTH_MAX + 1].encode("utf-8", "surrogatepass")
        )
    if len(quoted) > COMPONENT_LENGTH_MAX:
        raise LimitExceeded(
            f"the id {text[:40]!r}… is too long: {COMPONENT_LENGTH_MAX} characters at most, and all but ASCII letters, "
            "digits and ._:@=+,- count three to twelve times",
            limit="COMPONENT_LENGTH_MAX",
            maximum=COMPONENT_LENGTH_MAX,
            actual=len(quoted),
        )
    return quoted


def unquote(component: str) -> str:
    """The text that `quote` was given."""
    if component == "~":
        return ""
    if "%" not in component:
        return component
    raw = bytearray()
    i = 0
    while i < len(component):
        if component[i] == "%":
            raw.append(int(component[i + 1 : i + 3], 16))
            i += 3
        else:
            raw.append(ord(component[i]))
            i += 1
    return raw.decode("utf-8", "surrogatepass")


def prefix_end(prefix: str) -> str:
    """The first key after every key that starts with `prefix` (which ends in `/`)."""
    return prefix[:-1] + "0"  # "0" follows "/" in ASCII


def after(key: str) -> str:
    """The start of a scan that begins just behind `key`: less than every key greater than it, and no key itself."""
    return key + " "  # a blank sorts before every character a key may hold


FORMAT = "meta/format"
OWNER = "owner"


def run(run_id: str) -> str:
    return "run/" + quote(run_id)


def fiber(run_id: str, fiber_id: str) -> str:
    return f"fiber/{quote(run_id)}/{quote(fiber_id)}"


def fibers(run_id: str) -> str:
    return f"fiber/{quote(run_id)}/"


def state(run_id: str) -> str:
    return "state/" + quote(run_id)


def value(run_id: str, digest: str) -> str:
    return f"value/{quote(run_id)}/{digest}"


def values(run_id: str) -> str:
    return f"value/{quote(run_id)}/"


def seq(run_id: str) -> str:
    return "seq/" + quote(run_id)


def inbox(run_id: str, n: int) -> str:
    return f"inbox/{quote(run_id)}/{n:0{INBOX_DIGITS}d}"


def inboxes(run_id: str) -> str:
    return f"inbox/{quote(run_id)}/"


def seen(run_id: str, signal_id: str) -> str:
    return f"seen/{quote(run_id)}/{quote(signal_id)}"


def seens(run_id: str) -> str:
    return f"seen/{quote(run_id)}/"


def ready(run_id: str) -> str:
    return "ready/" + quote(run_id)


def timer(due_ms: int, run_id: str, fiber_id: str) -> str:
    return f"timer/{due_ms:0{DUE_DIGITS}d}/{quote(run_id)}/{quote(fiber_id)}"


def timer_until(due_ms: int) -> str:
    """The end (exclusive) of a scan that finds every timer due at or before `due_ms`."""
    return f"timer/{due_ms + 1:0{DUE_DIGITS}d}/"


def history(run_id: str, slot: int) -> str:
    return f"history/{quote(run_id)}/{slot:0{SLOT_DIGITS}d}"


def histories(run_id: str) -> str:
    return f"history/{quote(run_id)}/"


def unit(digest: str) -> str:
    return "unit/" + digest
