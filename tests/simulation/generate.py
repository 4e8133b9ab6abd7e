"""Random programs and random clients as plain data, the same for the same seed.

    ["note", what] ["fail", what] ["flaky", what, failures] ["slow", what, seconds]     activities
    ["sleep", s] ["until", s] ["wait", name, limit, default]                            waits
    ["group", mode, parts, limit, shared] ["map", target, items, limit]                 branches
    ["start", slot, part, shared] ["join", slot] ["stop", slot]                         tasks
    ["limit", s, part] ["try", ident, body, catch, handler, final] ["raise", kind]      blocks
    ["seq", parts] ["loop", n, part] ["state", key, part] ["large", n, part] ["log", n]

Kinds of programs, by what they can be compared with:

    wild    everything. Only what must always hold is checked.
    timed   no activities: all that happens is time, and signals that were there before the run began. The outcome is the
            same however often the run leaves memory and whenever the engine dies.
    steps   activities that are over at once, no signals. An activity whose result was not committed when the engine died
            is made again, and may be too late then for a time limit that falls due at that very instant, or lose a race
            against a sleep of no length: so time limits have lengths of their own here, and nothing takes no time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

Kind = Literal["wild", "timed", "steps"]
DURATIONS = (0, 1, 60, 300)
SIGNALS = ("a", "b")
HANG_S = 100 * 86_400
"""An activity that takes this long ends only because nobody wants it any more."""
DEPTH_MAX = 4
COMPOUNDS = (
    "group",
    "map",
    "start",
    "limit",
    "try",
    "group",
    "start",
    "limit",
    "try",
    "group",
    "limit",
    "try",
    "seq",
    "loop",
    "state",
    "large",
)
ACTIONS = ("signal", "signal", "signal", "suspend", "resume", "cancel", "terminate", "again", "crash", "evict", "look")


@dataclass
class Case:
    """One seed's programs by run, the client's script, the faults of each life by call, and how runs leave memory."""

    seed: int
    kind: Kind
    programs: dict[str, Any]
    workflows: dict[str, str]
    script: list[list[Any]] = field(default_factory=list)
    faults: list[list[list[Any]]] = field(default_factory=list)
    restart: Any = "never"


class Writer:
    """Writes one program."""

    def __init__(self, dice: Random, kind: Kind) -> None:
        self.dice = dice
        self.kind = kind
        self.budget = dice.randint(4, 22)
        self.count = 0
        self.watched = dice.random() < 0.6
        self.swallows = kind == "wild" and dice.random() < 0.1

    def number(self) -> int:
        self.count += 1
        return self.count

    def maybe(self, chance: float) -> bool:
        return self.dice.random() < chance

    def duration(self) -> float:
        return self.dice.choice(DURATIONS[1:] if self.kind == "steps" else DURATIONS)

    def limit(self) -> float:
        if self.kind == "steps":
            return self.dice.choice((1, 60, 300)) + self.number() * 0.017 + 0.003
        return self.duration()

    def program(self) -> Any:
        return self.sequence(DEPTH_MAX, calm=False)

    def sequence(self, depth: int, *, calm: bool) -> Any:
        return ["seq", [self.node(depth, calm=calm) for _ in range(self.dice.randint(1, 4)) if self.budget > 0]]

    def node(self, depth: int, *, calm: bool) -> Any:
        """A node. A `calm` one surely ends in time: it stands where a run that is being cancelled goes through."""
        self.budget -= 1
        if depth > 0 and self.budget > 0 and self.maybe(0.6):
            return self.compound(depth - 1, calm=calm)
        return self.simple(calm=calm)

    def simple(self, *, calm: bool) -> Any:
        dice = self.dice
        choices = ["sleep", "sleep", "until", "join", "stop", "log"]
        if not calm:
            choices += ["raise"]
        if self.kind != "steps":
            choices += ["wait", "wait"]
        if self.kind != "timed":
            choices += ["note", "note", "note", "flaky", "fail"]
        if self.kind == "wild":
            choices += ["slow"] if calm else ["slow", "hang", "hang"]
        match dice.choice(choices):
            case "sleep":
                return ["sleep", self.duration()]
            case "until":
                return [
                    "until",
                    dice.choice((60, 120, 300, 301)) if self.kind == "steps" else dice.choice((0, 60, 300, 301)),
                ]
            case "wait":
                forever = not calm and self.maybe(0.3)
                return [
                    "wait",
                    dice.choice(SIGNALS),
                    None if forever else self.duration(),
                    dice.choice((None, "default")),
                ]
            case "raise":
                return ["raise", dice.choice(("value", "key", "timeout"))]
            case "flaky":
                return ["flaky", self.number(), dice.randint(1, 3)]
            case "slow" if self.maybe(0.3):
                return ["slow", self.number(), self.duration(), dice.choice((1, 60))]
            case "slow":
                return ["slow", self.number(), self.duration()]
            case "hang":
                return ["slow", self.number(), HANG_S]
            case "join" | "stop" as kind:
                if calm:
                    return ["sleep", self.duration()]
                return [kind, dice.choice("xyz")]
            case kind:
                return [kind, self.number()]

    def compound(self, depth: int, *, calm: bool) -> Any:
        dice = self.dice
        match dice.choice(COMPOUNDS):
            case "group":
                mode = dice.choice(("all", "settled", "race", "gather"))
                parts = [self.node(depth, calm=calm) for _ in range(dice.choice((0, 1, 2, 2, 3, 3, 4)))]
                if mode == "race" and not parts:
                    parts = [self.simple(calm=calm)]
                return ["group", mode, parts, dice.choice((None, None, 1, 2)), self.maybe(0.3)]
            case "map" if self.kind != "timed" and self.maybe(0.4):
                return ["map", "note", [self.number() for _ in range(dice.randint(0, 5))], dice.choice((None, 1, 2, 3))]
            case "map":
                items = [self.node(depth, calm=calm) for _ in range(dice.randint(0, 4))]
                return ["map", "do", items, dice.choice((None, 1, 2, 3))]
            case "start":
                return ["start", dice.choice("xyz"), self.node(depth, calm=calm), self.maybe(0.3)]
            case "limit":
                return ["limit", self.limit(), self.node(depth, calm=calm)]
            case "try":
                catch = dice.choice(("timeout", "value", "all", "all", "none"))
                if self.swallows and self.maybe(0.5):
                    catch = "swallow"
                body = self.sequence(depth, calm=calm)
                handler = self.node(min(depth, 1), calm=True)
                final = self.node(min(depth, 1), calm=True) if self.maybe(0.6) else None
                return ["try", self.number() if self.watched else 0, body, catch, handler, final]
            case "seq":
                return self.sequence(depth, calm=calm)
            case "loop":
                return ["loop", dice.randint(2, 3), self.node(depth, calm=calm)]
            case "state":
                return ["state", dice.choice("pq"), self.node(depth, calm=calm)]
            case _:
                return ["large", self.number(), self.node(depth, calm=calm)]


def swallows(node: Any) -> bool:
    """Whether a program somewhere catches a cancellation and goes on, or the error that a `finally` put in its place."""
    if not isinstance(node, list):
        return False
    if node[:1] == ["try"]:
        _, _, body, catch, _, _ = node
        if catch == "swallow" or (catch is not None and _has_final(body)):
            return True
    return any(map(swallows, node))


def _has_final(node: Any) -> bool:
    if not isinstance(node, list):
        return False
    return (node[:1] == ["try"] and node[5] is not None) or any(map(_has_final, node))


FAULTS = ("fail_before", "fail_after", "full", "conflict")
DEATHS = ("die_before", "die_after")


def script(dice: Random, runs: list[str]) -> list[list[Any]]:
    """What a client does, each after some seconds; with `jump`, the clock moves at once and finds everything due."""
    actions: list[list[Any]] = []
    for _ in range(dice.randint(0, 10)):
        run = dice.choice(runs)
        wait = dice.choice((0, 0, 0, 1, 1, 59, 60, 60, 240, 300))
        how = dice.choice(("advance", "advance", "jump", "none"))
        match dice.choice(ACTIONS):
            case "signal":
                action = ["signal", run, dice.choice(SIGNALS), dice.randint(0, 9), f"s{dice.randint(0, 6)}"]
            case "crash" | "evict" as kind:
                action = [kind]
            case "cancel" | "terminate" as kind if dice.random() < 0.5:
                action = ["look", run]
            case kind:
                action = [kind, run]
        actions.append([how, wait, *action])
    return actions


def case(seed: int, kind: Kind | None = None) -> Case:
    """The case of a seed."""
    dice = Random(f"simulation {seed}")
    chosen: Kind = dice.choice(("wild", "wild", "timed", "steps"))
    chosen = kind or chosen
    names = [f"r{n}" for n in range(dice.choice((1, 1, 2, 3)) if chosen == "wild" else 1)]
    made = Case(
        seed=seed,
        kind=chosen,
        programs={name: Writer(dice, chosen).program() for name in names},
        workflows={name: dice.choice(("main", "main", "main", "limited")) for name in names},
    )
    if chosen == "wild":
        made.script = script(dice, names)
        made.restart = dice.choice(("never", "never", "everywhere", seed))
        if dice.random() < 0.6:
            for _ in range(dice.randint(1, 4)):
                faults = [[dice.randint(4, 90), dice.choice(FAULTS)] for _ in range(dice.randint(0, 5))]
                if dice.random() < 0.7:
                    faults.append([dice.randint(4, 90), dice.choice(DEATHS)])
                made.faults.append(faults)
    else:
        made.script = [["none", 0, "signal", "r0", dice.choice(SIGNALS), n, f"s{n}"] for n in range(dice.randint(0, 5))]
    return made
