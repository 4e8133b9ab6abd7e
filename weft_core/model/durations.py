"""Durations and instants as users write them, to whole milliseconds as everything else keeps them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from weft_core.errors import DeclarationError

Duration = timedelta | int | float | str
"""A `timedelta`, a number of seconds, or text like `"250ms"`, `"90s"`, `"1h30m"`, `"2d"`."""

DURATION_MAX_MS = 1_000 * 365 * 24 * 3_600 * 1_000
"""The longest duration: a thousand years. Longer ones are a mistake, and would not fit a timer's key."""

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)"


def milliseconds(duration: Duration) -> int:
    """Whole milliseconds of a duration, rounded up so that nothing fires early.

    Raises `DeclarationError` for text it cannot read, negative, infinite or over-long durations.
    """
    # ctx.sleep(5) is on the hot path: the plain cases first.
    match duration:
        case bool():
            raise DeclarationError(f"{duration!r} is not a duration: give seconds, a timedelta, or text like '1h30m'")
        case int():
            value = duration * 1_000
        case float():
            if duration != duration or duration in (float("inf"), float("-inf")):
                raise DeclarationError(f"{duration!r} is not a duration: it must be finite")
            value = _whole(duration * 1_000)
        case timedelta():
            whole, rest = divmod(duration, timedelta(milliseconds=1))  # negating the longest would overflow
            value = whole + bool(rest)
        case str():
            value = _parse(duration)
        case _:
            raise DeclarationError(f"{duration!r} is not a duration: give seconds, a timedelta, or text like '1h30m'")
    if value < 0:
        raise DeclarationError(f"a duration cannot be negative: {duration!r}")
    if value > DURATION_MAX_MS:
        raise DeclarationError(f"{duration!r} is longer than a thousand years (DURATION_MAX_MS)")
    return value


def left_ms(duration: Duration) -> int:
    """The same for what may be over: nothing for a number or a `timedelta` below zero."""
    if isinstance(duration, timedelta):
        return 0 if duration < timedelta() else milliseconds(duration)
    return 0 if isinstance(duration, (int, float)) and duration < 0 else milliseconds(duration)


def _parse(text: str) -> int:
    position, total = 0, 0.0
    stripped = text.strip()
    read = re.compile(_PART, re.ASCII).match
    while position < len(stripped):
        part = read(stripped, position)
        if part is None:
            raise DeclarationError(f"{text!r} is not a duration: write it like '250ms', '90s', '1h30m' or '2d'")
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not stripped:
        raise DeclarationError("an empty text is not a duration: write it like '250ms', '90s', '1h30m' or '2d'")
    return _whole(total)


def _whole(ms: float) -> int:
    """Rounded up; so long that it is refused when a float cannot hold it."""
    return DURATION_MAX_MS + 1 if ms > DURATION_MAX_MS else -int(-ms // 1)


def instant_ms(instant: datetime) -> int:
    """Milliseconds since 1970 (UTC) of an aware `datetime`, rounded up. Naive ones are refused: whose zone?"""
    if not isinstance(instant, datetime):
        raise DeclarationError(f"{instant!r} is not an instant: give an aware datetime")
    if instant.tzinfo is None:
        raise DeclarationError(f"{instant!r} has no time zone: write datetime(..., tzinfo=UTC) or .astimezone()")
    return -((datetime(1970, 1, 1, tzinfo=UTC) - instant) // timedelta(milliseconds=1))


def to_datetime(ms: int) -> datetime:
    """The aware UTC `datetime` of milliseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
