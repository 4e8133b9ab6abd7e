"""The command line's grammar."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from weft_core import __version__
from weft_core.cli.exits import UsageProblem

DB_DEFAULT = "sqlite:///weft.db"

_EXITS = """\
exit codes: 0 done; 1 the run failed or was cancelled; 2 the command line is wrong; 3 the app cannot be loaded; 4 no
such run, workflow or store; 5 the store is owned by another engine, full or damaged; 6 the run is stored but cannot go
on; 7 it exists already or has ended; 8 doctor found a problem; 130 interrupted (the run is stored: weft resume)"""


def make_parser() -> argparse.ArgumentParser:
    """The parser; a parsed namespace's `command(options, output)` does it and gives the exit code."""
    from weft_core.cli import doctor, run, runs

    top = _Parser(prog="weft", description="Durable workflows in ordinary Python.", epilog=_EXITS)
    top.add_argument("--version", action="version", version=f"weft {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    command = _add(commands, "run", "start a workflow and see it through")
    _app(command)
    command.add_argument("workflow", help="its name in the app")
    command.add_argument(
        "--input", metavar="FILE", help="a JSON document, the workflow's one argument (-: standard input)"
    )
    command.add_argument("--arg", metavar="JSON", action="append", default=[], help="one argument; may be repeated")
    command.add_argument("--id", help="the run's id; the same id again gives the same run (default: a new one)")
    _drives(command)
    command.set_defaults(command=run.run_command)

    command = _add(commands, "resume", "go on with runs that were interrupted")
    _app(command)
    command.add_argument("runs", metavar="RUN", nargs="*", help="run ids (default: every run that is open)")
    _drives(command)
    command.set_defaults(command=run.resume_command)

    group = _add(commands, "runs", "look at the runs of a store, and send them things; needs no engine")
    actions = group.add_subparsers(metavar="ACTION", required=True)

    command = _add(actions, "list", "the runs of a store")
    command.add_argument("--status", action="append", help="only runs in this status; may be repeated")
    command.add_argument("--workflow", help="only runs of this workflow")
    command.add_argument("--limit", type=int, default=100, help="at most so many (default: 100)")
    command.set_defaults(command=runs.list_command)

    command = _run_action(actions, "show", "one run: status, where it stands, variables, state, history")
    command.set_defaults(command=runs.show_command)

    command = _run_action(actions, "signal", "send a signal; it is durable when the command returns")
    command.add_argument("name", help="the signal's name")
    command.add_argument("payload", nargs="?", default="null", help="JSON (default: null)")
    command.add_argument("--dedupe", metavar="ID", help="the same id again is accepted and does nothing more")
    command.set_defaults(command=runs.signal_command)

    for name, help_text in (
        ("cancel", "ask a run to stop; its finally blocks run"),
        ("terminate", "end a run at once, running none of its code"),
        ("suspend", "stop advancing a run until `weft runs unsuspend`"),
    ):
        command = _run_action(actions, name, help_text)
        command.add_argument("--reason", default=f"weft runs {name}", help="kept in the run's history")
        command.set_defaults(command=runs.order_command, order=name)
    command = _run_action(actions, "unsuspend", "let a suspended or parked run go on")
    command.set_defaults(command=runs.order_command, order="resume")

    command = _add(commands, "doctor", "check a store, and whether an app can go on with the runs in it")
    command.add_argument("app", nargs="?", help="module:app or path/to/file.py:app")
    command.set_defaults(command=doctor.doctor_command)
    return top


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong instead of printing it, so that it is shown as every other error is."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(message, hint=f"`{self.prog} --help` shows how")


def _add(commands: argparse._SubParsersAction[_Parser], name: str, help_text: str) -> _Parser:
    command = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    if name != "runs":
        command.add_argument(
            "--db",
            metavar="URL",
            default=os.environ.get("WEFT_DB", DB_DEFAULT),
            help=f"the store (default: $WEFT_DB, else {DB_DEFAULT})",
        )
        command.add_argument("--json", action="store_true", help="one JSON document on standard output")
        command.add_argument("--traceback", action="store_true", help="show where an error came from")
    return command


def _app(command: _Parser) -> None:
    command.add_argument("app", help="module:app or path/to/file.py:app")


def _drives(command: _Parser) -> None:
    command.add_argument("--wait", action="store_true", help="wait for the store when another engine owns it")
    command.add_argument("--quiet", action="store_true", help="no progress, no notes")


def _run_action(actions: argparse._SubParsersAction[_Parser], name: str, help_text: str) -> _Parser:
    command = _add(actions, name, help_text)
    command.add_argument("run", metavar="RUN", help="the run's id")
    command.add_argument("--app", help="the app, to read its own classes (module:app)")
    return command
