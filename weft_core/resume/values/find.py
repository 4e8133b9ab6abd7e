"""Which handler a type gets when it is met for the first time. Slow path; the answer is kept."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType
from typing import Any

from weft_core.resume.habits import instead_of
from weft_core.resume.operation import Operation
from weft_core.resume.values import types as families
from weft_core.resume.values.encode import LEAVES, NODES, Encoder, Handler, Node, whole
from weft_core.resume.values.refusal import ANYTHING_ELSE, TO_THE_TOP, Refusal, type_name
from weft_core.resume.values.registry import Registered, Registry


def find_handler(registry: Registry, kind: type, x: Any) -> Handler:
    """The handler for values of type `kind`, of which `x` is one. Raises `Refusal`."""
    families.load()
    handler = _find(registry, kind)
    if handler is not None:
        return handler
    return _by_global_name


def _find(registry: Registry, kind: type) -> Handler | None:
    from weft_core.resume.values.types.errors import handler_for as error_handler
    from weft_core.resume.values.types.functions import encode_reference
    from weft_core.resume.values.types.iterators import ITERATORS
    from weft_core.resume.values.types.objects import handler_for as object_handler

    registered = registry.registered.get(kind)
    if registered is not None and registered.encode is not None:
        hooked = registry.handlers[kind] = whole(_hooked(registered))
        return hooked
    handler = NODES.get(kind) or _late(kind)
    if handler is not None:
        return handler
    found: Handler | None
    if kind in ITERATORS:
        found = whole(ITERATORS[kind])
    elif issubclass(kind, BuiltinFunctionType):
        found = NODES[BuiltinFunctionType]  # methods that are handed their class, as those of patterns
    elif issubclass(kind, type):
        found = encode_reference
    elif issubclass(kind, BaseException):
        found = error_handler(registry, kind)
    else:
        name = registry.class_name(kind)
        found = None if name is None else object_handler(kind, name)
    if found is not None:
        registry.handlers[kind] = found
    return found


def _late(kind: type) -> Handler | None:
    from weft_core.resume.values.types.stdlib import LATE_LEAVES, LATE_NODES

    name = f"{kind.__module__}:{kind.__qualname__}"
    for late, table in ((LATE_LEAVES, LEAVES), (LATE_NODES, NODES)):
        handler = late.get(name)
        if handler is not None and getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind:
            table[kind] = handler
            return handler
    return None


def _hooked(registered: Registered) -> Handler:
    name, encode = registered.name, registered.encode
    assert encode is not None

    def handler(encoder: Encoder, x: Any) -> Node:
        try:
            told = encode(x)
        except Exception as error:
            what = f"the `encode` that {name} is registered with raised {type(error).__name__}: {error}"
            raise Refusal(x, what, "mend it where app.register is called", cause=error)
        try:
            return {"$class": [name, encoder.temporary(told)]}
        except Refusal:
            if not isinstance(x, Operation):
                raise
        raise Refusal(
            x,
            f"it is a {type(x).__name__}, which only variables of its run can hold",
            "await it, and give its result instead",
        )

    return handler


def _by_global_name(encoder: Encoder, x: Any) -> Node:
    from weft_core.resume.values.types.imports import imported

    name = encoder.registry.reference(x)
    if name is not None:
        return {"$global": name}
    node = imported(encoder, x)
    if node is not None:
        return node
    raise refuse(x)


_REMEDIES = {
    "generator": ("a generator that is under way cannot be stored", "make it a list: list(…)"),
    "async_generator": ("an async generator cannot be stored", "collect its items in a list"),
    "coroutine": ("this coroutine cannot be stored", "await it where it is made"),
    "module": (
        "modules are not stored, but for those that the workflow itself imports",
        "import it at the top of the module, or again after the await",
    ),
    "object": (
        "an anonymous object() cannot be told from another one after a restart",
        "bind it to a name at the top of a module of the app, or use an enum",
    ),
    "TextIOWrapper": ("an open file does not survive a restart", "keep its path and open it again after the await"),
    "BufferedReader": ("an open file does not survive a restart", "keep its path and open it again after the await"),
    "BufferedWriter": ("an open file does not survive a restart", "keep its path and open it again after the await"),
    "lock": ("a lock does not survive a restart", "keep it at the top of a module"),
    "frame": ("frames are not stored", "keep what is needed of it as text"),
    "memoryview": ("a memoryview cannot be stored", "keep bytes(view)"),
    "dict_keys": ("a view of a dict cannot be stored", "keep the dict, or list(…) of the view"),
    "dict_values": ("a view of a dict cannot be stored", "keep the dict, or list(…) of the view"),
    "dict_items": ("a view of a dict cannot be stored", "keep the dict, or list(…) of the view"),
    "mappingproxy": ("a mappingproxy cannot be stored", "keep dict(…) of it"),
}


def refuse(x: object) -> Refusal:
    """Why a value of a type nobody knows is refused."""
    from weft_core.resume.values.types.errors import can_be_made

    kind = type(x)
    shown = type_name(kind)
    if kind.__module__ in ("builtins", "_io", "_thread", "types") and kind.__name__ in _REMEDIES:
        reason, remedy = _REMEDIES[kind.__name__]
        return Refusal(x, f"its type is {shown}, and {reason}", remedy)
    if "<locals>" in kind.__qualname__:
        return Refusal(x, f"its type {shown} is made inside a function", TO_THE_TOP)
    if isinstance(x, Operation):
        return Refusal(
            x,
            f"it is an operation ({kind.__name__}), which cannot be kept over an await",
            "write `await` in front of it where it is made, once, and keep its result; make another one for a second time",
        )
    if isinstance(x, BaseException):
        if not can_be_made(kind):
            return Refusal(
                x,
                f"its type {shown} is an exception that only the extension it comes from can make",
                f"keep what is needed of it, say str(error), or app.register({kind.__name__}, encode=…, decode=…)",
            )
        return Refusal(
            x,
            f"its type {shown} is an exception that this app does not know",
            f"register it with app.register({kind.__name__}), or raise one of the app's own from it before the await",
        )
    if kind.__module__ == "itertools":
        remedy = "make it a list, or loop over a range"
        if kind.__name__ == "cycle":
            remedy = "keep the list and a number, and take items[number % len(items)]"
        return Refusal(x, f"its type is {shown}, whose position no Python version tells", remedy)
    for base in (str, int, float, bytes, list, dict, set, tuple):
        if issubclass(kind, base):
            return Refusal(
                x,
                f"its type {shown} is a subclass of {base.__name__} that this app does not define",
                f"convert it with {base.__name__}(…), or register the class with app.register(…, encode=…, decode=…)",
            )
    return Refusal(x, f"its type is {shown}", instead_of(kind.__module__, kind.__name__) or ANYTHING_ELSE)
