"""What compiled code calls: the few helpers that the language itself does behind `with`, `async for` and `except*`."""

from __future__ import annotations

import itertools
from typing import Any

from weft_core.resume.compile import names


def again(iterator: Any) -> Any:
    """An iterator that gives one turn without advancing (the turn that is being resumed), then the rest."""
    return itertools.chain((None,), iterator)


def _protocol(manager: Any, name: str, what: str) -> Any:
    try:
        return getattr(type(manager), name)
    except AttributeError:
        raise TypeError(f"{type(manager).__qualname__!r} object does not support the {what} protocol") from None


def enter(manager: Any) -> Any:
    method = _protocol(manager, "__enter__", "context manager")
    _protocol(manager, "__exit__", "context manager")
    return method(manager)


def leave(manager: Any, error: BaseException | None) -> Any:
    return type(manager).__exit__(manager, *_exc_info(error))


def aenter(manager: Any) -> Any:
    method = _protocol(manager, "__aenter__", "asynchronous context manager")
    _protocol(manager, "__aexit__", "asynchronous context manager")
    return method(manager)


def aleave(manager: Any, error: BaseException | None) -> Any:
    return type(manager).__aexit__(manager, *_exc_info(error))


def _exc_info(error: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def matches(error: BaseException, kinds: Any) -> bool:
    """What `except kinds:` asks."""
    for kind in kinds if isinstance(kinds, tuple) else (kinds,):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError("catching classes that do not inherit from BaseException is not allowed")
    return isinstance(error, kinds)


def split(error: BaseException | None, kinds: Any) -> tuple[BaseException | None, BaseException | None]:
    """What `except* kinds:` takes of an error, and what it leaves (PEP 654)."""
    if error is None:
        return None, None
    for kind in kinds if isinstance(kinds, tuple) else (kinds,):
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError("catching classes that do not inherit from BaseException is not allowed")
        if issubclass(kind, BaseExceptionGroup):
            raise TypeError("catching ExceptionGroup with except* is not allowed. Use except instead.")
    if isinstance(error, kinds):
        if isinstance(error, BaseExceptionGroup):
            return error, None
        return BaseExceptionGroup("", [error]), None
    if isinstance(error, BaseExceptionGroup):
        return error.split(kinds)
    return None, error


def regroup(original: BaseException, raised: list[BaseException], rest: BaseException | None) -> BaseException | None:
    """What an `except*` statement raises at its end: what handlers raised, and what nobody caught (PEP 654)."""
    if not raised:
        return rest
    if not isinstance(original, BaseExceptionGroup):
        return raised[0] if len(raised) == 1 and rest is None else BaseExceptionGroup("", raised)
    reraised = [e for e in raised if _is_part(e, original)]
    fresh = [e for e in raised if not _is_part(e, original)]
    left: BaseException | None = rest
    if reraised:
        ids = _leaf_ids(reraised) | (_leaf_ids([rest]) if rest is not None else set())
        left = original.subgroup(lambda e: id(e) in ids)
    if not fresh:
        return left
    return BaseExceptionGroup("", [*fresh, left] if left is not None else fresh)


def _is_part(error: BaseException, original: BaseExceptionGroup[BaseException]) -> bool:
    """Whether a handler raised again what it was given, and did not make a new error of it."""
    return (
        isinstance(error, BaseExceptionGroup)
        and error.message == original.message
        and _leaf_ids([error]) <= _leaf_ids([original])
    )


def _leaf_ids(errors: list[BaseException]) -> set[int]:
    found: set[int] = set()
    stack = list(errors)
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            found.add(id(error))
    return found


GLOBALS: dict[str, Any] = {
    names.AGAIN: again,
    names.ITER: iter,
    names.AITER: aiter,
    names.ANEXT: anext,
    names.ENTER: enter,
    names.EXIT: leave,
    names.AENTER: aenter,
    names.AEXIT: aleave,
    names.BASE: BaseException,
    names.STOP: StopAsyncIteration,
    names.DROPPED: GeneratorExit,
    names.MATCHES: matches,
    names.SPLIT: split,
    names.REGROUP: regroup,
    names.ASSERTION: AssertionError,
    names.SET: set,
}
"""They reach compiled code as cells: the globals of the user's module are not touched."""
