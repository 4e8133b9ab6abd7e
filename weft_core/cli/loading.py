"""From what stands on the command line to objects: apps by `module:app`, input documents, stores by url."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from weft_core.cli.exits import Exit, UsageProblem
from weft_core.errors import WeftError
from weft_core.model.app import App, Workflow

INPUT_BYTES_MAX = 64 * 1024 * 1024
"""The largest input document."""


def load_app(target: str) -> App:
    """The app that `module:name`, `path/to/file.py:name`, or either without `:name` means."""
    place, _, name = target.partition(":")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    if name:
        found = getattr(module, name, None)
        if isinstance(found, App):
            return found
        raise UsageProblem(
            f"{place} has no app called {name!r}",
            hint=f"it has {_apps_listed(module)}; give one",
            exit=Exit.APP,
            code="app_not_found",
        )
    apps = _apps(module)
    if len(apps) == 1 or "app" in apps:
        return apps.get("app") or next(iter(apps.values()))
    raise UsageProblem(
        f"{place} has {_apps_listed(module)}",
        hint=f"write {place}:NAME with the name of one",
        exit=Exit.APP,
        code="app_not_found",
    )


def _apps(module: ModuleType) -> dict[str, App]:
    return {name: value for name, value in vars(module).items() if isinstance(value, App)}


def _apps_listed(module: ModuleType) -> str:
    return ", ".join(sorted(_apps(module))) or "no App at its top level"


def _import_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageProblem(f"{name!r} is not a module", hint="write it like shop:app or path/to/shop.py:app")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UsageProblem(
                f"there is no module {name!r} in {here} or on the Python path",
                hint=f"run weft in the folder that holds it, or write path/to/{name.rpartition('.')[2]}.py:app",
                exit=Exit.APP,
                code="module_not_found",
            ) from error
        raise _import_failed(name, error) from error
    except WeftError:
        raise
    except Exception as error:
        raise _import_failed(name, error) from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageProblem(
            f"there is no file {path}", hint="check the path before the colon", exit=Exit.APP, code="module_not_found"
        )
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # By name, so that what is stored is the same as for `weft run module:app` in that folder.
    return _import_module(path.stem)


def _import_failed(name: str, error: Exception) -> UsageProblem:
    return UsageProblem(
        f"importing {name} failed: {type(error).__name__}: {' '.join(str(error).split())}",
        hint="--traceback shows where",
        exit=Exit.APP,
        code="import_failed",
    )


def read_arguments(input_file: str | None, arguments: list[str]) -> list[Any]:
    """The workflow's positional arguments: the document of `--input`, or each `--arg` as JSON (else as plain text)."""
    if input_file is not None and arguments:
        raise UsageProblem("--input and --arg exclude each other", hint="put everything into one of them")
    if input_file is not None:
        return [_read_json(input_file)]
    values: list[Any] = []
    for text in arguments:
        try:
            values.append(json.loads(text))
        except ValueError as error:
            if text.lstrip()[:1] in ("{", "[", '"'):
                raise UsageProblem(
                    f"--arg {text[:60]} is not JSON: {error}",
                    hint="put it into single quotes, so that the shell leaves it alone, or use --input FILE",
                ) from error
            values.append(text)
    return values


def check_fits(workflow: Workflow[..., Any], arguments: list[Any]) -> None:
    """Refuse arguments that the workflow's signature does not take, before there is a run of them."""
    signature = inspect.signature(workflow.function)
    keywords = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    if needed := [p.name for p in keywords if p.default is p.empty]:
        raise UsageProblem(
            f"workflow {workflow.name!r} takes {', '.join(needed)} by keyword only, and a command line gives no keywords",
            hint="start it from Python with kwargs={…}, or give the parameter a default",
        )
    try:
        signature.bind(None, *arguments)
    except TypeError as error:
        own = [str(parameter) for parameter in list(signature.parameters.values())[1:] if parameter not in keywords]
        raise UsageProblem(
            f"the arguments do not fit workflow {workflow.name!r}: {error}",
            hint=f"it takes {', '.join(own) or 'none'}; give each with --arg, or one with --input",
        ) from error


def _read_json(name: str) -> Any:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(INPUT_BYTES_MAX + 1)
    except OSError as error:
        raise UsageProblem(f"cannot read {name}: {error.strerror}", hint="check the path after --input") from error
    if len(data) > INPUT_BYTES_MAX:
        raise UsageProblem(f"{name} is larger than {INPUT_BYTES_MAX:,} bytes", hint="give the run a path instead")
    try:
        return json.loads(data)
    except ValueError as error:
        raise UsageProblem(f"{name} is not JSON: {error}", hint="--input takes one JSON document") from error


def check_store_exists(url: str) -> None:
    """Refuse a SQLite file that is not there: a command that only looks must not make an empty store."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///").partition("?")[0])
        if not path.is_file():
            raise UsageProblem(
                f"there is no store at {path}",
                hint="name it with --db, or make it with `weft run`",
                exit=Exit.NOT_FOUND,
                code="store_not_found",
            )
