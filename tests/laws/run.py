"""Running one program as plain Python and compiled, torn down and restored or not, and saying what it did.

An execution is reduced to an `Outcome` of texts: what two executions have to agree on.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from tests.laws.generate import Program
from tests.laws.state import COMPILED_NAME, PLAIN_NAME, STATE, OutOfFuel, Raised, kind_of, text
from weft_core.model.app import Resumable
from weft_core.resume import Unit, capture, compile_unit, drop, restore
from weft_core.resume.values import FiberEncoder, Registry, ValueCodec

WORLD_FILE = str(Path(__file__).with_name("world.py"))
OPERATIONS_MAX = 120
"""Operations after which a program is left where it is: what it did so far is compared."""

warnings.filterwarnings("ignore", category=RuntimeWarning, message="coroutine .* was never awaited")  # plain ones
warnings.filterwarnings("ignore", category=SyntaxWarning)


@dataclass
class Outcome:
    """What a program did."""

    operations: list[str] = field(default_factory=list)
    trace: list[object] = field(default_factory=list)
    result: str = ""
    error: str = ""
    traceback: list[tuple[str, int]] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    bytes_max: int = 0

    def difference(self, other: Outcome, *, tracebacks: bool) -> str | None:
        """The first thing in which two outcomes differ."""
        for mine, its in zip(self.trace, other.trace, strict=False):
            if mine != its:
                index = self.trace.index(mine)
                return f"trace: {mine} / {its} after {self.trace[max(0, index - 4) : index]}"
        pairs = [("trace", self.trace, other.trace), ("operations", self.operations, other.operations)]
        pairs += [("error", self.error, other.error), ("result", self.result, other.result)]
        if tracebacks:
            pairs.append(("traceback", self.traceback, other.traceback))
        for what, a, b in pairs:
            if a != b:
                return f"{what}: {a if isinstance(a, str) else a[-3:]} / {b if isinstance(b, str) else b[-3:]}"
        return None


class World:
    """One loaded copy of `world.py`, with or without compiling."""

    def __init__(self, name: str, decorator: Callable[[Any], Any] | None) -> None:
        self.name = name
        self.units: list[Unit] = []
        self.decorator = decorator or (lambda function: function)
        self.module = ModuleType(name)
        self.module.__dict__["unit"] = self.unit
        self.module.__file__ = WORLD_FILE
        sys.modules[name] = self.module
        exec(compile(Path(WORLD_FILE).read_text(), WORLD_FILE, "exec"), self.module.__dict__)
        self.own = list(self.units)

    def unit(self, function: Any) -> Any:
        return self.decorator(function)

    def load(self, program: Program, make: Callable[[Program, str], CodeType] | None = None) -> ModuleType:
        """The program as a module of this world, from its own code or what is made of it."""
        name = f"{self.name}_program"
        filename = f"<program {program.seed}>"
        lines = program.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(program.source), None, lines, filename)
        module = ModuleType(name)
        module.__dict__.update({k: v for k, v in vars(self.module).items() if not k.startswith("__")})
        self.units[:] = self.own
        sys.modules[name] = module
        try:
            exec((make or _code)(program, filename), module.__dict__)
        finally:
            del linecache.cache[filename]
        return module


def _code(program: Program, filename: str) -> CodeType:
    return compile(program.source, filename, "exec", dont_inherit=True)


def _compiling(function: Any) -> Any:
    made = compile_unit(function)
    COMPILED.units.append(made)
    return Resumable(made)


PLAIN = World(PLAIN_NAME, None)
COMPILED = World.__new__(World)
COMPILED.__init__(COMPILED_NAME, _compiling)  # type: ignore[misc]


def answer(world: World, operation: Any, seed: int) -> tuple[bool, Any]:
    """The script: a value to send, or an error to throw."""
    names = world.module
    site = operation.site
    if operation.kind == "stop":
        return False, StopAsyncIteration()
    if operation.kind in ("yes", "no"):
        return True, operation.kind == "yes"
    which = STATE.chance(("answer", site), 60)
    if which == 0:
        return False, names.Problem(site, "asked")
    if which == 1:
        return False, names.Worse(site)
    if which == 2:
        return False, ExceptionGroup("asked", [names.Problem(site), ValueError(site), names.Worse(2)])
    if which == 3 and site % 3 == 0:
        return False, names.Cancelled(site)
    if which == 4:
        error = names.Problem(site)
        error.__cause__ = KeyError("why")
        return False, error
    if operation.kind == "str":
        return True, "s" * (which % 4)
    if operation.kind == "list":
        return True, [which % 5, site % 3, which % 2][: which % 4]
    return True, which % 6 - 1


def run(
    world: World,
    module: ModuleType,
    program: Program,
    seed: int,
    *,
    restart: Callable[[int], bool] | None = None,
    through: Callable[[Any], Any] | None = None,
    raising: bool = False,
) -> Outcome:
    """Drive `main` with the answers of a seed. `restart(n)` says whether to tear down at the n-th operation.

    Errors are thrown into the coroutine; with `raising`, the operation raises them where it is awaited.
    """
    STATE.reset(seed)
    STATE.raising = raising
    module.__dict__.update(g0=5, g1=6)
    out = Outcome()
    out.trace = STATE.trace
    coroutine: Coroutine[Any, Any, Any] | None = None
    through = through or through_text(world)
    try:
        coroutine = module.main(1, 2, *([3] * (seed % 2)), q0=4, **({"k": 5} if seed % 3 else {}))
        step: Callable[[Any], Any] = coroutine.send
        value: Any = None
        for number in range(OPERATIONS_MAX):
            if restart is not None and number == 0 and restart(-1):
                coroutine = through(coroutine)
                step = coroutine.send
            operation = step(value)
            out.operations.append(f"{operation.kind} {operation.site} {text(operation.arguments)}")
            if restart is not None and restart(number):
                coroutine = through(coroutine)
                out.restarts.append(operation.site)
            sent, value = answer(world, operation, seed)
            if raising and not sent:
                sent, value = True, Raised(value)
            step = coroutine.send if sent else coroutine.throw
    except StopIteration as stop:
        out.result = show(stop.value)
    except OutOfFuel:
        out.error = "out of fuel"
    except BaseException as error:
        if type(error).__module__.startswith("weft_core") or isinstance(error, (KeyboardInterrupt, MemoryError)):
            raise
        out.error, out.traceback = describe(error), frames(error.__traceback__)
    finally:
        if coroutine is not None:
            forget(coroutine, world)
    if STATE.violations:
        raise AssertionError(STATE.violations[0])
    return out


def forget(coroutine: Any, world: World) -> None:
    """Drop a coroutine: no user code of a compiled one may run."""
    if world is PLAIN:
        STATE.trace, STATE.fuel = [], 0  # plain Python runs handlers here, whose effects do not count
        with contextlib.suppress(BaseException):
            coroutine.close()
        return
    STATE.frozen = True
    try:
        drop(coroutine)
    finally:
        STATE.frozen = False


def registry_of(world: World) -> Registry:
    """What stored frames of the program loaded last may name."""
    registry = Registry()
    registry.add_module(world.module.__name__)
    registry.add_module(f"{world.name}_program")
    for unit in world.units:
        registry.add_unit(unit)
    return registry


def through_text(world: World) -> Callable[[Any], Any]:
    """Capture, encode, drop, decode, restore."""
    codec = ValueCodec(registry_of(world))

    def restarted(coroutine: Any) -> Any:
        encoded = FiberEncoder(codec).encode(capture(coroutine))
        quick = FiberEncoder(codec).quick(coroutine)
        assert quick is None or (quick, {}) == (encoded.text, encoded.new_values), (quick, encoded.text)
        STATE.frozen = True
        drop(coroutine)
        STATE.frozen = False
        del coroutine
        images = FiberEncoder(codec).decode(encoded.text, encoded.new_values.__getitem__)
        STATE.frozen = True
        try:
            return restore(images)
        finally:
            STATE.frozen = False

    return restarted


_INLINED = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
"""Comprehensions have frames of their own on Python 3.11 only, and not where they await: compiled ones are loops."""


def frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    """(function, line) of the user's frames."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith("<program") or code.co_filename == WORLD_FILE:
            if code.co_name not in _INLINED:
                found.append((code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


def describe(error: BaseException | None, depth: int = 0) -> str:
    """Type, args, group, cause and context of an exception."""
    if error is None or depth > 6:
        return "-"
    name, arguments = kind_of(error), show(error.args)
    if isinstance(error, BaseExceptionGroup):
        inside = ", ".join(describe(e, depth + 1) for e in error.exceptions)
        arguments = f"{error.message!r} [{inside}]"
    text = f"{name}({arguments})"
    if error.__cause__ is not None or error.__suppress_context__:
        text += f" from {describe(error.__cause__, depth + 1)}"
    if error.__context__ is not None:
        text += f" while {describe(error.__context__, depth + 1)}"
    return text


def show(value: Any) -> str:
    """A value as text that is the same in every world."""
    return _without_addresses(text(value))


def _without_addresses(said: str) -> str:
    said = said.replace(COMPILED_NAME, PLAIN_NAME)
    while " at 0x" in said:
        before, _, after = said.partition(" at 0x")
        said = before + after.lstrip("0123456789abcdefABCDEF")
    return said
