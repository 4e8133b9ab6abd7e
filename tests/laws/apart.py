"""A program as it should run, for Pythons that do not do what it says.

Since 3.12 comprehensions run in the frame of the code around them (PEP 709). Where one gives a value to a name that the
code around it takes from further outside, another one there that only reads this name, or assigns to it with `:=`, gets
at the first one's variable, which has no value by then:

    def f(x):
        return [([x for x in (1, 2)], [x for _ in (3,)]) for _ in (4,)]    # UnboundLocalError; [([1, 2], [9])] until 3.11

The language reference knows no such thing (https://github.com/python/cpython/issues/156664). A comprehension that awaits
is a loop in compiled code, and comprehensions whose variables functions close over have names of their own, so compiled
code does what the reference says: here no two comprehensions have a variable in common.

Until 3.11 a comprehension is a function of its own, whose first argument `super()` takes for the instance, and fails. In
compiled code it does what it does everywhere else: here it is told class and instance.
"""

from __future__ import annotations

import ast
import sys
from types import CodeType

from tests.laws.generate import Program
from weft_core.resume.compiler.apart import Rename
from weft_core.resume.compiler.names import Comprehension, comprehension_targets

COMPREHENSIONS_MIX_NAMES = sys.version_info >= (3, 12)


def named_apart(program: Program, filename: str) -> CodeType:
    """The program's code, every comprehension's variables under names of their own. The lines are the program's."""
    tree = _Apart().visit(ast.parse(program.source))
    return compile(tree, filename, "exec", dont_inherit=True)


def supers_told(program: Program, filename: str) -> CodeType:
    """The program's code, every `super()` with its arguments. The lines are the program's."""
    tree = ast.fix_missing_locations(_Told().visit(ast.parse(program.source)))
    return compile(tree, filename, "exec", dont_inherit=True)


as_it_says = named_apart if COMPREHENSIONS_MIX_NAMES else supers_told


class _Apart(ast.NodeTransformer):
    def __init__(self) -> None:
        self.count = 0

    def _comprehension(self, node: Comprehension) -> ast.AST:
        self.generic_visit(node)
        self.count += 1
        Rename({name: f"@{self.count}.{name}" for name in comprehension_targets(node)}).inside(node)
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = _comprehension


class _Told(ast.NodeTransformer):
    def __init__(self) -> None:
        self.first: str | None = None

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        around = self.first
        parameters = [*node.args.posonlyargs, *node.args.args]
        self.first = parameters[0].arg if parameters else None
        self.generic_visit(node)
        self.first = around
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("super"), [], []) if self.first is not None:
                node.args = [ast.Name("__class__", ast.Load()), ast.Name(self.first, ast.Load())]
        return node
