"""What can be called: functions and classes by reference, methods, partials, nested functions, unstarted calls.

A nested function is told by the unit it stands in, its path there, and the cells it closes over; it is made again over
the restored cells, so `nonlocal` keeps its meaning.
"""

from __future__ import annotations

import sys
from functools import lru_cache, partial
from types import (
    BuiltinFunctionType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    CoroutineType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

from weft_core.errors import DecodeError, NotDurable
from weft_core.resume.compiled import own_name
from weft_core.resume.values.decode import FILLERS, MAKERS, RESOLVERS, Decoder, as_dict, as_list, as_str
from weft_core.resume.values.encode import NODES, Encoder, Node, whole
from weft_core.resume.values.refusal import TO_THE_TOP, Refusal, type_name
from weft_core.resume.values.registry import Registry, has_unit
from weft_core.resume.values.types.builtin import check_keys
from weft_core.resume.values.types.imports import imported

_METHOD_MODULES = frozenset(
    {"builtins", "collections", "datetime", "decimal", "fractions", "random", "re", "uuid", "zoneinfo"}
)
_METHOD_OWNERS = frozenset(
    [
        "list",
        "dict",
        "set",
        "frozenset",
        "str",
        "bytes",
        "bytearray",
        "tuple",
        "int",
        "float",
        "bool",
        "complex",
        "range",
        "slice",
        "deque",
        "Counter",
        "OrderedDict",
        "defaultdict",
        "datetime",
        "date",
        "time",
        "timedelta",
        "timezone",
        "ZoneInfo",
        "Decimal",
        "Fraction",
        "Random",
        "Pattern",
        "UUID",
    ]
)
_OPERATORS = frozenset(
    f"__{name}__"
    for name in (
        "call getitem setitem delitem contains len iter next eq ne lt le gt ge add sub mul matmul truediv floordiv mod "
        "divmod pow lshift rshift and or xor neg pos abs invert bool int float index round str repr format hash"
    ).split()
)
_CACHED = type(lru_cache(len))


def encode_reference(encoder: Encoder, x: Any) -> Node:
    """A class, or a function that has a name: `{"$global": "module:qualname"}`."""
    name = encoder.registry.reference(x)
    if name is not None:
        return {"$global": name}
    node = imported(encoder, x)
    if node is not None:
        return node
    if isinstance(x, type):
        raise Refusal(
            x,
            f"the class {type_name(x)} is not one of the app's",
            TO_THE_TOP
            if "<locals>" in x.__qualname__
            else "import it by name at the top of a module of the app, or app.register(…) it",
        )
    shown = x.__code__.co_qualname if isinstance(x, FunctionType) else getattr(x, "__qualname__", x)
    if "<locals>" in str(shown):
        raise Refusal(
            x,
            f"the function {shown!r} is nested in one that is no workflow and no resumable function of the app",
            "define it in the workflow or at the top of a module, or write the call out",
        )
    raise Refusal(
        x,
        f"the function {shown!r} is not bound to a name at the top of a module of the app",
        "bind it to one (import it by name), or write the call out",
    )


NODES[type] = encode_reference
NODES[BuiltinFunctionType] = lambda encoder, x: _builtin(encoder, x)
NODES[MethodWrapperType] = lambda encoder, x: _bound(encoder, x, x.__self__, x.__name__)
NODES[MethodDescriptorType] = encode_reference


def _function(encoder: Encoder, x: FunctionType) -> Node:
    nested = None
    if "<" in x.__code__.co_qualname:
        nested = encoder.registry.nested_code(x.__code__, encoder.units)
    if nested is None:
        return encode_reference(encoder, x)
    unit, path = nested
    outer = {id(cell): name for name, cell in _outer_cells(unit).items()}
    cells: dict[str, Node] = {}
    for hidden, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
        name = own_name(hidden)
        if id(cell) in outer:
            cells[name] = {"$outer": [unit.name, unit.digest, outer[id(cell)]]}
            continue
        try:
            cells[name] = encoder.value(cell)
        except Refusal as refusal:
            raise refusal.at(f".{name}")
    body: dict[str, Node] = {"unit": unit.name, "digest": unit.digest, "path": path, "cells": cells}
    if x.__defaults__:
        body["defaults"] = encoder.values(x.__defaults__)
    if x.__kwdefaults__:
        body["kwdefaults"] = encoder.fields(x.__kwdefaults__.items())
    if x.__dict__:
        body["dict"] = encoder.fields(x.__dict__.items())
    named = {name: getattr(x, name) for name, usual in _names(x.__code__).items() if getattr(x, name) != usual}
    if named:
        body["named"] = encoder.fields(named.items())
    notes = _annotations(x)
    if notes:
        encoder.keep.append(notes)
        try:
            body["annotations"] = encoder.attempt(notes)
        except Refusal:  # they may be anything, and few programs look
            pass
    return {"$function": body}


def _annotations(x: FunctionType) -> dict[str, Any]:
    try:
        return {**x.__annotations__}
    except Exception:  # from Python 3.14 on they are made when somebody asks
        return {}


def _names(code: CodeType) -> dict[str, Any]:
    """How functions of this code are called unless somebody says otherwise, as `functools.wraps` does."""
    text = code.co_consts[0] if code.co_consts and type(code.co_consts[0]) is str else None
    return {"__name__": code.co_name, "__qualname__": code.co_qualname, "__doc__": text}


NODES[FunctionType] = _function


def _outer_cells(unit: Any) -> dict[str, CellType]:
    function = unit.function
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _unit(decoder: Decoder, name: Any, digest: Any) -> Any:
    unit = decoder.registry.unit(as_str(name), as_str(digest))
    if unit is None:
        raise DecodeError(f"stored data was made by {name!r} (version {str(digest)[:12]}), which is not in this app")
    return unit


def _outer(decoder: Decoder, payload: Any) -> CellType:
    name, digest, variable = as_list(payload, 3)
    cell = _outer_cells(_unit(decoder, name, digest)).get(as_str(variable))
    if cell is None:
        raise DecodeError(f"stored data refers to a variable {variable!r} around {name!r} that is not there (any more)")
    return cell


RESOLVERS["$outer"] = _outer


def _make_function(decoder: Decoder, payload: Any) -> FunctionType:
    body = check_keys(
        payload, {"unit", "digest", "path", "cells"}, {"defaults", "kwdefaults", "dict", "named", "annotations"}
    )
    unit = _unit(decoder, body["unit"], body["digest"])
    code = unit.local_codes.get(as_str(body["path"]))
    if code is None:
        raise DecodeError(f"stored data has a function {body['path']!r} that {unit.name!r} does not contain (any more)")
    cells = as_dict(body["cells"])
    closure = []
    for name in code.co_freevars:
        cell = decoder.build(cells[own_name(name)])
        if not isinstance(cell, CellType):
            raise DecodeError("stored data is damaged: a variable of a nested function is missing")
        closure.append(cell)
    return FunctionType(code, unit.function.__globals__, code.co_name, None, tuple(closure) or None)


def _fill_function(decoder: Decoder, thing: FunctionType, payload: Any) -> None:
    if "defaults" in payload:
        thing.__defaults__ = tuple(decoder.values(payload["defaults"]))
    if "kwdefaults" in payload:
        thing.__kwdefaults__ = decoder.fields(payload["kwdefaults"])
    if "dict" in payload:
        thing.__dict__.update(decoder.fields(payload["dict"]))
    for name, said in decoder.fields(payload.get("named", {})).items():
        if name in _names(thing.__code__):
            setattr(thing, name, said)
    if "annotations" in payload:
        thing.__annotations__ = decoder.fields(payload["annotations"])


MAKERS["$function"] = _make_function
FILLERS["$function"] = _fill_function


# --- methods -----------------------------------------------------------------------------------------------------------


def _raw_member(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _builtin(encoder: Encoder, x: BuiltinFunctionType) -> Node:
    owner = x.__self__
    if owner is None or isinstance(owner, ModuleType):
        return encode_reference(encoder, x)
    return _bound(encoder, x, owner, x.__name__)


def _bound(encoder: Encoder, x: Any, owner: Any, name: str) -> Node:
    known = encoder.known.get(id(owner))
    live = type(known) is dict and "/" not in known["$live"]  # itself, not a part of it
    if _found_method(encoder.registry, owner, name, live=live) != x:
        raise Refusal(
            owner,
            f"its method {name!r} (of {type_name(type(owner))}) cannot be named in stored data",
            f"use a lambda that calls it, `lambda *args: x.{name}(*args)`, or write the call out",
        )
    try:
        return {"$method": [encoder.value(owner), name]}
    except Refusal as refusal:
        raise refusal.at(f".{name}.__self__")


def _method(encoder: Encoder, x: MethodType) -> Node:
    owner, function = x.__self__, x.__func__
    name = getattr(function, "__name__", None)
    for cls in (type(owner), owner) if isinstance(owner, type) else (type(owner),):
        if isinstance(name, str):
            for candidate in (name, *(f"_{base.__name__.lstrip('_')}{name}" for base in cls.__mro__)):
                found = _raw_member(cls, candidate)
                if found is function or (isinstance(found, classmethod) and found.__func__ is function):
                    return _bound(encoder, x, owner, candidate)
    if not _binds(function):
        what = f"it binds a {type_name(type(function))} to an object"
        raise Refusal(x, what, "use functools.partial, or write the call out")
    # `super().method` of a resumable method stands in a base class only: it is named, not looked up on the owner.
    made = encode_reference(encoder, function) if has_unit(function) else encoder.value(function)
    return {"$bound": [made, encoder.value(owner)]}


NODES[MethodType] = _method


def _make_method(decoder: Decoder, payload: Any) -> Any:
    node, name = as_list(payload, 2)
    owner = decoder.build(node)
    live = any(owner is known for known in decoder.externals.by_token.values())
    found = _found_method(decoder.registry, owner, as_str(name), live=live)
    if found is None:
        raise DecodeError(
            f"stored data refers to the method {name[:40]!r} of {type_name(type(owner))}, which is not there"
        )
    return found


def _found_method(registry: Registry, owner: Any, name: str, *, live: bool) -> Any:
    """The bound method, or None when stored data may not name it. `live`: the owner is one of the run's live objects."""
    kind = type(owner)
    if name.startswith("__") and name not in _OPERATORS:
        return None
    if isinstance(owner, type) and _has_methods(registry, owner):
        found = _raw_member(owner, name)
        if isinstance(found, classmethod):
            return MethodType(found.__func__, owner)
        if isinstance(found, ClassMethodDescriptorType):
            return found.__get__(None, owner)
    elif live or _has_methods(registry, kind) or _is_pure(kind, name):
        found = _raw_member(kind, name)
        if isinstance(found, (MethodDescriptorType, WrapperDescriptorType)):
            return found.__get__(owner, kind)
        if isinstance(found, ClassMethodDescriptorType):
            return found.__get__(None, kind)
        if isinstance(found, classmethod):
            return MethodType(found.__func__, kind)
        if _binds(found):
            return MethodType(found, owner)
    return None


def _binds(function: Any) -> bool:
    return isinstance(function, (FunctionType, _CACHED)) or hasattr(function, "unit")


def _has_methods(registry: Registry, cls: type) -> bool:
    if cls.__module__ in _METHOD_MODULES and (cls.__name__ in _METHOD_OWNERS or issubclass(cls, BaseException)):
        return True
    return registry.class_name(cls) is not None


def _is_pure(cls: type, name: str) -> bool:
    """Whether it is a method of a path that looks at no file."""
    if cls.__module__ not in ("pathlib", "pathlib._local"):
        return False
    pure = sys.modules["pathlib"].PurePath
    return issubclass(cls, pure) and _raw_member(cls, name) is _raw_member(pure, name)


def _make_bound(decoder: Decoder, payload: Any) -> MethodType:
    function, owner = decoder.values(as_list(payload, 2))
    if not _binds(function):
        raise DecodeError("stored data is damaged: a method without its function")
    return MethodType(function, owner)


MAKERS["$method"] = _make_method
MAKERS["$bound"] = _make_bound


def _partial(encoder: Encoder, x: partial[Any]) -> Node:
    try:
        function = encoder.value(x.func)
    except Refusal as refusal:
        raise refusal.at(".func")
    own = [encoder.fields(x.__dict__.items())] if x.__dict__ else []
    return {"$partial": [function, encoder.values(x.args), encoder.fields(x.keywords.items()), *own]}


def _make_partial(decoder: Decoder, payload: Any) -> partial[Any]:
    function, args, keywords, *own = as_list(payload)
    made = partial(decoder.build(function), *decoder.values(args), **decoder.fields(keywords))
    for attributes in own:
        made.__dict__.update(decoder.fields(attributes))
    return made


NODES[partial] = whole(_partial)
MAKERS["$partial"] = _make_partial


# --- calls that have not begun -----------------------------------------------------------------------------------------


def _coroutine(encoder: Encoder, x: CoroutineType[Any, Any, Any]) -> Node:
    from weft_core.resume import capture

    started = Refusal(
        x, "a call that is under way is not a value", "await it, or hand it to ctx.start(…) and keep the task"
    )
    try:
        frames = capture(x)
    except NotDurable:
        raise started
    if len(frames) != 1 or frames[0].point != 0:
        raise started
    frame = frames[0]
    encoder.keep.append(frame)
    return {
        "$call": {
            "unit": frame.unit.name,
            "digest": frame.unit.digest,
            "locals": encoder.fields(frame.locals.items()),
            "cells": encoder.fields(frame.cells.items()),
        }
    }


def _make_call(decoder: Decoder, payload: Any) -> Any:
    from weft_core.resume import FrameImage, restore

    body = check_keys(payload, {"unit", "digest", "locals", "cells"})
    unit = _unit(decoder, body["unit"], body["digest"])
    cells = decoder.fields(body["cells"])
    if not all(isinstance(cell, CellType) for cell in cells.values()):
        raise DecodeError("stored data is damaged: a variable of a call is missing")
    return restore([FrameImage(unit=unit, point=0, locals=decoder.fields(body["locals"]), cells=cells)])


NODES[CoroutineType] = _coroutine
MAKERS["$call"] = _make_call
