"""`make demo`: a real file is imported by a durable workflow that gets killed on the way. It says what it checked.

First in this terminal: `weft run` starts the import, SIGKILL ends the process twice at random moments, `weft resume`
goes on. Then in a browser: the same workflow file runs in the page that the demo serves. `--check` does the browser
half headless too, and exits non-zero if anything at all is off.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples"), str(ROOT / "scripts")]

import airport_database  # noqa: E402
import demo_server  # noqa: E402
from demo_screen import Life, Screen  # noqa: E402

from weft_core import Client, RunNotFound  # noqa: E402
from weft_core.errors import StoreError  # noqa: E402

OUT = ROOT / "build" / "demo"
APP = str(ROOT / "examples" / "import_airports.py") + ":app"
RUN_ID = "import-1"
KILLS = 2
BATCHES_MIN = 12
BATCH_SIZE = 100
LOOK_EVERY_S = 0.02
STEP_SECONDS_MAX = 120
"""How long the import may show no progress before the demo gives up."""


class Off(Exception):
    """Something is not as it should be; the message says what."""


class Import:
    """The import as the demo drives it: one process at a time, watched from outside through the store."""

    def __init__(self, screen: Screen, seed: int) -> None:
        self.screen = screen
        self.dice = random.Random(seed)
        self.db = OUT / "airports.db"
        self.store = f"sqlite:///{OUT / 'weft.db'}"
        self.began = time.time()
        self.lives: list[Life] = []
        self.published = 0.0
        self.output = ""

    def clock(self) -> float:
        return time.time() - self.began

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        """`weft run` or `weft resume` in a process of its own."""
        environment = {**os.environ, "AIRPORTS_DB": str(self.db), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "weft_core.cli", *words, "--db", self.store, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def state(self) -> dict[str, Any]:
        """The run's public state, read from the store as anybody can; empty before it exists."""
        if not (OUT / "weft.db").is_file():
            return {}
        try:
            async with await Client.open(self.store) as client:
                return await client.handle(RUN_ID).state()
        except (RunNotFound, StoreError):
            return {}

    async def stands_at(self) -> str:
        """The source line the stored run waits at, and its loop variables."""
        async with await Client.open(self.store) as client:
            inspection = await client.handle(RUN_ID).inspect()
        for fiber in inspection.fibers:
            if fiber.frames and not fiber.ended:
                frame = fiber.frames[-1]
                variables = {k: v for k, v in frame.locals.items() if isinstance(v, int)}
                told = ", ".join(f"{name}={value}" for name, value in sorted(variables.items()))
                source = frame.source or _source_line(frame.line)
                return f"line {frame.line}: {source}   [{told}]"
        return "not begun"

    async def one_life(self, words: list[str], *, kill_after_batch: int | None) -> None:
        """Run one process until it ends, or until it is killed a random moment after a batch."""
        began = self.clock()
        process = self.spawn(*words)
        working, last_change, last_done = None, time.monotonic(), -1
        publish_sent = False
        kill_at: float | None = None
        try:
            while process.poll() is None:
                state = await self.state()
                done, rows = state.get("done", 0), state.get("rows", 0)
                if done != last_done:
                    if last_done >= 0 and working is None:
                        working = self.clock()
                    last_done, last_change = done, time.monotonic()
                self.screen.progress(done, rows, f"{done:,} of {rows:,} rows   {state.get('phase', 'starting')}")
                if kill_after_batch is not None and kill_at is None and state.get("batch", 0) >= kill_after_batch:
                    kill_at = time.monotonic() + self.dice.uniform(0.0, 0.15)
                if kill_at is not None and time.monotonic() >= kill_at:
                    process.kill()
                    process.wait()
                    break
                if state.get("phase") == "ready to publish" and kill_after_batch is None and not publish_sent:
                    await asyncio.sleep(0.4)  # so that the wait can be seen
                    async with await Client.open(self.store) as client:
                        await client.handle(RUN_ID).signal("publish", "make demo", id="publish")
                    publish_sent, self.published = True, self.clock()
                if time.monotonic() - last_change > STEP_SECONDS_MAX:
                    raise Off(f"no progress for {STEP_SECONDS_MAX} s at {state}")
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        killed = process.returncode < 0
        self.lives.append(Life(began=began, working=working or began, ended=self.clock(), killed=killed))
        assert process.stdout is not None
        assert process.stderr is not None
        self.output, complaint = process.stdout.read(), process.stderr.read()
        if not killed and process.returncode != 0:
            raise Off(_complaint(self.output, complaint))


def _complaint(output: str, complaint: str) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(output)["error"]["message"])
    return (output + complaint).strip() or "the process ended without a word"


def _source_line(number: int) -> str:
    lines = (ROOT / "examples" / "import_airports.py").read_text("utf-8").splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else "?"


def read_file(path: Path) -> str:
    """The text of the file to import, or `Off` with what is wrong."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Off(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8 and try again") from error
    except OSError as error:
        raise Off(f"cannot read {path}: {error.strerror}") from error


async def terminal_half(screen: Screen, path: Path, seed: int) -> bool:
    """The import with two kills; whether everything it checks holds."""
    text = read_file(path)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    lines = max(1, text.count("\n"))
    size = max(1, min(BATCH_SIZE, lines // BATCHES_MIN))
    batches = -(-lines // size)
    source = {"name": path.name, "text": text, "batch_size": size, "pause": "100ms"}
    (OUT / "input.json").write_text(json.dumps(source), "utf-8")

    screen.title("A durable import, killed twice on the way")
    screen.line(f"  {path.name}, {len(text):,} bytes, in batches of {size}; seed {seed}")
    job = Import(screen, seed)
    kills = sorted(job.dice.sample(range(max(1, batches // 6), max(3, batches * 5 // 6)), KILLS)) if batches > 3 else []
    words = ["run", APP, "import_airports", "--input", str(OUT / "input.json"), "--id", RUN_ID]
    for number, batch in enumerate(kills, 1):
        await job.one_life(words, kill_after_batch=batch)
        if not job.lives[-1].killed:
            raise Off("the import ended before it could be killed")
        words = ["resume", APP, RUN_ID]
        state = await job.state()
        told = screen.paint(f"✗ SIGKILL {number}", "red", "bold")
        screen.line(
            f"  {told} at {job.clock():.2f} s, {state.get('done', 0):,} rows in. The store says where it stood:"
        )
        screen.line(f"      {screen.paint(await job.stands_at(), 'dim')}")
        screen.line(f"  {screen.paint('→ weft resume', 'cyan')}")
    await job.one_life(words, kill_after_batch=None)
    screen.line(f"  {screen.paint('✓ published', 'green', 'bold')} at {job.clock():.2f} s")

    screen.title("What happened")
    with contextlib.closing(airport_database.open_database(str(job.db))) as db:
        arrivals = [at - job.began for (at,) in db.execute("SELECT at FROM deliveries WHERE rows > 0 ORDER BY at")]
        screen.timeline(job.lives, arrivals, job.published, job.clock())
        screen.title("Checked")
        return check(screen, text, db, json.loads(job.output), kills=len(kills))


def check(screen: Screen, text: str, db: sqlite3.Connection, run: dict[str, Any], *, kills: int) -> bool:
    """Compare the file with what is in the database, row by row, and say so."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    expected: dict[str, dict[str, str]] = {}
    for row in reader:
        expected.setdefault(next(iter(row.values())), {str(k).strip(): v for k, v in row.items()})
    stored = {
        key: (json.loads(data), writes) for key, data, writes in db.execute("SELECT key, data, writes FROM records")
    }
    summary, report = run.get("result") or {}, airport_database.report(db, RUN_ID)
    rejected, duplicates = summary.get("rejected", 0), summary.get("duplicates", 0)
    wrong = [key for key, (data, _) in stored.items() if expected.get(key) != data]
    twice = [key for key, (_, writes) in stored.items() if writes != 1]
    good = screen.check(run.get("status") == "completed", f"the run is {run.get('status')}, after {kills} SIGKILLs")
    good &= screen.check(
        len(stored) == summary.get("written") == summary.get("rows", -1) - rejected - duplicates,
        f"{len(stored):,} rows arrived of {summary.get('rows', 0):,} in the file"
        f" ({duplicates} duplicates, {rejected} rejected)",
    )
    good &= screen.check(not twice, f"every row was written exactly once ({len(twice)} were not)")
    good &= screen.check(
        not wrong and (bool(stored) or rejected > 0), f"every row is what the file says ({len(wrong)} are not)"
    )
    again = report["repeated_deliveries"]
    how = "no batch was delivered twice" if not again else f"{again} delivered again under its key and applied once"
    good &= screen.check(bool(report["exactly_once"]), f"{report['batches']} batches; {how}")
    good &= screen.check(report["summary"] == summary, f"the summary is stored: {json.dumps(summary.get('top'))}")
    return bool(good)


def browser_half(screen: Screen, *, check_only: bool) -> bool:
    """Serve the page; look at it headless, or wait while somebody plays with it."""
    screen.title("The same workflow file in a browser page")
    built = subprocess.run(["npm", "run", "--silent", "site"], cwd=ROOT, capture_output=True, text=True)
    if not screen.check(built.returncode == 0, "the page is built into build/site"):
        screen.line(built.stdout + built.stderr)
        return False
    server = demo_server.make_server(
        site=ROOT / "build" / "site", database=OUT / "browser.db", port=0 if check_only else demo_server.PORT
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        if check_only:
            return look_headless(screen, url)
        screen.line(
            f"  open {screen.paint(url, 'bold', 'cyan')} — drop a CSV file, kill the engine, close the tab, come back"
        )
        screen.line("  Ctrl-C ends the demo")
        with contextlib.suppress(KeyboardInterrupt):
            thread.join()
        return True
    finally:
        server.shutdown()
        server.server_close()


def look_headless(screen: Screen, url: str) -> bool:
    """The page in headless Chromium: closed in the middle, the browser killed once, everything arrived once."""
    chromium = subprocess.run([ROOT / "scripts" / "chromium"], capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, "WEFT_DEMO_URL": url, "WEFT_CHROMIUM": chromium, "WEFT_DEMO_SHOTS": str(OUT)}
    done = subprocess.run(["node", "scripts/demo_browser.mjs"], cwd=ROOT, env=environment)
    shots = sorted(path.name for path in OUT.glob("*.png"))
    good = screen.check(done.returncode == 0, "the browser half holds")
    return screen.check(bool(shots), f"screenshots under build/demo: {', '.join(shots) or 'none'}") and good


def main() -> int:
    """The exit code: 0 only if every check holds."""
    parser = argparse.ArgumentParser(description="The terminal and browser demo.")
    parser.add_argument("--file", type=Path, help="a CSV file of yours (default: 3,376 real airports)")
    parser.add_argument("--check", action="store_true", help="headless: do everything, look at everything, then end")
    parser.add_argument("--terminal-only", action="store_true", help="leave the browser out")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="for the moments of the kills"
    )
    options = parser.parse_args()
    screen = Screen()
    try:
        good = asyncio.run(terminal_half(screen, options.file or demo_server.sample_file(), options.seed))
        if good and not options.terminal_only:
            good = browser_half(screen, check_only=options.check)
    except (Off, FileNotFoundError) as error:
        screen.line()
        screen.check(False, str(error))
        return 1
    except KeyboardInterrupt:
        screen.wipe()
        return 130
    screen.line()
    screen.line(screen.paint("all good", "green", "bold") if good else screen.paint("something is off", "red", "bold"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
