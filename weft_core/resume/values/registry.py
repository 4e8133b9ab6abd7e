"""What stored data may name: the app's modules, registered classes, compiled units, and the run's live objects.

Nothing here imports a module of the app, and a name resolves only to what is in these rooms: a class defined by a
module of the app, a class registered by name, an object bound at the top of a module of the app, an exception class of
Python's own library, or one of a fixed list of harmless builtins. Everything else in stored text is corrupt by definition.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import call, is_
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from weft_core.errors import DeclarationError, DecodeError
from weft_core.resume.values.library import ONE_NAME, library_module
from weft_core.resume.values.limits import NAME_LENGTH_MAX

if TYPE_CHECKING:
    from weft_core.resume import Unit
    from weft_core.resume.values.chain import ChainWriter

_ATOMS = (type(None), bool, int, float, complex, str, bytes, ModuleType)

_SETTLED = (*_ATOMS[1:], type, tuple, frozenset, FunctionType, BuiltinFunctionType, TypeVar, type(annotations))
"""Types of globals that are not looked at again for whether their names mean something else by now."""

Bound = tuple[list[Callable[[str], object]], list[str], list[object]]
"""Names that may be bound to something else one day: how to look each up, the name, and what it is bound to now."""

_NOTHING_PLACED: dict[int, Any] = {}
_UNSAFE_BUILTINS = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "open",
        "input",
        "breakpoint",
        "globals",
        "locals",
        "vars",
        "getattr",
        "setattr",
        "delattr",
        "exit",
        "quit",
        "help",
        "memoryview",
        "copyright",
        "credits",
        "license",
        "super",
    ]
)

_SAFE = frozenset(
    {
        "collections:Counter",
        "collections:OrderedDict",
        "collections:defaultdict",
        "collections:deque",
        "datetime:date",
        "datetime:datetime",
        "datetime:time",
        "datetime:timedelta",
        "datetime:timezone",
        "decimal:Decimal",
        "fractions:Fraction",
        "functools:partial",
        "uuid:UUID",
        "pathlib:Path",
        "pathlib:PurePath",
        "pathlib:PurePosixPath",
        "pathlib:PureWindowsPath",
        "random:Random",
        "zoneinfo:ZoneInfo",
    }
)


Hook = Callable[[Any], Any]


class Registered:
    """A class that may appear in stored values although its module is not one of the app's."""

    __slots__ = ("cls", "decode", "encode", "name")

    def __init__(self, cls: type, name: str, encode: Hook | None, decode: Hook | None) -> None:
        self.cls = cls
        self.name = name
        self.encode = encode
        self.decode = decode


class Externals:
    """Live objects of a run that frames name but never contain: `Externals({"ctx": context})`.

    They are recognised by identity and stored as `{"$live": token}`. So are the parts of one of them, which are in
    `placed` (by id) with what they are parts of.
    """

    __slots__ = ("_whole", "by_id", "by_token", "chains", "placed")

    def __init__(self, objects: dict[str, object] | None = None) -> None:
        self.by_token = objects or {}
        self.by_id = {id(value): _live(token) for token, value in self.by_token.items()}
        self._whole = self.by_id
        self.placed: dict[int, Any] = _NOTHING_PLACED
        self.chains: ChainWriter | None = None

    def place(self, token: str, value: object) -> None:
        """Know the mutable parts of a live object, as they are now, by where they stand in it."""
        from weft_core.resume.values.places import places

        found = places(token, value)
        if found or self.placed:
            parts = {key: {"$live": place} for key, place in found.items()}
            self.by_id = {**self._whole, **parts}
            self.placed = {id(value): value, **parts} if found else _NOTHING_PLACED

    def forget_places(self) -> None:
        """Know whole live objects only."""
        self.by_id, self.placed = self._whole, _NOTHING_PLACED

    def clear(self) -> None:
        """Let go of all of them: the run is forgotten."""
        self.by_token, self.by_id, self._whole, self.placed, self.chains = {}, {}, {}, {}, None

    def add(self, token: str, value: object) -> None:
        """Know `value` as `token`. A token names one object."""
        if token in self.by_token:
            raise DeclarationError(f"the run has a live object {token!r} already")
        self.forget_places()
        self.by_token[token] = value
        self.by_id[id(value)] = _live(token)
        self.chains = None


@lru_cache(maxsize=256)
def _live(token: str) -> dict[str, str]:
    return {"$live": token}


NO_EXTERNALS = Externals()


class Registry:
    """Which classes, functions and globals stored data may name. One per app."""

    def __init__(self) -> None:
        self.modules: dict[str, None] = {}
        self.packages: set[str] = set()
        self.registered: dict[type, Registered] = {}
        self.by_name: dict[str, Registered] = {}
        self.units: dict[tuple[str, str], Unit] = {}
        self.handlers: dict[type, Any] = {}
        self.version = 0
        self._globals: dict[int, tuple[object, str, dict[str, Any]]] = {}
        self._globals_mark = -1
        self._watched: list[dict[str, Any]] = []
        self._bound: Bound = ([], [], [])
        self._codes: dict[int, tuple[Any, Unit, str]] = {}
        self._codes_count = -1

    # --- filling ---------------------------------------------------------------------------------------------------

    def add_module(self, name: str) -> None:
        """Let classes of this module, and of its top-level package, appear in stored values. Imports nothing."""
        if name not in self.modules:
            self.modules[name] = None
            self.packages.add(name.partition(".")[0])
            self._changed()

    def register(
        self,
        cls: type,
        *,
        name: str | None = None,
        encode: Hook | None = None,
        decode: Hook | None = None,
    ) -> None:
        """Let instances of `cls` appear in stored values under `name` (default `module:qualname`).

        With `encode` (object to encodable value) and `decode` (the reverse) any class can be stored; without, its
        attributes are. Registering the same class again replaces what was said before. Raises `DeclarationError` when
        the name belongs to another class, or one hook comes without the other.
        """
        if not isinstance(cls, type):
            raise DeclarationError(f"only classes can be registered, not {cls!r}")
        if (encode is None) != (decode is None):
            raise DeclarationError(f"{cls.__qualname__}: give both encode and decode, or neither")
        key = name or f"{cls.__module__}:{cls.__qualname__}"
        other = self.by_name.get(key)
        if other is not None and other.cls is not cls and not _same_place(other.cls, cls):
            raise DeclarationError(f"{key!r} is already the name of {other.cls!r}; give {cls!r} another name=…")
        before = self.registered.pop(cls, None)
        if before is not None:
            del self.by_name[before.name]
        self.registered[cls] = self.by_name[key] = Registered(cls, key, encode, decode)
        self._changed()

    def add_unit(self, unit: Unit) -> None:
        """Know a compiled unit, current or pinned, by its name and digest."""
        self.units[unit.name, unit.digest] = unit
        self._codes_count = -1

    def unit(self, name: str, digest: str) -> Unit | None:
        """The unit of this name and digest, if it was added."""
        return self.units.get((name, digest))

    def _changed(self) -> None:
        self.version += 1
        self.handlers.clear()
        self._globals_mark = -1
        self._watched = []

    # --- asking ----------------------------------------------------------------------------------------------------

    def knows_module(self, name: str) -> bool:
        """Whether a module is one of the app's: added, or in the same top-level package as one that was."""
        return name.partition(".")[0] in self.packages

    def class_name(self, cls: type) -> str | None:
        """The name instances of `cls` are stored under, or None when it is not one of the app's."""
        registered = self.registered.get(cls)
        if registered is not None:
            return registered.name
        module: object = cls.__module__  # a class may say anything
        if not isinstance(module, str) or not self.knows_module(module):
            return None
        name = f"{module}:{cls.__qualname__}"
        return name if _lookup(name) is cls else None

    def find_class(self, name: object) -> type:
        """The class of a stored name. Raises `DecodeError`."""
        if type(name) is not str:
            raise DecodeError("the name of a class is missing in stored data")
        registered = self.by_name.get(name)
        if registered is not None:
            return registered.cls
        here = self._here(name)
        module = here.partition(":")[0]
        found = _lookup(here) if self.knows_module(module) else None
        if not isinstance(found, type) or f"{found.__module__}:{found.__qualname__}" != here:
            raise DecodeError(
                f"stored data names the class {name[:NAME_LENGTH_MAX]!r}, which this app does not know. If it was "
                "renamed or moved, register it under its old name: app.register(cls, name=…)"
            )
        return found

    def _here(self, name: str) -> str:
        """The same name in this process. An app's file that one process runs as its program another one imports."""
        module, _, qualname = name.partition(":")
        if module == "__main__" and "__main__" not in self.modules:
            found = [here for here in (f"{known}:{qualname}" for known in self.modules) if _lookup(here) is not None]
            return found[0] if len(found) == 1 else name
        if "__main__" in self.modules and module not in self.modules and module.rpartition(".")[2] == _program():
            return f"__main__:{qualname}"
        return name

    def reference(self, value: object) -> str | None:
        """`module:qualname` under which stored data may name this very function, class or global, or None."""
        registered = self.registered.get(value) if isinstance(value, type) else None
        if registered is not None:
            return registered.name
        if isinstance(value, (type, FunctionType, BuiltinFunctionType, MethodDescriptorType)) or has_unit(value):
            home = value.__objclass__ if isinstance(value, MethodDescriptorType) else value
            # Python 3.13 tells where the paths are written, not where people find them.
            module = "pathlib" if home.__module__ == "pathlib._local" else home.__module__
            name = f"{module}:{value.__qualname__}"  # type: ignore[attr-defined]
            name = ONE_NAME.get(name, name)
            try:
                if self.resolve(name) is value:
                    return name
            except DecodeError:
                pass
        return self.global_name(value)

    def resolve(self, name: object) -> Any:
        """What a stored reference names. Raises `DecodeError`; runs nothing, and imports nothing of the app's."""
        if type(name) is str and len(name) <= NAME_LENGTH_MAX:
            registered = self.by_name.get(name)
            if registered is not None:
                return registered.cls
            name = self._here(name)
            module = name.partition(":")[0]
            if self.knows_module(module):
                found = _lookup(name)
                if found is not None and not isinstance(found, ModuleType):
                    return found
            elif module == "builtins" and name.partition(":")[2].partition(".")[0] not in _UNSAFE_BUILTINS:
                found = _lookup(name)
                if isinstance(found, (type, BuiltinFunctionType, MethodDescriptorType)):
                    return found
            elif name in _SAFE:
                found = _lookup(name)
                if isinstance(found, type):
                    return found
            elif library_module(module) is not None:
                found = _lookup(name)
                if isinstance(found, type) and issubclass(found, BaseException):
                    return found
        raise DecodeError(f"stored data names {str(name)[:NAME_LENGTH_MAX]!r}, which this app does not have")

    def global_name(self, value: object) -> str | None:
        """`module:name` of the app's module-level name that is bound to this very object."""
        known = self.globals().get(id(value))
        if known is None or known[2].get(known[1].partition(":")[2]) is not value:
            return None
        return known[1]

    def globals(self) -> dict[int, tuple[object, str, dict[str, Any]]]:
        """By id: every object (not numbers, text or modules) bound at the top of a module of the app.

        Made anew when a module was imported, a global came or went, or one that holds data was bound to something else.
        """
        getters, keys, values = self._bound
        if len(sys.modules) + sum(map(len, self._watched)) == self._globals_mark and all(
            map(is_, map(call, getters, keys), values)
        ):
            return self._globals
        self._globals = _index_globals(self._app_modules())
        found = map(sys.modules.get, self.modules)
        self._watched = [vars(module) if isinstance(module, ModuleType) else {} for module in found]
        self._globals_mark = len(sys.modules) + sum(map(len, self._watched))
        self._bound = _bound(self._watched)
        return self._globals

    def _app_modules(self) -> list[tuple[str, ModuleType]]:
        first = [(name, sys.modules[name]) for name in self.modules if name in sys.modules]
        rest = [
            (name, module)
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in self.packages and name not in self.modules and isinstance(module, ModuleType)
        ]
        return first + rest

    def nested_code(self, code: object, units: Iterable[Unit] = ()) -> tuple[Unit, str] | None:
        """The unit and path of a nested function's code object."""
        if self._codes_count != len(self.units):
            self._codes = {}
            for unit in self.units.values():
                self._index_codes(unit)
            self._codes_count = len(self.units)
        for unit in units:
            if (unit.name, unit.digest) not in self.units:
                self._index_codes(unit)
        known = self._codes.get(id(code))
        return None if known is None else (known[1], known[2])

    def _index_codes(self, unit: Unit) -> None:
        for path, code in unit.local_codes.items():
            self._codes[id(code)] = (code, unit, path)


def _program() -> str | None:
    """The last part of the name by which others import what this process runs as its program."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name.rpartition(".")[2])
    return str(file).replace("\\", "/").rpartition("/")[2].partition(".")[0] if file else None


def _same_place(one: type, other: type) -> bool:
    # The same class after its module was loaded again.
    return one.__module__ == other.__module__ and one.__qualname__ == other.__qualname__


def _index_globals(modules: list[tuple[str, ModuleType]]) -> dict[int, tuple[object, str, dict[str, Any]]]:
    found: dict[int, tuple[object, str, dict[str, Any]]] = {}
    for module_name, module in modules:
        names = vars(module)
        for name, value in list(names.items()):
            if not isinstance(value, _ATOMS) and not name.startswith("__") and not _is_shared_constant(value):
                found.setdefault(id(value), (value, f"{module_name}:{name}", names))
    return found


def _bound(watched: list[dict[str, Any]]) -> Bound:
    found = [
        (names.get, name, value) for names in watched for name, value in names.items() if _may_be_bound(name, value)
    ]
    return [get for get, _, _ in found], [name for _, name, _ in found], [value for _, _, value in found]


def _may_be_bound(name: str, value: object) -> bool:
    # Functions, classes and what decorators make of them are found by where they say they stand; this is asked for at
    # every step, so the fewer the better.
    return value is None or not (name.startswith("__") or isinstance(value, _SETTLED) or _has(value, "__wrapped__"))


def _is_shared_constant(value: object) -> bool:
    # The interpreter has one of each; that a module names it too says nothing about a local.
    return value is Ellipsis or value is NotImplemented or (type(value) in (tuple, frozenset) and not value)


def _lookup(name: str) -> Any:
    """What `module:qualname` stands for without importing or running anything; None when there is no such thing.

    Below the module only classes are entered, and only what stands in their own dictionaries is taken.
    """
    module_name, colon, qualname = name.partition(":")
    module = sys.modules.get(module_name)
    if not colon or not isinstance(module, ModuleType) or len(name) > NAME_LENGTH_MAX:
        return None
    first, *rest = qualname.split(".")
    if first.startswith("__"):
        return None
    found = vars(module).get(first)
    for part in rest:
        if not isinstance(found, type) or part.startswith("__"):
            return None
        found = _member(found, part)
    return found


def _member(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            found = base.__dict__[name]
            if isinstance(found, staticmethod):
                found = found.__func__
            if isinstance(found, (FunctionType, type, MethodDescriptorType)):
                return found
            if isinstance(found, classmethod):
                return None
            return found if type(found) is cls or has_unit(found) else None
    return None


def has_unit(value: object) -> bool:
    """Whether this is what a decorator leaves in place of a compiled function. Runs no code of the value's class."""
    return _has(value, "unit")


def _has(value: object, name: str) -> bool:
    try:
        return name in object.__getattribute__(value, "__dict__")
    except AttributeError:
        return False
