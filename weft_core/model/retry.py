"""When and how often a failed activity is tried again. Pure: no clock, no dice."""

from __future__ import annotations

from binascii import crc32
from dataclasses import dataclass
from typing import Any

from weft_core.errors import DeclarationError
from weft_core.model.durations import DURATION_MAX_MS, Duration, milliseconds

ATTEMPTS_MAX = 1_000_000
"""The largest `max_attempts`."""
CEILING_FACTOR = 60
"""Where no `max` is given: how many times `initial` the longest wait is."""
CEILING_MIN_MS = 60_000
"""Where no `max` is given: the longest wait is at least this."""


@dataclass(frozen=True, slots=True)
class Retry:
    """An activity's retry policy.

    `max_attempts` counts the first attempt too (1: never again). The wait before attempt n+1 is
    `initial * backoff**(n-1)`, at most `max`, made longer or shorter by up to `jitter` (a share, 0..1). Where `max` is
    not given it is 60 times `initial`, and at least a minute. The jitter is a function of run, operation and attempt,
    so it is spread over runs and needs no random numbers. An error that is an instance of a class in `give_up_on` is
    final at once; so is any error with a true attribute `non_retryable`. An error with an attribute `retry_after` (a
    duration) overrides the wait. Raises `DeclarationError` for what cannot be meant, such as a `max` below `initial`.
    """

    max_attempts: int = 5
    initial: Duration = 1.0
    backoff: float = 2.0
    max: Duration | None = None
    jitter: float = 0.2
    give_up_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= ATTEMPTS_MAX:
            raise DeclarationError(f"Retry(max_attempts=…) must be 1 to {ATTEMPTS_MAX:,}, not {self.max_attempts!r}")
        if not _between(self.backoff, 1.0, float("inf")):
            raise DeclarationError(f"Retry(backoff=…) must be at least 1, not {self.backoff!r}")
        if not _between(self.jitter, 0.0, 1.0):
            raise DeclarationError(f"Retry(jitter=…) is a share from 0 to 1, not {self.jitter!r}")
        given: Any = self.give_up_on
        if not isinstance(given, tuple):
            raise DeclarationError(f"Retry(give_up_on=…) takes a tuple of exception classes, not {given!r}")
        for cls in given:
            if not isinstance(cls, type) or not issubclass(cls, BaseException):
                raise DeclarationError(f"Retry(give_up_on=…) takes exception classes, not {cls!r}")
        if self._ceiling_ms() < milliseconds(self.initial):
            raise DeclarationError(
                f"Retry(initial={self.initial!r}, max={self.max!r}): the longest wait is shorter than the first; make "
                "max= as long, or leave it out"
            )

    def delay_ms(self, attempt: int, *, error: BaseException | None = None, salt: str) -> int:
        """Milliseconds to wait after attempt number `attempt` (from 1) failed with `error`."""
        asked = None if error is None else _said(error, "retry_after")
        if asked is not None:
            try:
                return milliseconds(asked)
            except DeclarationError:
                pass  # an error of some library, which means something else by that
        # Exponents past 64 always exceed any ceiling and could overflow a float.
        base = min(self._ceiling_ms(), milliseconds(self.initial) * self.backoff ** min(attempt - 1, 64))
        share = (crc32(f"{salt}#{attempt}".encode("utf-8", "surrogatepass")) / 0xFFFFFFFF) * 2 - 1
        return max(0, int(base * (1 + self.jitter * share)))

    def _ceiling_ms(self) -> int:
        if self.max is not None:
            return milliseconds(self.max)
        return min(max(CEILING_FACTOR * milliseconds(self.initial), CEILING_MIN_MS), DURATION_MAX_MS)

    def gives_up(self, error: BaseException, attempt: int) -> bool:
        """Whether `error` in attempt number `attempt` is final."""
        return attempt >= self.max_attempts or isinstance(error, self.give_up_on) or _says(error, "non_retryable")


def _between(value: object, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and least <= value <= most


def check_retry(retry: object) -> None:
    """Raise `DeclarationError` unless this can be somebody's `retry=`."""
    if retry is not None and not isinstance(retry, Retry):
        raise DeclarationError(f"retry= takes a policy, such as Retry(max_attempts=3), not {retry!r}")


def _said(error: BaseException, name: str) -> Any:
    """An attribute of an error of any class; None when there is none, or asking for it fails."""
    try:
        return getattr(error, name, None)
    except Exception:
        return None


def _says(error: BaseException, name: str) -> bool:
    try:
        return bool(getattr(error, name, False))
    except Exception:
        return False


NEVER = Retry(max_attempts=1)
DEFAULT = Retry()
