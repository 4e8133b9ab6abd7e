// Runs this repository's Python tests inside Pyodide under Node, quickly and without a browser.
//
//   npm run pyodide -- pytest tests/unit/values -q      plain pytest, for tests that need no event loop of their own
//   npm run pyodide -- suite memory: everywhere         tests/suite on a store, on the pumped loop (also: indexeddb:name)
//   npm run pyodide -- inside                           tests/browser/inside: what only makes sense in Pyodide
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bootPython, copyIn } from "./node_pyodide.mjs";
import { root } from "./paths.mjs";
import { stdlibZip } from "./stdlib.mjs";
import { wheels } from "./wheels.mjs";

const FOLDERS = ["tests", "examples"];

async function boot() {
  const python = await bootPython({ stdLibURL: await stdlibZip() });
  for (const folder of FOLDERS) copyIn(python, folder, "/repo");
  python.FS.writeFile("/repo/pyproject.toml", readFileSync(join(root, "pyproject.toml")));
  python.runPython("import os, sys; os.chdir('/repo'); sys.path.insert(0, '/repo')");
  return python;
}

/** The exit code of pytest. Extra wheels (of what a test imports) are given as `--wheel=path`. */
async function pytest(args) {
  const python = await boot();
  const extra = args.filter((arg) => arg.startsWith("--wheel=")).map((arg) => arg.slice("--wheel=".length));
  for (const path of [...wheels(), ...extra]) {
    python.unpackArchive(new Uint8Array(readFileSync(path)), "wheel");
  }
  python.globals.set(
    "arguments",
    args.filter((arg) => !arg.startsWith("--wheel=")),
  );
  return python.runPython(`
import pytest
int(pytest.main([*arguments.to_py(), "-p", "no:cacheprovider", "-p", "no:faulthandler"]))
`);
}

async function suite(name, [url = "memory:", mode = "never", ...only]) {
  await import("fake-indexeddb/auto"); // Node has no IndexedDB of its own
  const python = await boot();
  python.runPython(readFileSync(join(root, "tests/browser/run_suite.py"), "utf8"));
  return new Promise((resolve) => {
    python.globals.get("start")(name, url, mode, only.join(" "), (line) => console.log(line), resolve);
  });
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command === "pytest") process.exitCode = await pytest(args);
  else if (command === "suite") process.exitCode = await suite("tests.suite", args);
  else if (command === "inside") process.exitCode = await suite("tests.browser.inside", args);
  else throw new Error("say `pytest …`, `inside` or `suite [store] [never|everywhere|seed] [words of test names]`");
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
