"""Which locals may still be read after each `await`: a backward analysis of the normalised tree.

It works on the tree and not on bytecode, so its answer is the same on every Python version, and errs only towards
storing more. Creating a nested function counts as reading what it captures, and for a captured variable writing counts as
reading: its cell is shared with functions that may be called later, so the frame has to keep that very cell.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from weft_core.resume.compile.scopes import comprehension_names, free_names, has_await

Names = frozenset[str]
NONE: Names = frozenset()
LOOP_PASSES_MAX = 1_000
"""A loop's live set only grows, by names of the function: this is never reached."""


@dataclass(frozen=True)
class Exits:
    """What is live where control may go besides the next statement."""

    error: Names = NONE
    leave: Names = NONE
    again: Names = NONE
    done: Names = NONE


class Liveness:
    """`after[id(statement)]` is what may be read after an awaiting statement has its value."""

    def __init__(self, names: set[str], captured: set[str], body: list[ast.stmt]) -> None:
        self._names = frozenset(names)
        self._captured = frozenset(captured)
        self.after: dict[int, Names] = {}
        self._block(body, NONE, Exits())

    def _block(self, statements: list[ast.stmt], live: Names, exits: Exits) -> Names:
        for statement in reversed(statements):
            live = self._statement(statement, live, exits)
        return live

    def _bind(self, live: Names, bound: Names) -> Names:
        """What is live before names are bound."""
        return (live - bound) | (bound & self._captured)

    def _reads(self, *nodes: ast.AST | None) -> Names:
        found: set[str] = set()
        for node in nodes:
            if node is not None:
                _reads(node, found)
        return frozenset(found) & self._names

    def _statement(self, node: ast.stmt, live: Names, exits: Exits) -> Names:
        match node:
            case ast.Return(value=value):
                return self._reads(value) | exits.done | exits.error
            case ast.Raise(exc=exc, cause=cause):
                return self._reads(exc, cause) | exits.error
            case ast.Break():
                return exits.leave
            case ast.Continue():
                return exits.again
            case ast.If(test=test, body=body, orelse=orelse):
                inner = self._block(body, live, exits) | self._block(orelse, live, exits)
                return inner | self._reads(test) | exits.error
            case ast.While():
                return self._loop(node, node.test, [], live, exits)
            case ast.For() | ast.AsyncFor():
                return self._for(node, live, exits)
            case ast.Try() | ast.TryStar():
                return self._try(node, live, exits)
            case ast.With() | ast.AsyncWith():
                return self._with(node, live, exits)
            case ast.Match():
                inner = live
                for case in node.cases:
                    taken = self._block(case.body, live, exits) | self._reads(case.guard)
                    inner |= self._bind(taken, _bound(case.pattern)) | self._reads(case.pattern)
                return inner | self._reads(node.subject) | exits.error
            case ast.Assign(targets=targets, value=value):
                return self._assign(node, targets, value, live, exits)
            case ast.AnnAssign(target=target, value=value):
                return live if value is None else self._assign(node, [target], value, live, exits)
            case ast.AugAssign(target=target, value=value):
                return live | self._reads(value) | self._reads_of_target(target, also_name=True) | exits.error
            case ast.Expr(value=value):
                if isinstance(value, ast.Await):
                    self._note(node, live)
                return live | self._reads(value) | exits.error
            case ast.Delete(targets=targets):
                read = frozenset().union(*(self._reads_of_target(t, also_name=True) for t in targets))
                return self._bind(live, _plain_names(targets)) | read | exits.error
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                return self._bind(live, frozenset({name})) | self._reads(node) | exits.error
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound = frozenset(a.asname or a.name.partition(".")[0] for a in aliases)
                return self._bind(live, bound & self._names) | exits.error
            case _:
                return live | self._reads(node) | exits.error

    def _note(self, node: ast.stmt, live: Names) -> None:
        self.after[id(node)] = self.after.get(id(node), NONE) | (live & self._names)

    def _assign(self, node: ast.stmt, targets: list[ast.expr], value: ast.expr, live: Names, exits: Exits) -> Names:
        after = self._bind(live, _plain_names(targets))
        read = frozenset().union(*(self._reads_of_target(t) for t in targets))
        if isinstance(value, ast.Await):
            # If the awaited thing raises, the assignment does not happen: handlers may read the old value.
            self._note(node, after | read | exits.error)
        return after | read | self._reads(value) | exits.error

    def _reads_of_target(self, target: ast.expr, *, also_name: bool = False) -> Names:
        found: set[str] = set()
        if also_name and isinstance(target, ast.Name):
            found.add(target.id)
        for child in ast.walk(target):
            if isinstance(child, (ast.Attribute, ast.Subscript)):
                _reads(child.value, found)
                if isinstance(child, ast.Subscript):
                    _reads(child.slice, found)
        return frozenset(found) & self._names

    def _for(self, node: ast.For | ast.AsyncFor, live: Names, exits: Exits) -> Names:
        bound = _plain_names([node.target])
        read = self._reads(node.iter) | self._reads_of_target(node.target)
        # The iterator itself is read at each turn: for a hidden one that is a local like any other.
        turning = read if has_await(node) else NONE
        return self._loop(node, None, sorted(bound), live, exits, turning) | read | exits.error

    def _loop(
        self,
        node: ast.While | ast.For | ast.AsyncFor,
        test: ast.expr | None,
        bound: list[str],
        live: Names,
        exits: Exits,
        turning: Names = NONE,
    ) -> Names:
        orelse = self._block(node.orelse, live, exits)
        endless = isinstance(test, ast.Constant) and bool(test.value)
        after = NONE if endless else orelse
        head = after | self._reads(test) | turning
        for _ in range(LOOP_PASSES_MAX):
            inner = replace(exits, leave=live, again=head)
            body = self._bind(self._block(node.body, head, inner), frozenset(bound))
            grown = head | body
            if grown == head:
                break
            head = grown
        return head | exits.error

    def _try(self, node: ast.Try | ast.TryStar, live: Names, exits: Exits) -> Names:
        if node.finalbody:
            everywhere = live | exits.error | exits.leave | exits.again | exits.done
            final = self._block(node.finalbody, everywhere, exits)
            # Out of this statement every way leads through the final block.
            exits = Exits(error=final, leave=final, again=final, done=final)
            live = final
        caught = exits.error
        for handler in node.handlers:
            inner = self._block(handler.body, live, exits)
            if handler.name is not None:
                inner = self._bind(inner, frozenset({handler.name}))
            caught |= inner | self._reads(handler.type)
        orelse = self._block(node.orelse, live, exits)
        body = self._block(node.body, orelse, replace(exits, error=caught))
        return body | caught

    def _with(self, node: ast.With | ast.AsyncWith, live: Names, exits: Exits) -> Names:
        # A manager may swallow an error, so what follows may run after any statement of the body.
        inner = self._block(node.body, live, replace(exits, error=exits.error | live))
        for item in reversed(node.items):
            if item.optional_vars is not None:
                inner = self._bind(inner, _plain_names([item.optional_vars])) | self._reads_of_target(item.optional_vars)
            inner |= self._reads(item.context_expr)
        return inner | exits.error


def _reads(node: ast.AST, found: set[str]) -> None:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            found.add(name)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
            found |= free_names(node)
            parts = [node.args] if not isinstance(node, ast.ClassDef) else [*node.bases, *node.keywords]
            if not isinstance(node, ast.Lambda):
                parts += node.decorator_list
            for part in parts:
                _reads(part, found)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            found |= comprehension_names(node)
            _reads(node.generators[0].iter, found)
        case _:
            for child in ast.iter_child_nodes(node):
                _reads(child, found)


def _plain_names(targets: list[ast.expr]) -> Names:
    found: set[str] = set()
    stack = list(targets)
    while stack:
        target = stack.pop()
        if isinstance(target, ast.Name):
            found.add(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            stack += target.elts
        elif isinstance(target, ast.Starred):
            stack.append(target.value)
    return frozenset(found)


def _bound(pattern: ast.pattern) -> Names:
    found: set[str] = set()
    for child in ast.walk(pattern):
        if isinstance(child, (ast.MatchAs, ast.MatchStar)) and child.name is not None:
            found.add(child.name)
        elif isinstance(child, ast.MatchMapping) and child.rest is not None:
            found.add(child.rest)
    return frozenset(found)


