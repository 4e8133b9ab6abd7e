// The conformance suite of weft_core.testing on the IndexedDB store, in Pyodide under Node on fake-indexeddb: the whole
// way from Python over the bridge that the package carries. tests/browser runs the same in Chromium.
import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { bootPython, copyIn } from "../scripts/node_pyodide.mjs";

test("the IndexedDB store keeps every promise to Python", { timeout: 120_000 }, async () => {
  const python = await bootPython();
  copyIn(python, "weft_core", "/site", (name) => name.endsWith(".py") || name.endsWith(".js"));
  python.runPython("import sys; sys.path.insert(0, '/site')");
  const start = python.runPython(`
from weft_core.engine.host_browser import run
from weft_core.store import open_store
from weft_core.testing.stores import PROMISES, check_store

async def main():
    report = await check_store(lambda: open_store("indexeddb:promises"), reopens=True)
    assert report.passed == PROMISES, report

def start(ended):
    global task
    task = run(main(), on_end=lambda error: ended("" if error is None else repr(error)))
start`);
  assert.equal(await new Promise((resolve) => start(resolve)), "");
});
