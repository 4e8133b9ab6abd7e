"""Exceptions: class, arguments, attributes, cause, context, notes, and the traceback as text and as frames to print.

Of the class only what the interpreter itself defines is called, never the class's own `__init__`. The traceback that a
restored exception carries is made of stand-in frames (file, line, function), so that printing it shows where it came
from; the source line that was stored with each is kept in the frame, for who stores it again elsewhere.
"""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import FrameType, FunctionType, GetSetDescriptorType, MemberDescriptorType, TracebackType
from typing import Any

from weft_core.errors import ActivityError, DecodeError
from weft_core.resume.values.decode import FILLERS, MAKERS, Decoder, as_dict, as_int, as_list, as_str
from weft_core.resume.values.encode import ATOMS, NODES, Encoder, Handler, Node
from weft_core.resume.values.limits import (
    ERROR_CHAIN_MAX,
    REPR_LENGTH_MAX,
    SHORTENED_LENGTH_MAX,
    TRACEBACK_FRAMES_MAX,
)
from weft_core.resume.values.plain import NotPlain, plain_text
from weft_core.resume.values.refusal import Refusal, type_name
from weft_core.resume.values.registry import Registry
from weft_core.resume.values.types.objects import attributes_of, dict_of, set_attributes, slots_of

_SOURCE = "@source"
_NOTES = "__notes__"
_HEAP_TYPE = 1 << 9
_ABSENT = object()
_ARGS: Any = BaseException.args
_MESSAGE: Any = BaseExceptionGroup.message
_EXCEPTIONS: Any = BaseExceptionGroup.exceptions
_set: Any = BaseException.__setattr__

_READABLE = (MemberDescriptorType, GetSetDescriptorType)
_NATIVE_NOT_STATE = frozenset({"exceptions", "message"})  # of groups: told as "group", and what made them fixes both


def _native_attributes(native: type) -> dict[str, Any]:
    """What a built-in class of exceptions keeps beside `args`: the descriptors by name."""
    bases = native.__mro__[: native.__mro__.index(BaseException)]
    return {
        name: member
        for base in bases
        for name, member in vars(base).items()
        if isinstance(member, _READABLE) and name not in _NATIVE_NOT_STATE
    }


def _native_state(x: BaseException) -> dict[str, Any]:
    """What does not follow from `args` of what a built-in class keeps. No code of the app's classes runs."""
    native = _native_base(type(x))
    attributes = _native_attributes(native)
    if not attributes or not can_be_made(type(x)):
        return {}
    usual = native.__new__(type(x))
    _begin(native, usual, _ARGS.__get__(x))
    found = {}
    for name, member in attributes.items():
        value, other = _read(member, x), _read(member, usual)
        if value is not other and not (type(value) in ATOMS and type(value) is type(other) and value == other):
            found[name] = value
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _begin(native: Any, thing: BaseException, args: Iterable[Any]) -> None:
    # Arguments changed afterwards may be none that the class takes: then all follows from the attributes.
    with suppress(Exception):
        native.__init__(thing, *args)


def _read(member: Any, x: BaseException) -> Any:
    try:
        return member.__get__(x)
    except (AttributeError, TypeError):
        return _ABSENT


def can_be_made(kind: type) -> bool:
    """Whether `BaseException` can make one of this class: not when an extension lays its instances out in its own way."""
    if issubclass(kind, BaseExceptionGroup):
        return True  # made of its members
    try:
        _native_base(kind).__new__(kind)
    except TypeError:
        return False
    return True


def error_name(registry: Registry, kind: type) -> str | None:
    """The name of an exception class in stored data; None when this app does not know it, or nobody can make one."""
    if not can_be_made(kind):
        return None
    registered = registry.registered.get(kind)
    if registered is not None:
        return registered.name
    if kind.__module__ == "builtins" and getattr(builtins, kind.__name__, None) is kind:
        return str(kind.__name__)
    return registry.class_name(kind) or registry.reference(kind)


def handler_for(registry: Registry, kind: type) -> Handler | None:
    """The handler for exceptions of this class as values: exactly, or a refusal."""
    name = error_name(registry, kind)
    if name is None:
        return None
    return lambda encoder, x: {"$error": error_body(encoder, x, name, strict=True)}


def error_body(encoder: Encoder, x: BaseException, name: str | None, *, strict: bool) -> dict[str, Node]:
    """The object that tells an exception. Not `strict`: what cannot be stored becomes its repr."""
    body: dict[str, Node] = {"type": name or type_name(type(x)), "message": encoder.value(_message(x))}
    if isinstance(x, BaseExceptionGroup):
        _tell_group(encoder, x, body, strict=strict)
    else:
        args = _ARGS.__get__(x)
        body["args"] = encoder.values(args) if strict else [_lenient(encoder, arg) for arg in args]
    native = _native_state(x)
    seen = native.pop("obj", None)
    told = encoder.fields(native.items()) if strict else _lenient_fields(encoder, native)
    if seen is not None and strict:
        with suppress(Refusal):  # it is there for suggestions, and may be anything
            told["obj"] = encoder.attempt(seen)
    if told:
        body["native"] = told
    state = attributes_of(x, slots_of(type(x)))
    notes = state.get(_NOTES)
    if type(notes) is list and all(type(note) is str for note in notes):
        body["notes"] = encoder.values(state.pop(_NOTES))
    if state:
        body["dict"] = encoder.fields(state.items()) if strict else _lenient_fields(encoder, state)
    if x.__cause__ is not None:
        body["cause"] = _linked(encoder, x.__cause__)
    if x.__context__ is not None:
        body["context"] = _linked(encoder, x.__context__)
    if x.__suppress_context__:
        body["suppress"] = True
    frames = [*_frames(x.__traceback__)][-TRACEBACK_FRAMES_MAX:]
    if frames:
        body["traceback"] = frames
    return body


def _message(x: BaseException) -> str:
    try:
        return str.__str__(str(x))  # of a subclass the text alone
    except Exception:
        return f"<{type(x).__name__} whose text cannot be made>"


def _tell_group(encoder: Encoder, x: BaseExceptionGroup[Any], body: dict[str, Node], *, strict: bool) -> None:
    # `args` holds the very sequence that the group was made of, which may be another one by now.
    args, message, members = _ARGS.__get__(x), _MESSAGE.__get__(x), _EXCEPTIONS.__get__(x)
    usual = (
        len(args) == 2
        and args[0] is message
        and type(args[1]) in (list, tuple)
        and [*map(id, args[1])] == [*map(id, members)]
    )
    if strict:
        body["args"] = encoder.values(args)
        if not usual:
            body["group"] = [encoder.value(message), encoder.values(members)]
        return
    # A member too deep inside is told without what it holds.
    inside = [_linked(encoder, m) or {"$error": {"type": type_name(type(m)), "message": _message(m)}} for m in members]
    if usual:
        body["args"] = [_lenient(encoder, message), inside if type(args[1]) is list else {"$tuple": inside}]
    else:
        body["group"] = [_lenient(encoder, message), inside]
        body["args"] = [_lenient(encoder, arg) for arg in args]


def _linked(encoder: Encoder, x: BaseException) -> Node:
    """A cause or context: for people, so never a reason to refuse."""
    key = id(x)
    if key in encoder.memo:
        return encoder.reference(key, [])
    if encoder.depth >= ERROR_CHAIN_MAX:
        return None
    try:
        return encoder.attempt(x)
    except Refusal as refusal:
        # Who meets it as a value later must not get this for it.
        encoder.told[key] = refusal
    except RecursionError:
        raise
    except Exception as broken:  # what belongs to it raised in turn
        encoder.told[key] = Refusal(x, f"looking at it raised {type(broken).__name__}", "raise one of the app's own")
    node: dict[str, Node] = {}
    encoder.memo[key] = node
    mark = encoder.mark()
    encoder.depth += 1
    try:
        body = error_body(encoder, x, error_name(encoder.registry, type(x)), strict=False)
        encoder.depth -= 1
    except (Refusal, RecursionError):
        raise
    except Exception:
        encoder.undo(mark)
        body = {"type": type_name(type(x)), "message": _message(x)}
    node["$error"] = body
    return node


def _lenient(encoder: Encoder, x: Any) -> Node:
    try:
        return encoder.attempt(x)
    except Refusal:
        pass
    try:
        text = str.__str__(repr(x))
    except Exception:
        text = f"<{type(x).__name__}>"
    if len(text) > REPR_LENGTH_MAX:
        text = text[: REPR_LENGTH_MAX - 1] + "…"
    return encoder.value(text)


def _lenient_fields(encoder: Encoder, fields: dict[str, Any]) -> dict[str, Node]:
    return {str(key): _lenient(encoder, value) for key, value in fields.items()}


def short_body(registry: Registry, x: BaseException) -> dict[str, Node]:
    """The object that tells an exception that is too large: no part of it is longer than `SHORTENED_LENGTH_MAX`."""
    kind = type(x)
    # What these two say follows from arguments of certain kinds, so they are told as errors of an unknown class.
    name = None if isinstance(x, (BaseExceptionGroup, UnicodeError)) else error_name(registry, kind)
    state = attributes_of(x, slots_of(kind))
    state.pop(_NOTES, None)
    native = _native_state(x)
    native.pop("obj", None)
    return {
        "type": name or f"{kind.__module__}.{kind.__qualname__}",
        "message": _short(_message(x)),
        "args": [_short(arg) for arg in _ARGS.__get__(x)[:SHORTENED_LENGTH_MAX]],
        "native": {key: _short(value) for key, value in native.items()},
        "dict": {str(key): _short(value) for key, value in state.items()},
        "traceback": [*_frames(x.__traceback__)][-TRACEBACK_FRAMES_MAX:],
    }


def _short(x: Any) -> Any:
    if type(x) in ATOMS:
        with suppress(NotPlain):
            if len(plain_text(x)) <= SHORTENED_LENGTH_MAX:
                return x
    text = x if type(x) is str else str.__str__(repr(x))
    if len(text) <= SHORTENED_LENGTH_MAX:
        return text
    return f"{text[:REPR_LENGTH_MAX]}… ({len(text):,} characters, too many to store)"


def _frames(traceback: TracebackType | None) -> Iterator[list[Any]]:
    """`[file, line, function, source line]` of each frame that is not the engine's own."""
    ours: list[list[Any]] = []
    shown = False
    while traceback is not None:
        frame = traceback.tb_frame
        code = frame.f_code
        line = traceback.tb_lineno or 0
        source = frame.f_globals.get(_SOURCE)
        if source is None:
            source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        entry = [_ascii(code.co_filename), line, _ascii(code.co_name), _ascii(source)]
        if str(frame.f_globals.get("__name__", "")).startswith("weft_core."):
            ours.append(entry)
        else:
            shown = True
            yield entry
        traceback = traceback.tb_next
    if not shown:
        yield from ours


def _ascii(text: str) -> str:
    # Lone surrogates (undecodable file names) are not worth keeping exactly here.
    return text.encode("utf-8", "replace").decode("utf-8")


# --- reading -----------------------------------------------------------------------------------------------------------


def find_error_class(registry: Registry, name: str) -> type[BaseException] | None:
    """The exception class of a stored name, None when this app does not know it."""
    registered = registry.by_name.get(name)
    found: Any = registered.cls if registered is not None else None
    if found is None and ":" not in name and "." not in name:
        found = vars(builtins).get(name)
    elif found is None:
        try:
            found = registry.resolve(name)
        except DecodeError:
            found = None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _make_error(decoder: Decoder, payload: Any) -> BaseException:
    body = as_dict(payload)
    name = as_str(body.get("type"))
    cls = find_error_class(decoder.registry, name)
    if cls is None:
        text = traceback_text(_checked_frames(body))
        message = as_str(decoder.build(body.get("message", "")))
        return ActivityError(f"{name}: {message}" if message else name, type_name=name, traceback_text=text)
    native = _native_base(cls)
    if issubclass(native, BaseExceptionGroup):
        message, node = as_list(body.get("group", body.get("args")), 2)
        members = decoder.values(node) if "group" in body else decoder.filled(node)
        if type(members) not in (list, tuple) or not members:
            raise DecodeError("stored data is damaged: an exception group without exceptions")
        made: BaseException = native.__new__(cls, decoder.build(message), members)
        return made
    made = native.__new__(cls)
    return made


def _native_base(cls: type) -> Any:
    while cls.__flags__ & _HEAP_TYPE:
        assert cls.__base__ is not None
        cls = cls.__base__
    return cls


def _fill_error(decoder: Decoder, thing: BaseException, payload: Any) -> None:
    body = as_dict(payload)
    if find_error_class(decoder.registry, body["type"]) is not None:
        native = _native_base(type(thing))
        group = isinstance(thing, BaseExceptionGroup)
        if not group or "group" in body:
            args = decoder.values(body.get("args", [body["message"]] if body.get("message") else []))
            if not group:
                _begin(native, thing, args)
            _ARGS.__set__(thing, args)
        members = _native_attributes(native)
        for name, value in decoder.fields(body.get("native", {})).items():
            if name in members:  # another Python may keep more
                members[name].__set__(thing, value)
        set_attributes(decoder, thing, body.get("dict", {}))
    attributes: Any = dict_of(thing)
    if "notes" in body:
        attributes[_NOTES] = [as_str(decoder.build(note)) for note in as_list(body["notes"])]
    # Past what a class says about setting attributes: a frozen one refuses them all.
    _set(thing, "__cause__", _exception(decoder, body.get("cause")))
    _set(thing, "__context__", _exception(decoder, body.get("context")))
    _set(thing, "__suppress_context__", bool(body.get("suppress", False)))
    frames = _checked_frames(body)
    if frames:
        _set(thing, "__traceback__", stand_in(frames))


def _exception(decoder: Decoder, node: Node) -> BaseException | None:
    found = decoder.build(node)
    if found is not None and not isinstance(found, BaseException):
        raise DecodeError("stored data is damaged: the cause of an error is not an error")
    return found


MAKERS["$error"] = _make_error
FILLERS["$error"] = _fill_error


def _traceback(_encoder: Encoder, x: TracebackType) -> Node:
    return {"$traceback": [*_frames(x)][-TRACEBACK_FRAMES_MAX:]}


def _make_traceback(_decoder: Decoder, payload: Any) -> TracebackType | None:
    return stand_in(_checked_frames({"traceback": payload}))


NODES[TracebackType] = _traceback
MAKERS["$traceback"] = _make_traceback


def _checked_frames(body: dict[str, Any]) -> list[tuple[str, int, str, str]]:
    frames = []
    for entry in as_list(body.get("traceback", []))[-TRACEBACK_FRAMES_MAX:]:
        filename, line, name, source = as_list(entry, 4)
        frames.append((as_str(filename), max(0, min(as_int(line), 2**31 - 1)), as_str(name), as_str(source)))
    return frames


def traceback_text(frames: list[tuple[str, int, str, str]]) -> str:
    """The lines Python prints for these frames."""
    if not frames:
        return ""
    lines = ["Traceback (most recent call last):"]
    for filename, line, name, source in frames:
        lines.append(f'  File "{filename}", line {line}, in {name}')
        if source:
            lines.append(f"    {source}")
    return "\n".join(lines) + "\n"


def stand_in(frames: list[tuple[str, int, str, str]]) -> TracebackType | None:
    """A traceback that prints like these frames. Its frames belong to no call."""
    traceback: TracebackType | None = None
    for filename, line, name, source in reversed(frames):
        code = _a_frame.__code__.replace(co_filename=filename, co_name=name, co_firstlineno=max(line, 1))
        traceback = TracebackType(traceback, FunctionType(code, {"sys": sys, _SOURCE: source})(), -1, line)
    return traceback


def _a_frame() -> FrameType:
    return sys._getframe()
