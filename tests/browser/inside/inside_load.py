"""Why an app could not be loaded is told by its cause: a missing file, a missing package, or a line of its own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from weft_core.engine.host_browser_serve import load_app


def said_of(spec: str, source: str) -> str:
    """What is said when the app is loaded from a folder with this file as odd.py."""
    with TemporaryDirectory() as folder:
        Path(folder, "odd.py").write_text(source, "utf-8")
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        try:
            load_app(spec)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            sys.path.remove(folder)
            sys.modules.pop("odd", None)
    return "loaded"


async def test_an_app_that_cannot_be_loaded_is_told_by_its_cause() -> None:
    app = "from weft_core import App\napp = App('odd')\n"
    given = "give Weft.open its file in `files`, or its wheel in `packages`"
    cases = [
        ("odd:app", app, "loaded"),
        ("even:app", app, f"DeclarationError: 'even:app' needs the module even: {given}"),
        ("odd:app", "import numpy", f"DeclarationError: 'odd:app' needs the module numpy: {given}"),
        ("odd:app", "import sys\nsys.nothing", "AttributeError: module 'sys' has no attribute 'nothing'"),
        (
            "odd:shop",
            app,
            "DeclarationError: 'odd:shop' leads to no app: module 'odd' has no attribute 'shop'; name it",
        ),
        ("odd:App", app, "DeclarationError: 'odd:App' is type, not an App"),
    ]
    for spec, source, expected in cases:
        said = said_of(spec, source)
        assert said.startswith(expected), said
