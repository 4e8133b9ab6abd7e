"""The app: the registry of what a program declares. The CLI, the server and the browser load one by `module:app`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from inspect import CO_VARARGS, iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from weft_core.errors import DeclarationError, NotDurable, UnknownActivity, UnknownWorkflow
from weft_core.model.durations import Duration, milliseconds
from weft_core.model.retry import DEFAULT, Retry, check_retry
from weft_core.model.unawaited import refuse_unawaited
from weft_core.resume.compiled import unit_of
from weft_core.resume.values import Registry, ValueCodec

if TYPE_CHECKING:
    from weft_core.resume import Unit

P = ParamSpec("P")
R = TypeVar("R")

NAME_LENGTH_MAX = 200
"""Characters in the name of an app, workflow or activity."""


class Activity(Generic[P, R]):
    """A declared side effect. Calling it runs the plain function, as tests do; a workflow that does so gets `NotDurable`."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        retry: Retry,
        timeout_ms: int | None,
        total_timeout_ms: int | None,
        heartbeat_ms: int | None,
    ) -> None:
        self.function = function
        self.name = name
        self.here = True  # not so where a name stands for one that only another engine knows
        self.result_name = f"result of {name}"
        self.retry = retry
        self.timeout_ms = timeout_ms
        self.total_timeout_ms = total_timeout_ms
        self.heartbeat_ms = heartbeat_ms
        self.limited = timeout_ms is not None or total_timeout_ms is not None
        self.is_async = iscoroutinefunction(function)
        self.__name__ = name
        self.__qualname__ = getattr(function, "__qualname__", name)
        self.__module__ = getattr(function, "__module__", "")
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        caller = unit_of(sys._getframe(1).f_code)
        if caller is not None:  # its effect would be neither retried nor kept, and made again after a crash
            raise NotDurable(
                f"{caller.name!r} calls the activity {self.name!r} by itself: write `await ctx.run({self.__name__}, …)`"
            )
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<activity {self.name}>"


class Resumable(Generic[P, R]):
    """A compiled helper that may wait. Call it from a workflow and `await` it, or hand the call to `ctx.all`."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.name = unit.name
        self.function = unit.function
        self.__name__ = unit.function.__name__
        self.__qualname__ = unit.function.__qualname__
        self.__module__ = unit.function.__module__
        self.__doc__ = unit.function.__doc__
        self.__wrapped__ = unit.function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return self.unit(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # A resumable method binds like any function.
        if instance is None:
            return self
        from types import MethodType

        return MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.name}>"


class Workflow(Resumable[P, R]):
    """A declared workflow: what `engine.start` starts."""

    def __init__(self, unit: Unit, *, name: str, version: str, timeout_ms: int | None) -> None:
        super().__init__(unit)
        self.name = name
        self.version = version
        self.timeout_ms = timeout_ms


def _check_name(kind: str, name: str) -> str:
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise DeclarationError(f"the name of {kind} must be 1 to {NAME_LENGTH_MAX} characters, not {name!r}")
    return name


class App:
    """A registry of workflows, resumable helpers and activities under one name.

    `modules` names further modules whose classes may appear in stored values; the module of everything declared with
    this app, and its top-level package, are known already.
    """

    def __init__(self, name: str, *, modules: tuple[str, ...] = ()) -> None:
        self.name = _check_name("an app", name)
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self.activities: dict[str, Activity[..., Any]] = {}
        self.resumables: dict[str, Resumable[..., Any]] = {}
        self.registry = Registry()
        for module in modules:
            self.registry.add_module(module)
        self.codec = ValueCodec(self.registry)

    def __repr__(self) -> str:
        return f"<app {self.name}: {len(self.workflows)} workflows, {len(self.activities)} activities>"

    @overload
    def activity(self, function: Callable[P, R], /) -> Activity[P, R]: ...
    @overload
    def activity(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        heartbeat: Duration | None = None,
    ) -> Callable[[Callable[P, R]], Activity[P, R]]: ...
    def activity(  # type: ignore[misc]  # mypy wants a decorator's parameters in the implementation, too
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        heartbeat: Duration | None = None,
    ) -> Any:
        """Declare a side effect: an `async` or plain function that runs at least once per call from a workflow.

        `timeout` bounds one attempt, `total_timeout` all attempts and the waits between them, `heartbeat` the time
        between two `activity_info().heartbeat()` calls. Passing one raises `ActivityTimeout` in that attempt (which
        the retry policy sees), `total_timeout` raises it in the workflow. Plain functions run in a thread where the
        platform has threads. Raises `DeclarationError` for a second activity of the same name.
        """

        def declare(fn: Callable[..., Any]) -> Activity[..., Any]:
            if not callable(fn):
                raise DeclarationError(f"@app.activity needs a function, not {fn!r}")
            key = name or getattr(fn, "__name__", None)
            if key is None:
                raise DeclarationError(f"{fn!r} has no name of its own: write @app.activity(name=…)")
            _check_name("an activity", key)
            check_retry(retry)
            if key in self.activities:
                raise DeclarationError(f"{self.name!r} already has an activity {key!r}; give one of them name=…")
            activity: Activity[..., Any] = Activity(
                fn,
                name=key,
                retry=retry or DEFAULT,
                timeout_ms=None if timeout is None else milliseconds(timeout),
                total_timeout_ms=None if total_timeout is None else milliseconds(total_timeout),
                heartbeat_ms=None if heartbeat is None else milliseconds(heartbeat),
            )
            self.activities[key] = activity
            # A callable object, or a partial of a function.
            self.registry.add_module(getattr(fn, "__module__", None) or type(fn).__module__)
            return activity

        return declare if function is None else declare(function)

    @overload
    def workflow(self, function: Callable[Concatenate[Any, P], Awaitable[R]], /) -> Workflow[P, R]: ...
    @overload
    def workflow(
        self,
        *,
        name: str | None = None,
        version: str = "1",
        timeout: Duration | None = None,
    ) -> Callable[[Callable[Concatenate[Any, P], Awaitable[R]]], Workflow[P, R]]: ...
    def workflow(  # type: ignore[misc]  # as above
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        version: str = "1",
        timeout: Duration | None = None,
    ) -> Any:
        """Declare a workflow: an `async def` whose first parameter is the `Context`.

        It is compiled at once; a construct that cannot be made resumable raises `UnsupportedConstruct` here.
        `timeout` bounds the whole run from its start: past it the run is cancelled and ends as `timed_out`.
        """

        def declare(fn: Callable[..., Any]) -> Workflow[..., Any]:
            key = _check_name("a workflow", name or fn.__name__)
            if isinstance(fn, FunctionType) and not (fn.__code__.co_argcount or fn.__code__.co_flags & CO_VARARGS):
                raise DeclarationError(
                    f"workflow {key!r} takes no Context: write `async def {fn.__name__}(ctx: Context, …)`, since whatever "
                    "waits is awaited through ctx"
                )
            if key in self.workflows:
                raise DeclarationError(f"{self.name!r} already has a workflow {key!r}; give one of them name=…")
            from weft_core.resume import compile_unit  # the compiler comes with the first declaration

            unit = compile_unit(fn, name=key if name else None)
            refuse_unawaited(unit, unit.function.__code__.co_varnames[0])
            workflow: Workflow[..., Any] = Workflow(
                unit, name=key, version=version, timeout_ms=None if timeout is None else milliseconds(timeout)
            )
            self.workflows[key] = workflow
            self._add_unit(unit, fn)
            return workflow

        return declare if function is None else declare(function)

    def resumable(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Resumable[P, R]:
        """Declare a helper that may wait: an `async def` (also a method) that workflows call and `await`."""
        from weft_core.resume import compile_unit

        unit = compile_unit(function)
        refuse_unawaited(unit, "ctx")
        if unit.name in self.resumables:
            raise DeclarationError(f"{self.name!r} already has a resumable {unit.name!r}; rename one of them")
        resumable: Resumable[P, R] = Resumable(unit)
        self.resumables[unit.name] = resumable
        self._add_unit(unit, function)
        return resumable

    def register(self, cls: type, *, name: str | None = None, encode: Any = None, decode: Any = None) -> None:
        """Let instances of `cls` appear in stored values although its module is not one of the app's.

        With `encode` (object to encodable value) and `decode` (the reverse) any class can be stored.
        """
        self.registry.register(cls, name=name, encode=encode, decode=decode)

    def _add_unit(self, unit: Unit, function: Callable[..., Any]) -> None:
        self.registry.add_module(function.__module__)
        self.registry.add_unit(unit)

    def find_workflow(self, workflow: Workflow[..., Any] | str) -> Workflow[..., Any]:
        """The workflow of this app by object or name. Raises `UnknownWorkflow` with the names there are."""
        if type(workflow) is str:
            if workflow in self.workflows:
                return self.workflows[workflow]
        elif type(workflow) is Workflow and self.workflows.get(workflow.name) is workflow:
            return workflow
        name = workflow if isinstance(workflow, str) else getattr(workflow, "name", None)
        found = self.workflows.get(name) if isinstance(name, str) else None
        if found is None or (not isinstance(workflow, str) and found is not workflow):
            shown = name if isinstance(name, str) else repr(workflow)
            raise UnknownWorkflow(
                f"app {self.name!r} has no workflow {shown!r}; it has {_listed(self.workflows)}. "
                "Declare it with @app.workflow, or load the app that does"
            )
        return found

    def find_activity(self, activity: Activity[..., Any] | str) -> Activity[..., Any]:
        """The activity of this app by object or name. Raises `UnknownActivity` with the names there are."""
        name = activity if isinstance(activity, str) else getattr(activity, "name", None)
        found = self.activities.get(name) if isinstance(name, str) else None
        if found is None:
            shown = name if isinstance(name, str) else repr(activity)
            raise UnknownActivity(
                f"app {self.name!r} has no activity {shown!r}; it has {_listed(self.activities)}. "
                "Declare it with @app.activity"
            )
        return found


def _listed(names: dict[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"
