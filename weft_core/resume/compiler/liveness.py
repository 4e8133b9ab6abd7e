"""Which locals may still be read after each point: a backward analysis over the normalised body.

Sets of names flow from the end of the function to its beginning. A statement in a `try` may jump to its handlers from
anywhere, so what they read is live throughout. A variable that a nested function closes over lives in a cell that may
be shared: any later use of it, a write too, keeps the cell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager

from weft_core.resume.compiler.build import is_await
from weft_core.resume.compiler.crossing import exits
from weft_core.resume.compiler.names import Names, names_in
from weft_core.resume.compiler.points import Place, waits

Live = frozenset[str]
NOTHING: Live = frozenset()


class Liveness:
    """Fills `live` of the places of one function."""

    def __init__(self, places: Sequence[Place], *, local: set[str], captured: set[str], helpers: Set[str]) -> None:
        self.places = places
        self.local = local
        self.captured = captured
        self.helpers = helpers
        self.raised = NOTHING
        self.returned = NOTHING
        self.broken = NOTHING
        self.continued = NOTHING
        self.regions: tuple[str, ...] = ()
        self._names: dict[int, tuple[Live, Live]] = {}

    # --- what a piece of code reads and binds --------------------------------------------------------------------

    def _mine(self, names: set[str]) -> Live:
        return frozenset(n for n in names if n in self.local or (n[0] == "@" and n not in self.helpers))

    def _facts(self, node: ast.AST) -> tuple[Live, Live]:
        """(read or otherwise needed, surely bound) by a simple statement, expression or target."""
        known = self._names.get(id(node))
        if known is None:
            names = names_in(node)
            uses = self._mine(names.reads) | (self._mine(names.stores) & self.captured)
            known = self._names[id(node)] = (uses, self._mine(bound_by(node)) - self.captured)
        return known

    def _uses(self, *nodes: ast.AST | None) -> Live:
        found = NOTHING
        for node in nodes:
            if node is not None:
                found |= self._facts(node)[0]
        return found

    # --- flow ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _flow(self, **changed: Live | tuple[str, ...]) -> Iterator[None]:
        kept = {name: getattr(self, name) for name in changed}
        for name, value in changed.items():
            setattr(self, name, value)
        try:
            yield
        finally:
            for name, value in kept.items():
                setattr(self, name, value)

    def block(self, nodes: Sequence[ast.stmt], after: Live) -> Live:
        """What is live before a block, given what is live after it."""
        for node in reversed(nodes):
            after = self._statement(node, after) | self.raised
        return after

    def _statement(self, node: ast.stmt, after: Live) -> Live:
        match node:
            case ast.Return():
                return self.returned | self._uses(node)
            case ast.Raise():
                return self._uses(node)
            case ast.Break():
                return self.broken
            case ast.Continue():
                return self.continued
            case ast.If():
                orelse = self.block(node.orelse, after)
                return self._uses(node.test) | self.block(node.body, after) | orelse
            case ast.While():
                return self._while(node, after)
            case ast.For():
                return self._for(node, after)
            case ast.Try() | ast.TryStar():
                return self._try(node, after)
            case ast.With():
                return self._with(node, after)
            case ast.Match():
                cases = NOTHING
                for case in node.cases:
                    cases |= self.block(case.body, after) | self._uses(case.pattern, case.guard)
                return self._uses(node.subject) | cases | after
            case _:
                uses, bound = self._facts(node)
                if is_await(node):
                    place = self.places[node._point - 1]  # type: ignore[attr-defined]
                    place.regions |= set(self.regions)
                    place.live |= (after - bound) | self.raised | frozenset(self.regions) | self._target_uses(node)
                return (after - bound) | uses

    def _target_uses(self, node: ast.stmt) -> Live:
        return self._uses(*node.targets) if isinstance(node, ast.Assign) else NOTHING

    def _while(self, node: ast.While, after: Live) -> Live:
        always = isinstance(node.test, ast.Constant) and bool(node.test.value)
        leaving = NOTHING if always else self.block(node.orelse, after)
        head = leaving | self._uses(node.test) | self.raised
        while True:
            with self._flow(broken=after, continued=head):
                found = head | self.block(node.body, head)
            if found == head:
                return head
            head = found

    def _for(self, node: ast.For, after: Live) -> Live:
        iterator: Live = frozenset({node._iterator}) if waits(node) else NOTHING  # type: ignore[attr-defined]
        uses, bound = self._facts(node.target)
        head = self.block(node.orelse, after) | iterator | self.raised
        while True:
            with self._flow(broken=after, continued=head):
                found = head | (self.block(node.body, head) - bound) | uses
            if found == head:
                return (head - iterator) | self._uses(node.iter)
            head = found

    def _try(self, node: ast.Try | ast.TryStar, after: Live) -> Live:
        if not node.finalbody:
            return self._handled(node, after)
        leaving = after | self.raised
        kinds = exits([*node.body, *node.handlers, *node.orelse])
        if "return" in kinds:
            leaving |= self.returned
        if "break" in kinds:
            leaving |= self.broken
        if "continue" in kinds:
            leaving |= self.continued
        regions = self.regions
        if waits(node.finalbody):
            regions += node._entered  # type: ignore[union-attr]
        with self._flow(regions=regions):
            final = self.block(node.finalbody, leaving)
        with self._flow(raised=final, returned=final, broken=final, continued=final):
            return self._handled(node, final)

    def _handled(self, node: ast.Try | ast.TryStar, after: Live) -> Live:
        caught = NOTHING
        everything = False
        regions = self.regions
        if hasattr(node, "_caught"):
            regions += (node._caught,)
        for handler in node.handlers:
            named: Live = frozenset({handler.name} if handler.name else ()) - self.captured
            # Python deletes the name at the handler's end, however it ends: functions that close over it see that.
            deleted = frozenset(self.captured & {handler.name or ""})
            ways = {way: getattr(self, way) | deleted for way in ("raised", "returned", "broken", "continued")}
            with self._flow(regions=regions, **ways):
                inside = self.block(handler.body, (after - named) | deleted)
            caught |= (inside - named) | self._uses(handler.type)
            if handler.name in self.captured:
                caught |= {handler.name}
            everything = everything or _catches_all(handler)
        orelse = self.block(node.orelse, after)
        if not everything:
            caught |= self.raised
        with self._flow(raised=caught):
            return self.block(node.body, orelse)

    def _with(self, node: ast.With, after: Live) -> Live:
        # The manager may swallow what is raised in the body.
        with self._flow(raised=self.raised | after):
            found = self.block(node.body, after)
        for item in reversed(node.items):
            uses, bound = NOTHING, NOTHING
            if item.optional_vars is not None:
                uses, bound = self._facts(item.optional_vars)
            found = (found - bound) | uses | self._uses(item.context_expr) | after
        return found


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id == "@BaseException")


def bound_by(node: ast.AST) -> set[str]:
    """The names a node surely binds (or unbinds) when it is through."""
    match node:
        case ast.Assign():
            return set().union(*map(bound_by, node.targets))
        case ast.AnnAssign():
            return bound_by(node.target) if node.value is not None else set()
        case ast.AugAssign():
            return bound_by(node.target)
        case ast.Name():
            return set() if isinstance(node.ctx, ast.Load) else {node.id}
        case ast.Tuple() | ast.List():
            return set() if isinstance(node.ctx, ast.Load) else set().union(*map(bound_by, node.elts))
        case ast.Starred():
            return bound_by(node.value)
        case ast.Delete():
            return set().union(*map(bound_by, node.targets))
        case ast.Import() | ast.ImportFrom():
            names = Names()
            names.visit(node)
            return names.stores
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case _:
            return set()
