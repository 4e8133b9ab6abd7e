"""What compiled units call. They reach it through their closures (`@name`), never through the user's names."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from types import CellType
from typing import Any

_NOTHING = (None,)
_set: Any = BaseException.__setattr__


def again(iterator: Iterable[Any]) -> Iterator[Any]:
    """For a loop entered in its body: one round whose item is not looked at, then the rest."""
    return chain(_NOTHING, iterator)


def special(owner: Any, name: str) -> Any:
    """A special method, looked up as Python does: on the type."""
    cls = type(owner)
    for base in cls.__mro__:
        if name in base.__dict__:
            found = base.__dict__[name]
            get = getattr(type(found), "__get__", None)
            return found if get is None else get(found, owner, cls)
    if name == "__aiter__":
        raise TypeError(f"'async for' requires an object with __aiter__ method, got {cls.__name__}")
    if name == "__anext__":
        raise TypeError(f"'async for' requires an iterator with __anext__ method, got {cls.__name__}")
    raise TypeError(f"'{cls.__name__}' object does not support the {_protocol(name)} protocol")


def _protocol(name: str) -> str:
    return "asynchronous context manager" if name.startswith("__a") else "context manager"


def enter(manager: Any, name: str) -> Any:
    """`__enter__` or `__aenter__`, after making sure that there is a way out again."""
    found = special(manager, name)
    leave = name.replace("enter", "exit")
    if not any(leave in base.__dict__ for base in type(manager).__mro__):
        raise TypeError(
            f"'{type(manager).__name__}' object does not support the {_protocol(name)} protocol (missed {leave} method)"
        )
    return found


def aiter_(iterator: Any) -> Any:
    """What `__aiter__` returned, if it can be iterated."""
    if not any("__anext__" in base.__dict__ for base in type(iterator).__mro__):
        raise TypeError(
            "'async for' received an object from __aiter__ that does not implement __anext__: "
            f"{type(iterator).__name__}"
        )
    return iterator


def marks(error: BaseException) -> tuple[Any, Any]:
    """What raising an exception again would change about it."""
    return error.__traceback__, error.__context__


def mend(error: BaseException, marked: tuple[Any, Any]) -> None:
    """Undo that change, past what a frozen class says about setting attributes."""
    _set(error, "__traceback__", marked[0])
    _set(error, "__context__", marked[1])


def merge(function: Any, *parts: Any) -> dict[str, Any]:
    """Keyword arguments of a call, gathered before the last of them is known, as the call itself would gather them."""
    found: dict[str, Any] = {}
    for part in parts:
        problem = _add(function, found, part)
        if problem is not None:
            raise TypeError(problem)  # out here, where no other error is handled: Python's has no context either
    return found


def _add(function: Any, found: dict[str, Any], part: Any) -> str | None:
    """Add a mapping's items, or say what is wrong."""
    try:
        if isinstance(part, dict) and type(part).__iter__ is dict.__iter__:
            for key, value in dict.items(part):
                if key in found:
                    return _twice(function, key)
                found[key] = value
            return None
        keys = part.keys()
        try:
            iterator = iter(keys)
        except TypeError:
            return f"{type(part).__name__}.keys() returned a non-iterable (type {type(keys).__name__})"
        for key in list(iterator):
            if key in found:
                return _twice(function, key)
            found[key] = part[key]
        return None
    except AttributeError:
        return f"{_called(function)} argument after ** must be a mapping, not {type(part).__name__}"
    except KeyError as error:
        if len(error.args) != 1 or sys.version_info < (3, 12):
            raise
        return _twice(function, error.args[0])  # newer Pythons say so whoever raised it


def _twice(function: Any, key: object) -> str:
    if sys.version_info < (3, 12) and sys.exception() is not None:
        raise KeyError(key)  # what Python 3.11 lets out while another error is handled
    return f"{_called(function)} got multiple values for keyword argument '{key!s}'"


def _called(function: Any) -> str:
    name = getattr(function, "__qualname__", None)
    if name is None:
        return str(function)
    module = getattr(function, "__module__", None)
    return f"{name}()" if module is None or module == "builtins" else f"{module}.{name}()"


# --- variables without a value -----------------------------------------------------------------------------------------


def local_value(name: str) -> Any:
    """What a local of the caller holds; what Python raises if it holds nothing."""
    try:
        return sys._getframe(1).f_locals[name]
    except KeyError:
        pass
    raise UnboundLocalError(_LOCAL.format(name.rpartition(".")[2]))


def free_value(name: str) -> Any:
    """The same for a name that Python would see from a function inside of the caller."""
    try:
        return sys._getframe(1).f_locals[name]
    except KeyError:
        pass
    shown = name.rpartition(".")[2]
    raise NameError(_FREE.format(shown), name=shown)


_LOCAL = "cannot access local variable '{}' where it is not associated with a value"
_FREE = "cannot access free variable '{}' where it is not associated with a value in enclosing scope"

# --- except* (PEP 654) -------------------------------------------------------------------------------------------------


def split(rest: BaseException | None, kind: Any) -> tuple[BaseException | None, BaseException | None]:
    """The part of an exception that an `except* kind` clause takes, as a group, and what is left."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    for item in kinds:
        if not (isinstance(item, type) and issubclass(item, BaseException)):
            raise TypeError("catching classes that do not inherit from BaseException is not allowed")
        if issubclass(item, BaseExceptionGroup):
            raise TypeError("catching ExceptionGroup with except* is not allowed. Use except instead.")
    if rest is None:
        return None, None
    if isinstance(rest, kind):
        if isinstance(rest, BaseExceptionGroup):
            return rest, None
        return BaseExceptionGroup("", (rest,)), None
    if isinstance(rest, BaseExceptionGroup):
        taken, left = rest.split(kind)
        if taken is None and sys.version_info < (3, 12):
            return None, rest  # newer Pythons go on with the copy
        return taken, left
    return None, rest


def during(error: BaseException, caught: BaseException, handled: BaseException | None) -> None:
    """Make what came up while handling `caught` have come up while handling a part of it."""
    if handled is None:
        return
    seen: set[int] = set()
    while error.__context__ is not None and id(error) not in seen:
        if error.__context__ is caught:
            _set(error, "__context__", handled)
            return
        seen.add(id(error))
        error = error.__context__


def outcome(part: BaseException, seen: Any, raised: BaseException) -> tuple[BaseException, bool]:
    """What a clause raised, and whether it was its own part, raised again as it was."""
    return raised, raised is part and raised.__traceback__ is seen


def regroup(
    caught: BaseException, rest: BaseException | None, raised: list[tuple[BaseException, bool]]
) -> BaseException | None:
    """What is raised after the last clause: the new errors beside what was not handled, in its original shape."""
    if not isinstance(caught, BaseExceptionGroup):
        return raised[0][0] if raised else rest
    fresh = [error for error, same in raised if not same]
    kept = [error for error, same in raised if same]
    if rest is not None:
        kept.append(rest)
    unhandled = _projected(caught, kept)
    if not fresh:
        return unhandled
    if unhandled is not None:
        fresh.append(unhandled)
    return BaseExceptionGroup("", fresh) if len(fresh) > 1 else fresh[0]


def _projected(group: BaseExceptionGroup[Any], parts: list[BaseException]) -> BaseException | None:
    """The part of a group that consists of the leaves of `parts`."""
    leaves: set[int] = set()

    def gather(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for item in error.exceptions:
                gather(item)
        else:
            leaves.add(id(error))

    for part in parts:
        gather(part)
    if not leaves:
        return None
    return group.subgroup(lambda error: id(error) in leaves and not isinstance(error, BaseExceptionGroup))


HELPERS: dict[str, CellType] = {
    "@again": CellType(again),
    "@special": CellType(special),
    "@enter": CellType(enter),
    "@exit": CellType(special),
    "@aiter": CellType(aiter_),
    "@marks": CellType(marks),
    "@mend": CellType(mend),
    "@merge": CellType(merge),
    "@local_value": CellType(local_value),
    "@free_value": CellType(free_value),
    "@split": CellType(split),
    "@during": CellType(during),
    "@outcome": CellType(outcome),
    "@regroup": CellType(regroup),
    **{
        f"@{name}": CellType(getattr(builtins, name))
        for name in ("iter type set slice BaseException GeneratorExit StopAsyncIteration AssertionError".split())
    },
}
"""Every helper in the cell that all units share."""
