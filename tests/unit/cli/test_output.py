"""What standard output cannot take is no failure of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.unit.cli.conftest import Shop
from weft_core.cli.exits import Exit

RUN = "import sys; from weft_core.cli import main; sys.exit(main())"
TOLD = 'é 🎈 "x" \ud800'


def weft(shop: Shop, *words: str, closed: bool = False, encoding: str = "utf-8") -> tuple[int, str, str]:
    """`weft` in a process of its own: exit code, standard output and standard error."""
    roots = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": roots, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", RUN, *words]
    if closed:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(command, cwd=shop.folder, env=environment, capture_output=True)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


def test_a_result_that_the_encoding_has_no_letters_for_is_shown_all_the_same(shop: Shop) -> None:
    told = shop.path.parent / "told.py"
    told.write_text(
        f"from weft_core import App, Context\napp = App('told')\n\n@app.workflow\n"
        f"async def tell(ctx: Context) -> str:\n    return {TOLD!r}\n",
        encoding="utf-8",
    )
    for encoding in ("utf-8", "ascii"):
        code, out, err = weft(shop, "run", "told:app", "tell", encoding=encoding)
        assert (code, err.count("Traceback")) == (Exit.OK, 0), err
        assert "x" in out and "\\ud800" in out
        code, out, err = weft(shop, "run", "told:app", "tell", "--json", encoding=encoding)
        assert code == Exit.OK, err
        assert json.loads(out)["result"] == TOLD


def test_without_standard_output_a_command_does_its_work(shop: Shop) -> None:
    for words in (["run", f"{shop.module}:app", "checkout", "--arg", '{"cents": 5}', "--json"], ["runs", "list"]):
        code, out, err = weft(shop, *words, closed=True)
        assert (code, out) == (Exit.OK, ""), err
        assert "Traceback" not in err
