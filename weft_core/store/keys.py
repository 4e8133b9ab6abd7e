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
    unit/<digest>                       source of a compiled unit of some engine's app

Components are percent-encoded so that keys are printable ASCII, `/` only separates, and byte order is the same in
Python, SQLite, PostgreSQL and IndexedDB. A component is never empty except where said: an empty one is written `~`.
"""

from __future__ import annotations

from functools import lru_cache

from weft_core.errors import DeclarationError, LimitExceeded

INBOX_DIGITS = 12
DUE_DIGITS = 15
SLOT_DIGITS = 4
COMPONENT_LENGTH_MAX = 1_200
"""Characters in one quoted component, so that a key with two of them stays under `KEY_LENGTH_MAX`."""
RUN_ID_LENGTH_MAX = 200
"""Characters in a run id. One of other characters than ASCII letters and digits has to be shorter: `check_run_id`."""

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@=+,-"
_PLAIN_BYTES = _PLAIN.encode()


@lru_cache(maxsize=4096)
def quote(text: str) -> str:
    """One key component: ASCII letters, digits and `._:@=+,-` stay, all else becomes `%XX` per UTF-8 byte.

    Raises `LimitExceeded` when the result is longer than `COMPONENT_LENGTH_MAX`.
    """
    if not text:
        return "~"
    quoted = text
    if text.strip(_PLAIN):
        quoted = "".join(
            chr(b) if b in _PLAIN_BYTES else f"%{b:02X}"
            for b in text[: COMPONENT_LENGTH_MAX + 1].encode("utf-8", "surrogatepass")
        )
    if len(quoted) > COMPONENT_LENGTH_MAX:
        raise LimitExceeded(
            too_long("an id", text),
            limit="COMPONENT_LENGTH_MAX",
            maximum=COMPONENT_LENGTH_MAX,
            actual=quoted_length(text),
        )
    return quoted


def quoted_length(text: str) -> int:
    """How many characters `quote` makes of a text, also of one that it refuses."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) + 2 * len(data.translate(None, _PLAIN_BYTES)) if data else 1


def too_long(what: str, text: str) -> str:
    """Why a text does not fit into a key, for people."""
    return (
        f"{what} is too long for a key: {text[:30]!r}… takes {quoted_length(text):,} of at most "
        f"{COMPONENT_LENGTH_MAX:,} characters, because all but ASCII letters, digits and ._:@=+,- are written as three "
        "for each byte of UTF-8; choose a shorter one"
    )


def check_run_id(run_id: object) -> str:
    """The id itself when a run may have it: 1 to RUN_ID_LENGTH_MAX characters that fit into a key, quoted."""
    if not isinstance(run_id, str) or not 1 <= len(run_id) <= RUN_ID_LENGTH_MAX:
        told = f"not {len(run_id)}" if isinstance(run_id, str) else f"not {run_id!r}"
        raise DeclarationError(f"a run id must be a text of 1 to {RUN_ID_LENGTH_MAX} characters, {told}")
    if quoted_length(run_id) > COMPONENT_LENGTH_MAX:
        raise DeclarationError(too_long("the run id", run_id))
    return run_id


def check_signal_id(signal_id: object) -> str:
    """The id itself when a signal may have it: a text that fits into a key, quoted."""
    if not isinstance(signal_id, str):
        raise DeclarationError(f"the id of a signal must be a text, not {signal_id!r}")
    if quoted_length(signal_id) > COMPONENT_LENGTH_MAX:
        raise DeclarationError(too_long("the signal's id", signal_id))
    return signal_id


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
