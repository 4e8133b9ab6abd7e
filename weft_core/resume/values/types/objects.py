"""Instances of the app's classes: dataclasses, attrs, pydantic, msgspec, plain classes, named tuples, enums.

An instance is its attributes: those in its slots and those in its `__dict__`. It is made without calling `__init__`,
`__new__`, `__setattr__`, `__setstate__` or `__reduce__` of the class, so storing and reading a value runs none of the
user's code. A class that wants it otherwise is registered with `encode` and `decode`.
"""

from __future__ import annotations

import sys
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import FILLERS, MAKERS, Decoder, as_dict, as_int, as_list, as_str
from weft_core.resume.values.encode import Encoder, Handler, Node
from weft_core.resume.values.refusal import Refusal, type_name

_NOT_STATE = frozenset({"__dict__", "__weakref__"})
_DROPPED = frozenset({"__orig_class__"})  # typing's note on the instance; not data
_ATTRS_HASH = "_attrs_cached_hash"  # differs from process to process


def handler_for(kind: type, name: str) -> Handler:
    """The handler for instances of a class of the app, which stored data calls `name`."""
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(kind, enum.Enum):
        return _enum_handler(kind, name)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple_handler(name)
    if hasattr(kind, "__struct_fields__"):
        return _struct_handler(kind, name)
    bases: list[type] = [str, int, float, complex, bytes, bytearray, list, dict, set, frozenset, tuple]
    if "pathlib" in sys.modules:
        bases.append(
            sys.modules["pathlib"].PurePath
        )  # its slots are other ones in every Python, with a hash among them
    for base in bases:
        if issubclass(kind, base):
            return _refusing(
                f"its type {type_name(kind)} is a subclass of {base.__name__}, whose contents and attributes are two "
                "things",
                f"keep a plain {base.__name__}, or register the class with app.register(…, encode=…, decode=…)",
            )
    if "__del__" not in vars(kind):
        try:
            object.__new__(kind)
        except TypeError:
            return _refusing(f"its type {type_name(kind)} is built on a type that Weft does not know")
    return _instance_handler(kind, name)


def _refusing(reason: str, remedy: str = "register the class with app.register(…, encode=…, decode=…)") -> Handler:
    def handler(_encoder: Encoder, x: Any) -> Node:
        raise Refusal(x, reason, remedy)

    return handler


# --- plain instances ---------------------------------------------------------------------------------------------------


def slots_of(kind: type) -> dict[str, Any]:
    """The slots of a class by the name of the attribute, base classes first: the descriptors that reach them.

    A property of a subclass with a slot's name, or `__getattr__`, does not stand in their way.
    """
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name in _NOT_STATE:
                continue
            if name.startswith("__") and not name.endswith("__"):
                stripped = base.__name__.lstrip("_")
                name = f"_{stripped}{name}" if stripped else name
            member = base.__dict__.get(name)
            if hasattr(type(member), "__set__"):
                found[name] = member
    return found


def _instance_handler(kind: type, name: str) -> Handler:
    slots = slots_of(kind)

    def handler(encoder: Encoder, x: Any) -> Node:
        return {"$object": [name, encoder.fields(attributes_of(x, slots).items())]}

    return handler


def attributes_of(x: Any, slots: dict[str, Any]) -> dict[str, Any]:
    """What is in an instance's slots, which are those of its class, and in its `__dict__`."""
    state = {}
    for name, member in slots.items():
        try:
            state[name] = member.__get__(x)
        except AttributeError:
            continue
    attributes = dict_of(x)
    if attributes:
        state.update(attributes)
        for dropped in _DROPPED & state.keys():
            del state[dropped]
    if _ATTRS_HASH in state:
        state[_ATTRS_HASH] = None
    return state


def dict_of(x: Any) -> dict[str, Any] | None:
    """An instance's `__dict__`, whatever its class answers when it is asked; None when it has none."""
    try:
        found: dict[str, Any] = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None
    return found


def set_attributes(decoder: Decoder, thing: Any, payload: Any) -> None:
    """Put stored attributes where they were: into the slots, or else into `__dict__`."""
    slots = slots_of(type(thing))
    attributes = dict_of(thing)
    again = bool(attributes)
    for name, value in decoder.each(payload):
        if name in slots:
            slots[name].__set__(thing, value)
        elif attributes is not None:
            attributes[name] = value
        else:
            kind = type(thing).__qualname__
            raise DecodeError(f"stored data has an attribute {name!r} that {kind} does not have (any more)")
    if again and attributes is not None:  # some had to wait: back into their order
        ordered = {name: attributes[name] for name in payload if name in attributes}
        attributes.clear()
        attributes.update(ordered)


def state_of(x: Any) -> Any:
    """All that a stored instance of a class of the app consists of, for a fingerprint; None when that is not known."""
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(x, enum.Enum):
        return x.name, x.value
    if isinstance(x, tuple):
        return tuple(x)
    if isinstance(x, (BaseException, type, str, int, float, complex, bytes, bytearray, list, dict, set, frozenset)):
        return None
    fields = getattr(type(x), "__struct_fields__", None)
    if fields is not None:
        return {field: getattr(x, field) for field in fields}
    return attributes_of(x, slots_of(type(x)))


def _make_object(decoder: Decoder, payload: Any) -> Any:
    name, fields = as_list(payload, 2)
    as_dict(fields)
    cls = decoder.registry.find_class(name)
    if hasattr(cls, "__struct_fields__"):
        return _make_struct(cls)
    return object.__new__(cls)


def _fill_object(decoder: Decoder, thing: Any, payload: Any) -> None:
    cls = type(thing)
    if hasattr(cls, "__struct_fields__"):
        _fill_struct(cls, thing, decoder.fields(payload[1]))
    else:
        set_attributes(decoder, thing, payload[1])


MAKERS["$object"] = _make_object
FILLERS["$object"] = _fill_object


# --- msgspec -----------------------------------------------------------------------------------------------------------


def _struct_handler(kind: Any, name: str) -> Handler:
    fields = tuple(kind.__struct_fields__)
    if hasattr(kind, "__post_init__"):
        return _refusing(f"its type {type_name(kind)} has a __post_init__, which msgspec would run at every read")

    def handler(encoder: Encoder, x: Any) -> Node:
        return {"$object": [name, encoder.fields([(field, getattr(x, field)) for field in fields])]}

    return handler


def _make_struct(cls: Any) -> Any:
    if hasattr(cls, "__post_init__"):
        raise DecodeError(
            f"stored data has a {cls.__qualname__}, which now has a __post_init__; register it with hooks"
        )
    return cls(**dict.fromkeys(cls.__struct_fields__))  # the fields follow; msgspec's own constructor checks nothing


def _fill_struct(cls: Any, thing: Any, state: dict[str, Any]) -> None:
    force = sys.modules["msgspec"].structs.force_setattr  # the class was made by it
    for field in cls.__struct_fields__:
        if field in state:
            force(thing, field, state[field])


# --- named tuples ------------------------------------------------------------------------------------------------------


def _named_tuple_handler(name: str) -> Handler:
    def handler(encoder: Encoder, x: Any) -> Node:
        if getattr(x, "__dict__", None):
            raise Refusal(x, "it is a named tuple with further attributes", "use a dataclass")
        nodes = []
        for field, item in zip(x._fields, x, strict=True):
            try:
                nodes.append(encoder.value(item))
            except Refusal as refusal:
                raise refusal.at(f".{field}")
        return {"$namedtuple": [name, nodes]}

    return handler


def _make_named_tuple(decoder: Decoder, payload: Any) -> Any:
    name, items = as_list(payload, 2)
    cls: Any = decoder.registry.find_class(name)
    if not issubclass(cls, tuple) or len(as_list(items)) != len(cls._fields):
        raise DecodeError(f"stored data has {len(items)} fields for {name}, which has others (now)")
    return tuple.__new__(cls, decoder.values(items))


MAKERS["$namedtuple"] = _make_named_tuple


# --- enums -------------------------------------------------------------------------------------------------------------


def _enum_handler(kind: Any, name: str) -> Handler:
    members = kind.__members__

    def handler(encoder: Encoder, x: Any) -> Node:
        label = x._name_  # an enum may say anything of its own under `name`
        if label is not None and members.get(label) is x:
            return {"$enum": [name, label]}
        return {"$enum": [name, None, int(x._value_)]}

    return handler


def _make_enum(decoder: Decoder, payload: Any) -> Any:
    import enum

    name, label, *value = as_list(payload)
    cls: Any = decoder.registry.find_class(name)
    if not issubclass(cls, enum.Enum):
        raise DecodeError(f"stored data has a member of {name}, which is not an enum")
    if label is None and issubclass(cls, enum.Flag):
        return cls(as_int(value[0]))
    found = cls.__members__.get(as_str(label))
    if found is None:
        raise DecodeError(f"stored data has the member {label!r} of {name}, which has no such member (any more)")
    return found


MAKERS["$enum"] = _make_enum


# --- classes with hooks ------------------------------------------------------------------------------------------------


def _make_hooked(decoder: Decoder, payload: Any) -> Any:
    name, inside = as_list(payload, 2)
    registered = decoder.registry.by_name.get(as_str(name))
    if registered is None or registered.decode is None:
        raise DecodeError(f"stored data has a {name!r}, which this app does not register (any more)")
    return registered.decode(decoder.filled(inside))


MAKERS["$class"] = _make_hooked
