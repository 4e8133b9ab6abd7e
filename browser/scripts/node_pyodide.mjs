// Pyodide under Node, as the build and the quick tests use it: JSPI off, nothing fetched, warnings of its own silenced.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lock } from "./lock.mjs";
import { filesUnder, pyodideDir, root } from "./paths.mjs";

/** Boot Python. `options` go to `loadPyodide`. */
export async function bootPython(options = {}) {
  for (const name of ["Suspending", "promising", "Suspender"]) delete WebAssembly[name];
  const { loadPyodide } = await import(join(pyodideDir, "pyodide.mjs"));
  return loadPyodide({
    indexURL: pyodideDir,
    lockFileContents: JSON.stringify(lock),
    enableRunUntilComplete: false,
    ...options,
  });
}

/** Copy files of the repository into Python's file system, below `target`. */
export function copyIn(python, folder, target, wanted = (name) => name.endsWith(".py")) {
  for (const path of filesUnder(join(root, folder), wanted)) {
    const to = `${target}/${folder}/${path}`;
    python.FS.mkdirTree(to.slice(0, to.lastIndexOf("/")));
    python.FS.writeFile(to, readFileSync(join(root, folder, path)));
  }
}
