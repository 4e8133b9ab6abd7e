"""What a Python version makes of the corpus, and frames handed from one version to another.

    python -m tests.laws.corpus describe               points, live sets, digests, paths of nested functions, as JSON
    python -m tests.laws.corpus suspend                JSON lines: {seed, answers, operations, text} of suspended runs
    python -m tests.laws.corpus resume < those lines   JSON lines: what the runs came to

Random programs are the corpus. Values that are only alive in the process that suspended (what ran so far, what was asked)
go along as data.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

from tests.laws.generate import program
from tests.laws.run import COMPILED, OPERATIONS_MAX, answer, describe, forget, registry_of, show
from tests.laws.state import STATE
from weft_core.errors import UnsupportedConstruct
from weft_core.resume import capture, restore
from weft_core.resume.values import FiberEncoder, ValueCodec

SEEDS = range(9000, 9010)


def load(seed: int) -> tuple[Any, Any]:
    made = program(seed)
    return made, COMPILED.load(made)


def describe_corpus() -> None:
    found = []
    for seed in SEEDS:
        try:
            load(seed)
        except UnsupportedConstruct as error:
            found.append([seed, str(error)])
            continue
        for unit in COMPILED.units:
            points = [[p.number, p.name, p.line, p.column, list(p.live)] for p in unit.points]
            found.append([seed, unit.name, unit.digest, points, sorted(unit.local_codes)])
    json.dump(found, sys.stdout)


def suspend() -> None:
    for seed in SEEDS:
        for stop in (2, 5, 9, 14):
            try:
                _, module = load(seed)
            except UnsupportedConstruct:
                continue
            STATE.reset(1)
            module.__dict__.update(g0=5, g1=6)
            coroutine = module.main(1, 2, q0=4, k=5)
            try:
                operation = drive(coroutine, None, stop)
            except BaseException:
                continue
            text = FiberEncoder(ValueCodec(registry_of(COMPILED))).encode(capture(coroutine))
            before = {"seed": seed, "text": text.text, "values": text.new_values, "fuel": STATE.fuel, "g0": module.g0}
            before |= {"asked": [[repr(k), v] for k, v in STATE.asked.items()], "count": len(STATE.trace)}
            before |= {"waiting": [operation.kind, operation.site]}
            result = finish(coroutine, operation, before["count"])
            print(json.dumps({**before, "expected": result}))


def resume() -> None:
    for line in sys.stdin:
        given = json.loads(line)
        _, module = load(given["seed"])
        STATE.reset(1, given["fuel"])
        module.__dict__.update(g0=given["g0"], g1=6)
        from ast import literal_eval

        STATE.asked = {literal_eval(k): v for k, v in given["asked"]}
        codec = ValueCodec(registry_of(COMPILED))
        images = FiberEncoder(codec).decode(given["text"], given["values"].__getitem__)
        operation = COMPILED.module.Op(given["waiting"][0], given["waiting"][1], ())
        print(json.dumps({"seed": given["seed"], "got": finish(restore(images), operation, 0)}))


def drive(coroutine: Any, operation: Any, steps: int) -> Any:
    """Answer `operation` and what follows, `steps` times; gives the operation then waited for."""
    if operation is None:
        operation = coroutine.send(None)
    for _ in range(steps):
        sent, value = answer(COMPILED, operation, 1)
        operation = (coroutine.send if sent else coroutine.throw)(value)
    return operation


def finish(coroutine: Any, operation: Any, seen: int) -> list[str]:
    try:
        drive(coroutine, operation, OPERATIONS_MAX)
        end = "unfinished"
    except StopIteration as stop:
        end = show(stop.value)
    except BaseException as error:
        end = describe(error).replace("'", "")
    trace = [repr(effect) for effect in STATE.trace[seen:]]
    forget(coroutine, COMPILED)
    return [end, *trace]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    {"describe": describe_corpus, "suspend": suspend, "resume": resume}[sys.argv[1]]()
